#include "solver/rules/lbfgs.hpp"

#include <algorithm>
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
/// Pairs of less than this curvature, y·s / √(s·s y·y), are not kept.
constexpr double least_curvature = 1e-8;
/// Steps back before what was learnt is forgotten, and before the object stays where it is.
constexpr int most_failures = 3, hopeless = 6;

}  // namespace

template <class T>
Lbfgs<T>::Lbfgs(int memory, std::unique_ptr<Preconditioning<T>> preconditioning)
    : memory_(memory), preconditioning_(std::move(preconditioning)) {}

template <class T>
void Lbfgs<T>::declare(State<T>& state) {
  preconditioning_->declare(state);
  for (i64 i = 0; i <= memory_; ++i) {
    const std::string name = "lbfgs." + std::to_string(i);
    pairs_.push_back({declare_on_cores(state, name + ".s", "l-bfgs", true),
                      declare_on_cores(state, name + ".y", "l-bfgs", true),
                      &state.number(name + ".curvature")});
  }
  q_ = declare_on_cores(state, "lbfgs.q", "l-bfgs", false);
  known_ = &state.number("lbfgs.known");
  slot_ = &state.number("lbfgs.slot");
  under_way_ = &state.number("lbfgs.under_way");
  cost_ = &state.number("lbfgs.cost");
  slope_ = &state.number("lbfgs.slope");
  scale_ = &state.number("lbfgs.scale", 1);
  failures_ = &state.number("lbfgs.failures");
  step_ = &state.number("lbfgs.step");
  stage_.declare(state, "lbfgs");
  caution_ = &state.number("lbfgs.caution", 1);
}

/// The slot that was in use so many steps ago.
template <class T>
std::size_t Lbfgs<T>::slot(i64 steps_ago) const {
  const i64 slots = memory_ + 1;
  return static_cast<std::size_t>((static_cast<i64>(*slot_) - steps_ago + slots) % slots);
}

template <class T>
void Lbfgs<T>::start_over() {
  *known_ = *under_way_ = *failures_ = 0;
  *scale_ = 1;
}

template <class T>
void Lbfgs<T>::step(const Trial<T>& trial) {
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
    keep_pair(trial);
  else
    begin_step(trial);
  take_step(trial);
}

template <class T>
bool Lbfgs<T>::is_lower(double cost) const {
  return cost <= *cost_ + enough * *slope_ + rounding * std::abs(*cost_);
}

/// The object and its gradient here are the beginning of a step.
template <class T>
void Lbfgs<T>::begin_step(const Trial<T>& trial) {
  cores_.take(trial.with, trial.object.values, in_use().s);
  cores_.take(trial.with, trial.object.gradient, in_use().y);
  *cost_ = trial.cost;
  *failures_ = 0;
}

/// The slot in use becomes a pair if it has curvature, and another one is used.
template <class T>
void Lbfgs<T>::keep_pair(const Trial<T>& trial) {
  Workspace<T>& with = trial.with;
  Pair& pair = in_use();
  *slot_ = double(slot(-1));
  begin_step(trial);
  combine(with, 1, in_use().s, -1, pair.s);
  combine(with, 1, in_use().y, -1, pair.y);
  const double curvature = dot(with, pair.s, pair.y);
  const double most = std::sqrt(dot(with, pair.s, pair.s) * dot(with, pair.y, pair.y));
  if (!(curvature > least_curvature * most)) {  // the oldest pair has gone all the same
    copy(with, in_use().s, pair.s);
    copy(with, in_use().y, pair.y);
    *slot_ = double(slot(1));
    *known_ = std::min(*known_, double(memory_ - 1));
    return;
  }
  *pair.curvature = curvature;
  *known_ = std::min(*known_ + 1, double(memory_));
  copy(with, pair.y, q_);
  precondition(trial, q_);
  const double preconditioned = dot(with, pair.y, q_);
  if (preconditioned > 0) *scale_ = curvature / preconditioned;
}

/// From the beginning of the step in use.
template <class T>
void Lbfgs<T>::take_step(const Trial<T>& trial) {
  Workspace<T>& with = trial.with;
  const Pair& begin = in_use();
  make_direction(trial);
  *step_ = *known_ > 0 ? 1 : first_step(trial);
  move_along(trial, begin.s, q_, *step_, q_);
  *slope_ = slope_of_step(with, begin.y, begin.s, q_);
  *under_way_ = *slope_ < 0 ? 1 : 0;
  if (*under_way_ != 0) return cores_.set_object(trial, q_);
  const bool learnt = *known_ > 0;
  start_over();
  if (learnt) take_step(trial);  // else the gradient is zero
}

/// q = the two loops' g.
template <class T>
void Lbfgs<T>::make_direction(const Trial<T>& trial) {
  Workspace<T>& with = trial.with;
  copy(with, in_use().y, q_);
  keep_free(trial, q_);
  const auto known = static_cast<i64>(*known_);
  std::vector<double> a(static_cast<std::size_t>(known + 1));
  for (i64 ago = 1; ago <= known; ++ago) {
    const Pair& pair = pairs_[slot(ago)];
    double& part = a[static_cast<std::size_t>(ago)];
    part = dot(with, pair.s, q_) / *pair.curvature;
    combine(with, -part, pair.y, 1, q_);
  }
  precondition(trial, q_);
  combine(with, *scale_ - 1, q_, 1, q_);
  for (i64 ago = known; ago >= 1; --ago) {
    const Pair& pair = pairs_[slot(ago)];
    const double part = dot(with, pair.y, q_) / *pair.curvature;
    combine(with, a[static_cast<std::size_t>(ago)] - part, pair.s, 1, q_);
  }
  keep_free(trial, q_);
}

template <class T>
void Lbfgs<T>::keep_free(const Trial<T>& trial, const Volumes<T>& direction) {
  const Workspace<T>& with = trial.with;
  const Volumes<T>& object = trial.object.values;
  const auto at = in_use().s.fields(), gradient = in_use().y.fields();
  for (std::size_t f = 0; f < at.size(); ++f) {
    const auto [low, high] = limits_of(with.options, object, *object.fields()[f]);
    for (std::size_t t = 0; t < with.tiles.size(); ++t)
      with.arithmetic->run(
          KeepFree<T>(at[f]->on(t), gradient[f]->on(t), {low, high}, direction.fields()[f]->on(t)));
  }
}

/// In place, with the low-pass of the stage; what the gradient's arrays hold is lost.
template <class T>
void Lbfgs<T>::precondition(const Trial<T>& trial, const Volumes<T>& of) {
  const ObjectGradient<T>& there = trial.object.gradient;
  cores_.put(trial.with, of, there);
  for (std::size_t t = 0; t < trial.with.tiles.size(); ++t)
    for (const View<T, 3>& volume : there.on(t))
      trial.with.arithmetic->run(Tie<T>(volume, stage_.block()));
  low_passed<T>(trial, there, [&] { preconditioning_->apply(trial, there); });
  cores_.take(trial.with, there, of);
}

/// Along q, from where the object is.
template <class T>
double Lbfgs<T>::first_step(const Trial<T>& trial) {
  Workspace<T>& with = trial.with;
  cores_.put(with, q_, trial.object.gradient);
  with.halos.fill(trial.object.gradients(1, false));
  return with.caution * best_step(trial, dot(with, in_use().y, q_)).value_or(0);
}

/// Along the step under way; or, once that was of no use several times, to where it began, and down
/// the preconditioned gradient there.
template <class T>
void Lbfgs<T>::go_back(const Trial<T>& trial) {
  *failures_ += 1;
  if (*failures_ != most_failures) return draw_back(trial, trial.cost);
  const double failures = *failures_;
  start_over();
  *failures_ = failures;
  cores_.set_object(trial, in_use().s);
  take_step(trial);
}

/// f(t) = f_0 + t·slope + t² (f_1 − f_0 − slope) along the step, at whose end, t = 1, f_1 was
/// found.
template <class T>
void Lbfgs<T>::draw_back(const Trial<T>& trial, double cost) {
  Workspace<T>& with = trial.with;
  const Pair& begin = in_use();
  const double share = drawn_back(*slope_, cost - *cost_);
  cores_.take(with, trial.object.values, q_);
  for (std::size_t t = 0; t < with.tiles.size(); ++t)
    for (std::size_t f = 0; f < q_.fields().size(); ++f)
      with.arithmetic->run(DrawBack<T>(begin.s.fields()[f]->on(t), share, q_.fields()[f]->on(t)));
  *slope_ *= share;
  *step_ *= share;
  cores_.set_object(trial, q_);
}

template <class T>
void Lbfgs<T>::end(const Trial<T>& trial) {
  for (int tries = 0; *under_way_ != 0; ++tries) {
    const double cost = trial.cost_of(trial.object.values);
    if (is_lower(cost)) return;
    if (tries < most_failures) {
      draw_back(trial, cost);
    } else {
      cores_.set_object(trial, in_use().s);
      *under_way_ = 0;
    }
  }
}

template class Lbfgs<float>;
template class Lbfgs<double>;

}  // namespace ptyle
