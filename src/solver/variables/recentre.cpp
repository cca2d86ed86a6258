#include "solver/variables/recentre.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "solver/parts.hpp"
#include "solver/variables/probe_moves.hpp"

namespace ptyle {

template <class T>
void RecentreOptions::add_to(Parts<T>& parts) const {
  if (every > 0) parts.variables.push_back(std::make_unique<RecentreAlongZ<T>>(*this));
}
template void RecentreOptions::add_to(Parts<float>&) const;
template void RecentreOptions::add_to(Parts<double>&) const;

i64 slices_to_middle(std::vector<double> weights) {
  // Beyond half a slice by as much as the rounding of sums over ranks, which must not decide.
  constexpr double half = 0.5 + 1e-6;
  if (weights.empty()) return 0;
  const double least = *std::min_element(weights.begin(), weights.end());
  double sum = 0, moment = 0;
  for (std::size_t s = 0; s < weights.size(); ++s) {
    sum += weights[s] - least;
    moment += static_cast<double>(s) * (weights[s] - least);
  }
  if (!(sum > 0)) return 0;
  const double off = 0.5 * static_cast<double>(weights.size() - 1) - moment / sum;
  return std::abs(off) <= half ? 0 : static_cast<i64>(std::round(off));
}

template <class T>
void move_slices(View<T, 3> volume, i64 n, Arithmetic<T>& arithmetic) {
  const i64 slices = volume.shape[0], by = std::abs(n);
  const auto slice = [&](i64 s) {
    return View<T, 3>{volume[s].data, {1, volume.shape[1], volume.shape[2]}};
  };
  // Those that are written have been read before.
  for (i64 i = 0; i < slices; ++i) {
    const i64 to = n > 0 ? slices - 1 - i : i, from = to - n;
    if (i < slices - by)
      arithmetic.copy(slice(from), slice(to));
    else
      arithmetic.clear(slice(to));
  }
}

template <class T>
void RecentreAlongZ<T>::end_iteration(Workspace<T>& with, const Batch& batch) {
  moved_ = false;
  const i64 slices = with.op->setup().slices;
  if (slices < 2 || batch.iteration % options_.every != 0 || with.options.continuation.block() > 1)
    return;
  std::vector<double> weights(static_cast<std::size_t>(slices));
  const auto& phase = std::as_const(with.state).field("phase");
  for (std::size_t t = 0; t < with.tiles.size(); ++t) {
    const Tile& tile = with.tiles[t];
    const View<const T, 3> all = phase.on(t);
    for (i64 s = 0; s < slices; ++s) {
      const View<const T, 3> one{all[s].data, {1, all.shape[1], all.shape[2]}};
      weights[static_cast<std::size_t>(s)] +=
          with.arithmetic->sum(Dot<T>(one, one), tile.on_arrays(tile.core));
    }
  }
  with.team.sum(weights);
  const i64 n = slices_to_middle(std::move(weights));
  if (n == 0) return;
  for (const char* name : {"phase", "absorption"})
    for (std::size_t t = 0; with.state.has(name) && t < with.tiles.size(); ++t)
      move_slices<T>(with.state.field(name).on(t), n, *with.arithmetic);
  auto& waves = with.state.field("probe").waves;
  Array<Complex<T>, 3> here = with.waves_on_host("probe");
  propagate<T>(here, with.options.pixel, options_.wavelength,
               -static_cast<double>(n) * options_.slice_thickness, options_.tilt);
  with.arithmetic->write(here.data(), waves.data(), waves.size());
  with.op->set_probe(waves);
  moved_ = true;
  with.warnings.push_back(
      fmt::format("object.recentre_z: the object has moved {} slice{} {} the beam, and the probe "
                  "with it",
                  std::abs(n), std::abs(n) == 1 ? "" : "s", n > 0 ? "down" : "up"));
}

template <class T>
OtherBytes RecentreAlongZ<T>::other_bytes(const OperatorSetup& setup, i64 /*positions*/,
                                          bool /*device*/) const {
  return {.moment = wave_bytes<T>(setup, setup.probe_modes())};
}

template void move_slices(View<float, 3>, i64, Arithmetic<float>&);
template void move_slices(View<double, 3>, i64, Arithmetic<double>&);
template class RecentreAlongZ<float>;
template class RecentreAlongZ<double>;

}  // namespace ptyle
