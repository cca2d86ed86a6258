#include "solver/rules/step_estimate.hpp"

#include <algorithm>

#include "solver/batches.hpp"

namespace ptyle {

template <class T>
std::optional<double> best_step(const Trial<T>& trial, double slope) {
  const auto& members = trial.batch.members;
  const auto size = static_cast<i64>(members.size());
  const std::vector<i64> sample = size < large_batch ? members : sample_of(members, (size + 1) / 2);
  const double curvature = trial.curvature(sample, trial.object.gradient);
  if (!(curvature > 0)) return {};
  const double share = double(sample.size()) / double(members.size());
  return share * slope / (2 * curvature);
}

template <class T>
void StepEstimate<T>::declare(State<T>& state) {
  estimated_ = &state.number("estimated_step");  // 0: none yet
  averaging_ = &state.number("averaging", 1);    // less once the cost stands still
}

template <class T>
double StepEstimate<T>::in_use(const Workspace<T>& with) const {
  return with.caution * *averaging_ * (estimates() ? *estimated_ : given_);
}

template <class T>
void StepEstimate<T>::estimate(const Trial<T>& trial, double slope) {
  const auto best = best_step(trial, slope);
  if (best) *estimated_ = *estimated_ == 0 ? *best : 0.7 * *estimated_ + 0.3 * *best;
}

/// The estimate trusts the curvature of a perfect fit; far from one, where a detector pixel has
/// next to no model counts above all, the cost may rise all the same. So the step is tried on its
/// mini-batch, and while it does not lower the cost there, the parabola through what it did is
/// followed instead. The object that is tried takes the place of the direction: a shorter step is a
/// point between it and the object of before.
template <class T>
void StepEstimate<T>::take_tried(const Trial<T>& trial, double slope, double share) {
  constexpr int most_tries = 8;
  Workspace<T>& with = trial.with;
  const ObjectVariable<T>& object = trial.object;
  double step = share * in_use(with);
  move_object(trial, step, true);
  for (int tries = 0; tries < most_tries && step > 0; ++tries) {
    const double tried = trial.cost_of(object.gradient);
    if (tried <= trial.cost) break;
    const double back = drawn_back(-slope * step, tried - trial.cost);
    step *= back;
    *estimated_ = step / (share * with.caution * *averaging_);
    for (std::size_t t = 0; t < with.tiles.size(); ++t) {
      const auto values = object.values.on(t), tries_there = object.gradient.on(t);
      for (std::size_t f = 0; f < values.size(); ++f)
        with.arithmetic->run(DrawBack<T>(values[f], back, tries_there[f]));
    }
  }
  swap_values<T>(static_cast<const Volumes<T>&>(object.values), object.gradient);
}

template <class T>
void StepEstimate<T>::settle() {
  constexpr double smaller = 0.7, smallest = 0.05;
  *averaging_ = std::max(smallest, smaller * *averaging_);
}

template std::optional<double> best_step(const Trial<float>&, double);
template std::optional<double> best_step(const Trial<double>&, double);
template class StepEstimate<float>;
template class StepEstimate<double>;

}  // namespace ptyle
