#include "solver/rules/descent.hpp"

#include <algorithm>
#include <cmath>

#include "core/units.hpp"
#include "solver/batches.hpp"
#include "solver/blur.hpp"

namespace ptyle {

double low_pass_sigma(const FitOptions& options) {
  const double k_c = options.continuation.k_c();
  return k_c > 0 ? 1 / (std::sqrt(2.0) * pi * k_c * options.pixel) : 0;
}

namespace {

/// Limits that leave out 0 would move what lies outside the object's support.
template <class T>
void keep_vacuum(const Workspace<T>& with, std::size_t tile, const std::array<double, 2>& limits,
                 View<T, 3> moved) {
  if (limits[0] > 0 || limits[1] < 0) with.blank(tile, moved);
}

template <class T>
View<const T, 2> illumination_of(const Trial<T>& trial, std::size_t tile) {
  return std::as_const(*trial.object.gradient.illumination).plane(tile);
}

}  // namespace

template <class T>
void Descent<T>::declare(State<T>& state) {
  estimated_ = &state.number("estimated_step");  // 0: none yet
  averaging_ = &state.number("averaging", 1);    // less once the cost stands still
}

template <class T>
double Descent<T>::step_in_use(const Workspace<T>& with) const {
  return with.caution * *averaging_ * (estimates() ? *estimated_ : options_.step);
}

template <class T>
void Descent<T>::settle() {
  constexpr double smaller = 0.7, smallest = 0.05;
  *averaging_ = std::max(smallest, smaller * *averaging_);
}

template <class T>
void Descent<T>::step(const Trial<T>& trial) {
  const Workspace<T>& with = trial.with;
  const bool on_cores = with.halos.sums() && with.halos.on_cores_only();
  // A direction that is needed nowhere else need not be stored.
  if (!trial.batch.estimate && !on_cores && low_pass_sigma(with.options) == 0 &&
      with.options.continuation.block() <= 1)
    return descend(trial, step_in_use(with));
  const double slope = make_directions(trial, trial.batch.estimate);
  if (!trial.batch.estimate) return move(trial, step_in_use(with), false);
  estimate(trial, slope);
  try_step(trial, slope, step_in_use(with));
}

template <class T>
void Descent<T>::move_by_sums(const Trial<T>& trial) {
  make_directions(trial, false);
  move(trial, step_in_use(trial.with), false);
}

template <class T>
Preconditioner<T> Descent<T>::preconditioner(const Workspace<T>& with,
                                             View<const T, 2> illumination, double penalty) const {
  return by_illumination() ? Preconditioner<T>::by_illumination(illumination, with.window2(),
                                                                floor_.data(), penalty)
                           : Preconditioner<T>::uniform(with.window2() *
                                                        with.state.numbers().at("largest_probe"));
}

/// ε times the largest illumination of all ranks' cores. Other ranks hear of it through the host;
/// where there are none, nobody waits.
template <class T>
void Descent<T>::find_floor(const Trial<T>& trial) {
  Workspace<T>& with = trial.with;
  Arithmetic<T>& arithmetic = *with.arithmetic;
  if (!by_illumination()) return;
  if (floor_.empty())
    floor_ = arithmetic.template array<double, 1>(
        {std::max<i64>(1, static_cast<i64>(with.tiles.size()))}, "sums");
  for (std::size_t t = 0; t < with.tiles.size(); ++t)
    arithmetic.largest(
        Value<T>(illumination_of(trial, t), with.tiles[t].on_arrays(with.tiles[t].core)),
        options_.damping, floor_.data() + t);
  if (with.team.size() == 1) return;
  std::vector<double> largest(static_cast<std::size_t>(floor_.size()));
  arithmetic.read(floor_.data(), largest.data(), floor_.size());
  std::vector<double> floor{*std::max_element(largest.begin(), largest.end())};
  with.team.maximum(floor);
  arithmetic.write(floor.data(), floor_.data(), 1);
}

/// In place: d = M(g), g the sums, binned and low-passed as the continuation's stage asks, on all
/// copies. Returns Σ g·d where it is asked for: the slope along d, but for the low-pass, which
/// counts twice in it, so that a step made of it errs to the small side.
template <class T>
double Descent<T>::make_directions(const Trial<T>& trial, bool with_slope) {
  Workspace<T>& with = trial.with;
  const ObjectVariable<T>& object = trial.object;
  Arithmetic<T>& arithmetic = *with.arithmetic;
  Halos<T>& halos = with.halos;
  const i64 stage_block = with.options.continuation.block(), block = std::max<i64>(1, stage_block);
  const double sigma = low_pass_sigma(with.options);
  find_floor(trial);
  const bool summed = halos.sums() && with.team.size() > 1;
  // Neighbours that the low-pass looks at lie in the halo; what it makes of the halo itself is not
  // right, so that only cores have the direction at first, as where only cores have the sum.
  const bool on_cores = summed && (halos.on_cores_only() || sigma > 0);
  if (sigma > 0 && halos.on_cores_only())
    halos.fill(object.gradients(stage_block, false), reach_of_blur(sigma));
  std::vector<double> slope{0};
  for (std::size_t t = 0; t < with.tiles.size(); ++t) {
    const Tile& tile = with.tiles[t];
    const Box core = tile.on_arrays(tile.core);
    const Preconditioner<T> m = preconditioner(with, illumination_of(trial, t), trial.penalty());
    for (const View<T, 3>& volume : object.gradient.on(t)) {
      if (sigma > 0) {
        arithmetic.blur_lateral(volume, gaussian_weights(sigma), block);
        with.blank(t, volume);
      }
      const Precondition<T> precondition(volume, m, on_cores ? core : tile.on_arrays(tile.box),
                                         block);
      if (with_slope)
        slope[0] += arithmetic.sum(precondition, core);
      else
        arithmetic.run(precondition);
    }
  }
  if (on_cores)
    halos.fill(object.gradients(stage_block, illumination_on_copies && halos.on_cores_only()));
  for (std::size_t t = 0; t < with.tiles.size(); ++t)
    for (const View<T, 3>& volume : object.gradient.on(t)) arithmetic.run(Untie<T>(volume, block));
  if (with_slope) with.team.sum(slope);
  return slope[0];
}

/// f(V − αd) ≈ f − α ⟨g, d⟩ + α² curvature.
template <class T>
void Descent<T>::estimate(const Trial<T>& trial, double slope) {
  const auto& members = trial.batch.members;
  const auto size = static_cast<i64>(members.size());
  const std::vector<i64> sample = size < large_batch ? members : sample_of(members, (size + 1) / 2);
  const double curvature = trial.curvature(sample, trial.object.gradient);
  if (!(curvature > 0)) return;
  const double share = double(sample.size()) / double(members.size());
  const double best = share * slope / (2 * curvature);
  *estimated_ = *estimated_ == 0 ? best : 0.7 * *estimated_ + 0.3 * best;
}

/// V ← V − step·d within the limits; or, with `into_direction`, into the place of d.
template <class T>
void Descent<T>::move(const Trial<T>& trial, double step, bool into_direction) const {
  Workspace<T>& with = trial.with;
  const ObjectVariable<T>& object = trial.object;
  const auto values = object.values.fields(), directions = object.gradient.fields();
  for (std::size_t t = 0; t < with.tiles.size(); ++t)
    for (std::size_t f = 0; f < values.size(); ++f) {
      const auto [low, high] = limits_of(with.options, object.values, *values[f]);
      const View<T, 3> to = (into_direction ? directions : values)[f]->on(t);
      with.arithmetic->run(
          MoveAlong<T>(values[f]->on(t), directions[f]->on(t), step, {low, high}, to));
      keep_vacuum<T>(with, t, {low, high}, to);
    }
}

/// V ← V − step·M(g) in one go, g the sums on all copies, which stay as they are.
template <class T>
void Descent<T>::descend(const Trial<T>& trial, double step) {
  Workspace<T>& with = trial.with;
  const ObjectVariable<T>& object = trial.object;
  find_floor(trial);
  const auto values = object.values.fields(), gradients = object.gradient.fields();
  for (std::size_t t = 0; t < with.tiles.size(); ++t) {
    const Preconditioner<T> m = preconditioner(with, illumination_of(trial, t), trial.penalty());
    for (std::size_t f = 0; f < values.size(); ++f) {
      const auto [low, high] = limits_of(with.options, object.values, *values[f]);
      with.arithmetic->run(Descend<T>(values[f]->on(t), gradients[f]->on(t), m, step, {low, high}));
      keep_vacuum<T>(with, t, {low, high}, values[f]->on(t));
    }
  }
}

/// The estimate trusts the curvature of a perfect fit; far from one, where a detector pixel has
/// next to no model counts above all, the cost may rise all the same. So the step is tried on its
/// mini-batch, and while it does not lower the cost there, the parabola through what it did is
/// followed instead. The object that is tried takes the place of the direction: a shorter step is a
/// point between it and the object of before.
template <class T>
void Descent<T>::try_step(const Trial<T>& trial, double slope, double step) {
  constexpr int most_tries = 8;
  Workspace<T>& with = trial.with;
  const ObjectVariable<T>& object = trial.object;
  move(trial, step, true);
  for (int tries = 0; tries < most_tries && step > 0; ++tries) {
    const double tried = trial.cost_of(object.gradient);
    if (tried <= trial.cost) break;
    const double parabola = slope * step / (2 * (tried - trial.cost + slope * step));
    const double share = parabola > 0.1 ? std::min(parabola, 0.5) : 0.1;  // NaN: a tenth
    step *= share;
    *estimated_ = step / (trial.with.caution * *averaging_);
    for (std::size_t t = 0; t < with.tiles.size(); ++t) {
      const auto values = object.values.on(t), tries_there = object.gradient.on(t);
      for (std::size_t f = 0; f < values.size(); ++f)
        with.arithmetic->run(DrawBack<T>(values[f], share, tries_there[f]));
    }
  }
  swap_values<T>(static_cast<const Volumes<T>&>(object.values), object.gradient);
}

template <class T>
void Descent<T>::move_by_own(Workspace<T>& with, const ObjectVariable<T>& object, std::size_t tile,
                             View<const T, 2> illumination, const Volumes<T>& from,
                             const Volumes<T>& gradient) const {
  const Preconditioner<T> m = preconditioner(with, illumination);
  const auto old = from.on(tile), g = gradient.on(tile);
  const auto to = object.values.fields();
  for (std::size_t f = 0; f < to.size(); ++f) {
    const auto [low, high] = limits_of(with.options, object.values, *to[f]);
    with.arithmetic->run(
        MovePreconditioned<T>(old[f], g[f], m, step_in_use(with), {low, high}, to[f]->on(tile)));
    keep_vacuum<T>(with, tile, {low, high}, to[f]->on(tile));
  }
}

template class Descent<float>;
template class Descent<double>;

}  // namespace ptyle
