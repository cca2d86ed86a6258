#include "solver/rules/descent.hpp"

#include <algorithm>
#include <cmath>

#include "solver/blur.hpp"
#include "solver/rules/low_pass.hpp"

namespace ptyle {

template <class T>
void Descent<T>::step(const Trial<T>& trial) {
  const Workspace<T>& with = trial.with;
  const bool on_cores = with.halos.sums() && with.halos.on_cores_only();
  // A direction that is needed nowhere else need not be stored.
  if (!trial.batch.estimate && !on_cores && low_pass_sigma(with.options) == 0 &&
      with.options.continuation.block() <= 1)
    return descend(trial, step_in_use(with));
  const double slope = make_directions(trial, trial.batch.estimate);
  if (!trial.batch.estimate) return move_object(trial, step_in_use(with), false);
  step_.estimate(trial, slope);
  step_.take_tried(trial, slope);
}

template <class T>
void Descent<T>::move_by_sums(const Trial<T>& trial) {
  make_directions(trial, false);
  move_object(trial, step_in_use(trial.with), false);
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
  preconditioning_.prepare(trial);
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
    const Preconditioner<T> m = preconditioning_.on(trial, t);
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
  untie<T>(with, object.gradient);
  if (with_slope) with.team.sum(slope);
  return slope[0];
}

/// V ← V − step·M(g) in one go, g the sums on all copies, which stay as they are.
template <class T>
void Descent<T>::descend(const Trial<T>& trial, double step) {
  Workspace<T>& with = trial.with;
  const ObjectVariable<T>& object = trial.object;
  preconditioning_.prepare(trial);
  const auto values = object.values.fields(), gradients = object.gradient.fields();
  for (std::size_t t = 0; t < with.tiles.size(); ++t) {
    const Preconditioner<T> m = preconditioning_.on(trial, t);
    for (std::size_t f = 0; f < values.size(); ++f) {
      const auto [low, high] = limits_of(with.options, object.values, *values[f]);
      with.arithmetic->run(Descend<T>(values[f]->on(t), gradients[f]->on(t), m, step, {low, high}));
      keep_vacuum<T>(with, t, {low, high}, values[f]->on(t));
    }
  }
}

template <class T>
void Descent<T>::move_by_own(Workspace<T>& with, const ObjectVariable<T>& object, std::size_t tile,
                             View<const T, 2> illumination, const Volumes<T>& from,
                             const Volumes<T>& gradient) const {
  const Preconditioner<T> m = preconditioning_.of(with, illumination);
  const auto old = from.fields(), g = gradient.fields(), to = object.values.fields();
  for (std::size_t f = 0; f < to.size(); ++f) {
    const auto [low, high] = limits_of(with.options, object.values, *to[f]);
    with.arithmetic->run(MovePreconditioned<T>(std::as_const(*old[f]).on(tile),
                                               std::as_const(*g[f]).on(tile), m, step_in_use(with),
                                               {low, high}, to[f]->on(tile)));
    keep_vacuum<T>(with, tile, {low, high}, to[f]->on(tile));
  }
}

template class Descent<float>;
template class Descent<double>;

}  // namespace ptyle
