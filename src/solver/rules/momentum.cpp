#include "solver/rules/momentum.hpp"

#include <algorithm>

#include "solver/rules/low_pass.hpp"

namespace ptyle {
namespace {

/// Steps whose estimates are tried.
constexpr int first_steps = 40;

}  // namespace

template <class T>
void NesterovMomentum<T>::declare(State<T>& state) {
  preconditioning_->declare(state);
  step_.declare(state);
  last_ = declare_on_cores(state, "momentum.last", "momentum", true);
  gradient_ = declare_on_cores(state, "momentum.gradient", "momentum", false);
  next_ = declare_on_cores(state, "momentum.next", "momentum", false);
  steps_ = &state.number("momentum.steps");
  stage_.declare(state, "momentum");
}

template <class T>
void NesterovMomentum<T>::step(const Trial<T>& trial) {
  Workspace<T>& with = trial.with;
  if (stage_.take(with.options.continuation)) *steps_ = 0;
  const bool whole = trial.batch.members.size() == with.fitted.size();
  descend(trial, whole);
  cores_.take(with, trial.object.values, next_);
  if (*steps_ == 0) copy(with, next_, last_);
  if ((whole || trial.batch.estimate) && slope_of_step(with, gradient_, last_, next_) > 0)
    *steps_ = 0;
  const double momentum = *steps_ == 0 ? 0 : whole ? *steps_ / (*steps_ + 3) : momentum_;
  for (std::size_t f = 0; f < next_.fields().size(); ++f) {
    const auto [low, high] =
        limits_of(with.options, trial.object.values, *trial.object.values.fields()[f]);
    for (std::size_t t = 0; t < with.tiles.size(); ++t)
      with.arithmetic->run(Extrapolate<T>(last_.fields()[f]->on(t), momentum, {low, high},
                                          next_.fields()[f]->on(t)));
  }
  *steps_ += 1;
  cores_.set_object(trial, next_);
}

/// x⁺ in the place of V, on cores; the gradient is kept where somebody asks for slopes.
template <class T>
void NesterovMomentum<T>::descend(const Trial<T>& trial, bool whole) {
  Workspace<T>& with = trial.with;
  const ObjectGradient<T>& gradient = trial.object.gradient;
  const bool estimate = trial.batch.estimate;
  const double share = whole ? 1 : 1 - momentum_;
  preconditioning_->prepare(trial);
  if (whole || estimate) {
    untie(with, gradient);
    cores_.take(with, gradient, gradient_);
  }
  low_passed<T>(trial, gradient, [&] { preconditioning_->apply(trial, gradient); });
  if (estimate) {
    cores_.take(with, gradient, next_);
    const double slope = dot(with, gradient_, next_);
    with.halos.fill(trial.object.gradients(1, false));
    step_.estimate(trial, slope);
    if (!whole && *steps_ < first_steps) return step_.take_tried(trial, slope, share);
  }
  move_object(trial, share * step_.in_use(with), false);
}

template class NesterovMomentum<float>;
template class NesterovMomentum<double>;

}  // namespace ptyle
