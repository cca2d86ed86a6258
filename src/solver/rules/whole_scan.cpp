#include "solver/rules/whole_scan.hpp"

#include <cmath>
#include <utility>

#include "solver/rules/low_pass.hpp"
#include "solver/rules/step_estimate.hpp"

namespace ptyle {
namespace {

/// A step is taken if the cost falls by this part of what the slope promises.
constexpr double enough = 1e-4;
/// The rounding of a cost, a sum in float32 where the fit is.
constexpr double rounding = 1e-7;
/// Steps back before directions become simpler, and before the object stays where it is.
constexpr int most_failures = 3, hopeless = 6;

}  // namespace

template <class T>
WholeScanRule<T>::WholeScanRule(std::string name, std::string account,
                                std::unique_ptr<Preconditioning<T>> preconditioning)
    : name_(std::move(name)),
      account_(std::move(account)),
      preconditioning_(std::move(preconditioning)) {}

template <class T>
void WholeScanRule<T>::declare(State<T>& state) {
  preconditioning_->declare(state);
  q_ = declare_on_cores(state, name_ + ".q", account_, false);
  under_way_ = &state.number(name_ + ".under_way");
  cost_ = &state.number(name_ + ".cost");
  slope_ = &state.number(name_ + ".slope");
  failures_ = &state.number(name_ + ".failures");
  step_ = &state.number(name_ + ".step");
  stage_.declare(state, name_);
  caution_ = &state.number(name_ + ".caution", 1);
}

template <class T>
void WholeScanRule<T>::start_over() {
  *under_way_ = *failures_ = 0;
  forget();
}

template <class T>
void WholeScanRule<T>::step(const Trial<T>& trial) {
  Workspace<T>& with = trial.with;
  if (stage_.take(with.options.continuation) || *caution_ != with.caution) start_over();
  *caution_ = with.caution;
  took_back_ = *under_way_ != 0 && !is_lower(trial.cost);
  if (took_back_ && *failures_ + 1 >= hopeless) {  // another variable raises the cost
    start_over();
    took_back_ = false;
  }
  preconditioning_->prepare(trial);
  if (took_back_) return go_back(trial);
  untie<T>(with, trial.object.gradient);
  if (*under_way_ != 0)
    keep_step(trial);
  else
    begin_step(trial);
  take_step(trial);
}

template <class T>
bool WholeScanRule<T>::is_lower(double cost) const {
  return cost <= *cost_ + enough * *slope_ + rounding * std::abs(*cost_);
}

template <class T>
void WholeScanRule<T>::begin_step(const Trial<T>& trial) {
  cores_.take(trial.with, trial.object.values, begin().at);
  cores_.take(trial.with, trial.object.gradient, begin().gradient);
  *cost_ = trial.cost;
  *failures_ = 0;
}

template <class T>
void WholeScanRule<T>::take_step(const Trial<T>& trial) {
  Workspace<T>& with = trial.with;
  *step_ = make_direction(trial);
  move_along(trial, begin().at, q_, *step_, q_);
  *slope_ = slope_of_step(with, begin().gradient, begin().at, q_);
  *under_way_ = *slope_ < 0 ? 1 : 0;
  if (*under_way_ != 0) return cores_.set_object(trial, q_);
  *failures_ = 0;
  if (simplify()) take_step(trial);  // else the gradient is zero
}

template <class T>
void WholeScanRule<T>::keep_free(const Trial<T>& trial, const Volumes<T>& direction) const {
  const Workspace<T>& with = trial.with;
  const Volumes<T>& object = trial.object.values;
  const auto at = begin().at.fields(), gradient = begin().gradient.fields();
  for (std::size_t f = 0; f < at.size(); ++f) {
    const auto [low, high] = limits_of(with.options, object, *object.fields()[f]);
    for (std::size_t t = 0; t < with.tiles.size(); ++t)
      with.arithmetic->run(
          KeepFree<T>(at[f]->on(t), gradient[f]->on(t), {low, high}, direction.fields()[f]->on(t)));
  }
}

template <class T>
void WholeScanRule<T>::precondition(const Trial<T>& trial, const Volumes<T>& of) {
  const ObjectGradient<T>& there = trial.object.gradient;
  cores_.put(trial.with, of, there);
  for (std::size_t t = 0; t < trial.with.tiles.size(); ++t)
    for (const View<T, 3>& volume : there.on(t))
      trial.with.arithmetic->run(Tie<T>(volume, stage_.block()));
  low_passed<T>(trial, there, [&] { preconditioning_->apply(trial, there); });
  cores_.take(trial.with, there, of);
}

/// Along the step under way; or, once that was of no use several times, to where it began, and down
/// a simpler direction there.
template <class T>
void WholeScanRule<T>::go_back(const Trial<T>& trial) {
  *failures_ += 1;
  if (*failures_ != most_failures) return draw_back(trial, trial.cost);
  simplify();
  cores_.set_object(trial, begin().at);
  take_step(trial);
}

/// f(t) = f_0 + t·slope + t² (f_1 − f_0 − slope) along the step, at whose end, t = 1, f_1 was
/// found.
template <class T>
void WholeScanRule<T>::draw_back(const Trial<T>& trial, double cost) {
  Workspace<T>& with = trial.with;
  const double share = drawn_back(*slope_, cost - *cost_);
  cores_.take(with, trial.object.values, q_);
  for (std::size_t t = 0; t < with.tiles.size(); ++t)
    for (std::size_t f = 0; f < q_.fields().size(); ++f)
      with.arithmetic->run(
          DrawBack<T>(begin().at.fields()[f]->on(t), share, q_.fields()[f]->on(t)));
  *slope_ *= share;
  *step_ *= share;
  cores_.set_object(trial, q_);
}

template <class T>
void WholeScanRule<T>::end(const Trial<T>& trial) {
  for (int tries = 0; *under_way_ != 0; ++tries) {
    const double cost = trial.cost_of(trial.object.values);
    if (is_lower(cost)) return;
    if (tries < most_failures) {
      draw_back(trial, cost);
    } else {
      cores_.set_object(trial, begin().at);
      *under_way_ = 0;
    }
  }
}

template class WholeScanRule<float>;
template class WholeScanRule<double>;

}  // namespace ptyle
