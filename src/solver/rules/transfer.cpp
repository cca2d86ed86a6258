#include "solver/rules/transfer.hpp"

#include <algorithm>
#include <cmath>

#include "core/parallel.hpp"
#include "core/random.hpp"
#include "operator/detector_counts.hpp"
#include "solver/batches.hpp"

namespace ptyle {
namespace {

constexpr double added = 0.01;  // ε, rad: small enough that patterns change linearly with it, large
                                // enough that float32 shows it (0.05 gives the same kernel)
/// Of the largest illumination: beyond the first, gradients are noise; less than the second, the
/// most of what is beyond the scan, does not move, which then takes no time.
constexpr double least_illuminated = 0.02, not_illuminated = 1e-5;
constexpr i64 enough = 16;                    // positions: 10⁴ voxels and more
constexpr std::uint32_t stream = 0xFFFF0003;  // of the generator, as hold_out_stream

/// The sign of a voxel of the whole object.
double sign_at(std::uint64_t seed, i64 z, i64 row, i64 col) {
  const auto index =
      static_cast<std::uint64_t>(row) << 32U ^ (static_cast<std::uint64_t>(col) & 0xffffffffU);
  const auto bits = Philox::at(seed, stream, index, static_cast<std::uint32_t>(z / 32));
  return (bits >> static_cast<unsigned>(z % 32) & 1U) != 0 ? 1 : -1;
}

i64 longest(const Box& box) { return std::max(box.rows.size(), box.cols.size()); }

/// 1 at 0, 0 at `end`.
double triangle(i64 distance, i64 end) {
  return 1 - static_cast<double>(std::abs(distance)) / static_cast<double>(end);
}

/// Patterns of the object that the operator looks at: (position, W·W).
template <class T>
Array<T, 2> patterns_of(const Workspace<T>& with, const std::vector<Placement>& places) {
  const OperatorSetup& setup = with.op->setup();
  const i64 pixels = setup.window * setup.window;
  Array<T, 2> patterns({std::ssize(places), pixels}, with.ledger, "transfer");
  parallel_for(std::ssize(places), with.options.threads, [&](i64 k, int) {
    Array<Complex<T>, 3> wave({setup.modes, setup.window, setup.window}, with.ledger, "transfer");
    with.op->forward(places[static_cast<std::size_t>(k)], wave);
    detector_counts(std::as_const(wave).view(), setup.background, &patterns(k, 0));
  });
  return patterns;
}

}  // namespace

template <class T>
void ByTransfer<T>::declare(State<T>& state) {
  kept_ = declare_on_cores(state, "transfer.kept", "transfer", false);
  made_ = declare_on_cores(state, "transfer.made", "transfer", false);
  weight_ = &state.declare({"transfer.weight", "transfer", Kind::voxels, {1, 0, 0}});
  if (averaged_) mean_.declare(state);
  const i64 slices = state.field("phase").shape[0], side = 2 * options_.pixels + 1;
  kernel_ = &state.declare(
      {"transfer.kernel", "transfer", Kind::common, {2 * slices - 1, side, side}, true});
  most_ = &state.number("transfer.most");
}

template <class T>
double ByTransfer<T>::other_bytes(const OperatorSetup& setup, const Box& core, int threads) const {
  const double pixels = static_cast<double>(setup.window * setup.window);
  return std::max({BlockFilter<T>::bytes(setup.slices, options_.pixels, longest(core), threads),
                   inverse_bytes<T>(setup.slices, options_.pixels),
                   correlation_bytes<T>(setup.slices, options_.pixels),
                   static_cast<double>(enough) * pixels * sizeof(T) +
                       threads * wave_bytes<T>(setup, setup.modes)});
}

template <class T>
double ByTransfer<T>::largest_illumination(const Trial<T>& trial) const {
  Workspace<T>& with = trial.with;
  std::vector<double> most{0};
  for (std::size_t t = 0; t < with.tiles.size(); ++t) {
    const Tile& tile = with.tiles[t];
    const auto illumination = std::as_const(*trial.object.gradient.illumination).plane(t);
    most[0] = std::max(most[0],
                       with.arithmetic->largest(Value<T>(illumination, tile.on_arrays(tile.core))));
  }
  with.team.maximum(most);
  return most[0];
}

/// In place, to all voxels of a tile.
template <class T>
void ByTransfer<T>::add_signs(const Trial<T>& trial, std::size_t tile) const {
  const Box& box = trial.with.tiles[tile].box;
  const View<T, 3> phase = trial.object.values.phase->on(tile);
  const auto [slices, rows, cols] = phase.shape;
  Arithmetic<T>& arithmetic = *trial.with.arithmetic;
  for (i64 z = 0; z < slices; ++z) {
    Array<T, 3> signs({1, rows, cols});
    for (i64 y = 0; y < rows; ++y)
      for (i64 x = 0; x < cols; ++x)
        signs(0, y, x) = static_cast<T>(
            added * sign_at(trial.with.options.seed, z, box.rows.begin + y, box.cols.begin + x));
    const Array<T, 3> there = arithmetic.brought(std::move(signs), "transfer");
    arithmetic.run(Combine<T>(1, there.view(), 1, as_volume(phase[z])));
  }
}

/// Σ over the voxels of a tile, of these positions; their illumination is added to `illuminated`.
template <class T>
Kernel3 ByTransfer<T>::kernel_of(const Trial<T>& trial, std::size_t tile,
                                 const std::vector<i64>& members, double& illuminated) const {
  const Workspace<T>& with = trial.with;
  const Box& box = with.tiles[tile].box;
  const ObjectGradient<T>& gradient = trial.object.gradient;
  {
    const auto places = with.places_on(with.tiles[tile], members);
    trial.object.publish(trial.with, tile);
    const Array<T, 2> patterns = patterns_of(with, places);
    add_signs(trial, tile);
    trial.object.publish(trial.with, tile);
    Array<T, 2> illumination({box.rows.size(), box.cols.size()});
    Gradient<T> to{gradient.phase->on(tile), {}, illumination.view(), {}};
    if (gradient.absorption) to.absorption = gradient.absorption->on(tile);
    const Measured<T> measured(
        [&](i64 k, T* out) { std::copy_n(&patterns(k, 0), patterns.shape()[1], out); });
    with.op->gradient(places, measured, Wanted{Part::object, Part::illumination}, to);
    for (const T v : illumination) illuminated += static_cast<double>(v);
  }
  const auto here = with.arithmetic->on_host(std::as_const(*gradient.phase).on(tile));
  const std::uint64_t seed = with.options.seed;
  return correlation<T>(
      here.view, {box.rows.begin, box.cols.begin},
      [seed](i64 z, i64 row, i64 col) { return sign_at(seed, z, row, col); }, options_.pixels,
      with.options.threads, with.ledger);
}

/// Step 1. The gradient's cores and the object are as before afterwards.
template <class T>
void ByTransfer<T>::measure(const Trial<T>& trial) {
  Workspace<T>& with = trial.with;
  const auto sample = sample_of(with.fitted, std::min<i64>(enough, std::ssize(with.fitted)));
  cores_.take(with, trial.object.gradient, kept_);
  cores_.take(with, trial.object.values, made_);
  const auto [planes, side, same] = kernel_->shape;
  std::vector<double> sum(static_cast<std::size_t>(planes * side * same + 1));
  for (std::size_t t = 0; t < with.tiles.size(); ++t) {
    for (const View<T, 3>& volume : trial.object.gradient.on(t)) with.arithmetic->clear(volume);
    const auto members = members_of(sample, with.tiles[t].own);
    if (members.empty()) continue;
    with.costs.count(double(members.size()));
    const Kernel3 here = kernel_of(trial, t, members, sum.back());
    for (i64 k = 0; k < here.size(); ++k)
      sum[static_cast<std::size_t>(k)] += here.data()[k] / added;
  }
  with.team.sum(sum);
  const double voxels = sum.back() * static_cast<double>((planes + 1) / 2);
  Array<Complex<T>, 3> kernel(kernel_->shape);
  for (i64 k = 0; k < kernel.size(); ++k)
    kernel.data()[k] = static_cast<T>(sum[static_cast<std::size_t>(k)] / voxels);
  with.arithmetic->write(kernel.data(), kernel_->waves.data(), kernel.size());
  cores_.set_object(trial, made_);
  cores_.put(with, kept_, trial.object.gradient);
}

/// By an earlier mini-batch, or by the run that this one resumes.
template <class T>
bool ByTransfer<T>::is_measured(const Trial<T>& trial) const {
  const auto here = trial.with.arithmetic->on_host(std::as_const(kernel_->waves).view());
  return std::abs(here.view.data[here.view.size() / 2]) > 0;
}

/// Step 2. Of S slices, S − |Δz| have one so far away: that is the taper along z.
template <class T>
void ByTransfer<T>::make_filter(const Trial<T>& trial, double most) {
  const auto here = trial.with.arithmetic->on_host(std::as_const(kernel_->waves).view());
  Kernel3 kernel(kernel_->shape);
  const i64 reach = options_.pixels;
  for (i64 z = 0; z < kernel.shape()[0]; ++z)
    for (i64 y = -reach; y <= reach; ++y)
      for (i64 x = -reach; x <= reach; ++x)
        kernel(z, y + reach, x + reach) =
            most * static_cast<double>(here.view(z, y + reach, x + reach).real()) *
            triangle(y, reach + 1) * triangle(x, reach + 1);
  filter_.reset();
  const InverseKernel inverse =
      inverse_of<T>(kernel, options_.damping, options_.how, reach, trial.with.ledger);
  i64 inner = 1;
  for (const Tile& tile : trial.with.tiles) inner = std::max(inner, longest(tile.core));
  filter_ = std::make_unique<BlockFilter<T>>(inverse.kernel, inner, trial.with.options.threads,
                                             trial.with.ledger);
  *most_ = most;
}

/// w on cores and as far around them as the filter looks.
template <class T>
void ByTransfer<T>::find_weights(const Trial<T>& trial, double most) const {
  Workspace<T>& with = trial.with;
  std::vector<Stack<T>> planes;
  for (std::size_t t = 0; t < with.tiles.size(); ++t)
    planes.push_back({trial.object.gradient.illumination->on(t)});
  if (with.halos.sums() && with.halos.on_cores_only()) with.halos.fill(planes, options_.pixels);
  for (std::size_t t = 0; t < with.tiles.size(); ++t) {
    const auto illumination =
        with.arithmetic->on_host(std::as_const(*trial.object.gradient.illumination).plane(t));
    Array<T, 2> weight(illumination.view.shape);
    for (i64 k = 0; k < weight.size(); ++k) {
      const double share = static_cast<double>(illumination.view.data[k]) / most;
      weight.data()[k] = share < not_illuminated
                             ? T(0)
                             : static_cast<T>(1 / std::sqrt(std::max(share, least_illuminated)));
    }
    with.arithmetic->write(weight.data(), weight_->plane(t).data, weight.size());
  }
}

template <class T>
void ByTransfer<T>::prepare(const Trial<T>& trial) {
  constexpr double changed = 1.5;  // by a mini-batch of other positions, or another probe
  if (averaged_) mean_.take(trial);
  const double most = largest_illumination(trial);
  if (!filter_ && !is_measured(trial)) {
    measure(trial);
    *most_ = most;
  }
  const bool differs = most > changed * *most_ || changed * most < *most_;
  if (!filter_ || differs) make_filter(trial, differs ? most : *most_);
  find_weights(trial, most);
}

/// Step 3. Slices that are tied get the same, M what all of them make of it.
template <class T>
void ByTransfer<T>::apply(const Trial<T>& trial, const Volumes<T>& volumes) {
  Workspace<T>& with = trial.with;
  Arithmetic<T>& arithmetic = *with.arithmetic;
  const i64 block = std::max<i64>(1, with.options.continuation.block());
  if (block > 1) untie(with, volumes);
  if (with.team.size() > 1) {
    std::vector<Stack<T>> stacks;
    for (std::size_t t = 0; t < with.tiles.size(); ++t) stacks.push_back(volumes.on(t));
    with.halos.fill(stacks, options_.pixels);
  }
  for (std::size_t t = 0; t < with.tiles.size(); ++t) {
    const Tile& tile = with.tiles[t];
    const auto weight = arithmetic.on_host(std::as_const(*weight_).plane(t));
    const auto from = volumes.on(t), to = made_.on(t);
    for (std::size_t f = 0; f < from.size(); ++f) {
      const auto here = arithmetic.on_host(View<const T, 3>(from[f]));
      if (!arithmetic.memory()) {
        filter_->apply(here.view, weight.view, tile.on_arrays(tile.core), to[f]);
        continue;
      }
      Array<T, 3> made(to[f].shape);
      filter_->apply(here.view, weight.view, tile.on_arrays(tile.core), made);
      arithmetic.write(made.data(), to[f].data, made.size());
    }
  }
  cores_.put(with, made_, volumes);
  for (std::size_t t = 0; t < with.tiles.size(); ++t)
    for (const View<T, 3>& volume : volumes.on(t)) {
      with.blank(t, volume);  // what no window reaches stays vacuum
      arithmetic.run(Tie<T>(volume, block));
    }
}

template class ByTransfer<float>;
template class ByTransfer<double>;

}  // namespace ptyle
