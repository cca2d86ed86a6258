#include "solver/paper/fields.hpp"

namespace ptyle {

template <class T>
BehindFields<T>::BehindFields(State<T>& state, const OperatorSetup& setup)
    : own(declare_gradient(state, setup, "own")),
      illumination(&state.declare({"last.illumination", "gradient", Kind::voxels, {1, 0, 0}})) {
  const auto field = [&](const char* name) {
    return &state.declare(
        {name, "object, synchronised", Kind::voxels, {setup.planes(), 0, 0}, false, setup.states});
  };
  synced.phase = field("synced.phase");
  if (setup.absorption) synced.absorption = field("synced.absorption");
}

template <class T>
void copy_values(Arithmetic<T>& arithmetic, const Volumes<T>& from, const Volumes<T>& to,
                 std::size_t tile) {
  const auto source = from.on(tile), target = to.on(tile);
  for (std::size_t f = 0; f < source.size(); ++f) arithmetic.copy(source[f], target[f]);
}

template struct BehindFields<float>;
template struct BehindFields<double>;
template void copy_values(Arithmetic<float>&, const Volumes<float>&, const Volumes<float>&,
                          std::size_t);
template void copy_values(Arithmetic<double>&, const Volumes<double>&, const Volumes<double>&,
                          std::size_t);

}  // namespace ptyle
