#include "solver/variables/object.hpp"

#include <utility>

namespace ptyle {

template <class T>
std::vector<Field<T>*> Volumes<T>::fields() const {
  std::vector<Field<T>*> all{phase};
  if (absorption) all.push_back(absorption);
  return all;
}

template <class T>
std::vector<View<T, 3>> Volumes<T>::of_state(std::size_t tile, i64 state) const {
  std::vector<View<T, 3>> all;
  for (Field<T>* field : fields()) {
    const View<T, 3> whole = field->on(tile);
    const auto [planes, rows, cols] = whole.shape;
    const i64 slices = planes / field->volumes;
    all.push_back({whole.data + state * slices * rows * cols, {slices, rows, cols}});
  }
  return all;
}

template <class T>
std::vector<View<T, 3>> Volumes<T>::on(std::size_t tile) const {
  std::vector<View<T, 3>> all;
  for (i64 state = 0; state < states(); ++state)
    for (const View<T, 3>& volume : of_state(tile, state)) all.push_back(volume);
  return all;
}

template <class T>
Stack<T> Volumes<T>::stack(std::size_t tile, i64 block) const {
  Stack<T> stack;
  for (const View<T, 3>& volume : on(tile)) {
    if (block <= 1)
      stack.push_back(volume);
    else
      for (i64 s = 0; s < volume.shape[0]; s += block)
        stack.push_back({volume[s].data, {1, volume.shape[1], volume.shape[2]}});
  }
  return stack;
}

template <class T>
void swap_values(const Volumes<T>& a, const Volumes<T>& b) {
  swap_values(*a.phase, *b.phase);
  if (a.absorption) swap_values(*a.absorption, *b.absorption);
}

template <class T>
void swap_values(const ObjectGradient<T>& a, const ObjectGradient<T>& b) {
  swap_values<T>(static_cast<const Volumes<T>&>(a), static_cast<const Volumes<T>&>(b));
  swap_values(*a.illumination, *b.illumination);
}

template <class T>
void ObjectGradient<T>::clear(Arithmetic<T>& arithmetic, std::size_t tile) const {
  for (const View<T, 3>& volume : this->on(tile)) arithmetic.clear(volume);
  arithmetic.clear(illumination->on(tile));
}

template <class T>
Stack<T> ObjectGradient<T>::stack(std::size_t tile, i64 block, bool with_illumination) const {
  Stack<T> stack = Volumes<T>::stack(tile, block);
  if (with_illumination) stack.push_back(illumination->on(tile));
  return stack;
}

template <class T>
ObjectGradient<T> declare_gradient(State<T>& state, const OperatorSetup& setup,
                                   const std::string& name) {
  const auto field = [&](const std::string& of, i64 planes, i64 volumes) {
    return &state.declare(
        {name + "." + of, "gradient", Kind::voxels, {planes, 0, 0}, false, volumes});
  };
  ObjectGradient<T> gradient;
  gradient.phase = field("phase", setup.planes(), setup.states);
  gradient.illumination = field("illumination", 1, 1);
  if (setup.absorption) gradient.absorption = field("absorption", setup.planes(), setup.states);
  return gradient;
}

template <class T>
ObjectVariable<T>::ObjectVariable(State<T>& state, const OperatorSetup& setup)
    : tiles_(state.tiles().size()) {
  const auto field = [&](const char* name) {
    return &state.declare(
        {name, "object", Kind::voxels, {setup.planes(), 0, 0}, true, setup.states});
  };
  values.phase = field("phase");
  if (setup.absorption) values.absorption = field("absorption");
  gradient = declare_gradient(state, setup, "gradient");
}

template <class T>
void ObjectVariable<T>::begin_with(std::vector<TileStart<T>> start,
                                   const Arithmetic<T>& arithmetic) {
  for (TileStart<T>& tile : start) {
    values.phase->here.push_back(arithmetic.brought(std::move(tile.phase), "object"));
    if (values.absorption)
      values.absorption->here.push_back(arithmetic.brought(std::move(tile.absorption), "object"));
  }
}

template <class T>
std::vector<Stack<T>> ObjectVariable<T>::stacks() const {
  std::vector<Stack<T>> all;
  for (std::size_t t = 0; t < tiles_; ++t) all.push_back(values.on(t));
  return all;
}

template <class T>
std::vector<Stack<T>> ObjectVariable<T>::gradients(i64 block, bool with_illumination) const {
  std::vector<Stack<T>> all;
  for (std::size_t t = 0; t < tiles_; ++t)
    all.push_back(gradient.stack(t, block, with_illumination));
  return all;
}

template struct Volumes<float>;
template struct ObjectGradient<float>;
template class ObjectVariable<float>;
template void swap_values(const Volumes<float>&, const Volumes<float>&);
template void swap_values(const ObjectGradient<float>&, const ObjectGradient<float>&);
template ObjectGradient<float> declare_gradient(State<float>&, const OperatorSetup&,
                                                const std::string&);
template struct Volumes<double>;
template struct ObjectGradient<double>;
template class ObjectVariable<double>;
template void swap_values(const Volumes<double>&, const Volumes<double>&);
template void swap_values(const ObjectGradient<double>&, const ObjectGradient<double>&);
template ObjectGradient<double> declare_gradient(State<double>&, const OperatorSetup&,
                                                 const std::string&);

}  // namespace ptyle
