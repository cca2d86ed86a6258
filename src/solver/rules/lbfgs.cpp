#include "solver/rules/lbfgs.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "solver/rules/step_estimate.hpp"

namespace ptyle {
namespace {

/// Pairs of less than this curvature, y·s / √(s·s y·y), are not kept.
constexpr double least_curvature = 1e-8;

}  // namespace

template <class T>
Lbfgs<T>::Lbfgs(int memory, std::unique_ptr<Preconditioning<T>> preconditioning)
    : WholeScanRule<T>("lbfgs", "l-bfgs", std::move(preconditioning)), memory_(memory) {}

template <class T>
void Lbfgs<T>::declare(State<T>& state) {
  WholeScanRule<T>::declare(state);
  for (i64 i = 0; i <= memory_; ++i) {
    const std::string name = "lbfgs." + std::to_string(i);
    pairs_.push_back({{declare_on_cores(state, name + ".s", this->account(), true),
                       declare_on_cores(state, name + ".y", this->account(), true)},
                      &state.number(name + ".curvature")});
  }
  known_ = &state.number("lbfgs.known");
  slot_ = &state.number("lbfgs.slot");
  scale_ = &state.number("lbfgs.scale", 1);
}

/// The slot that was in use so many steps ago.
template <class T>
std::size_t Lbfgs<T>::slot(i64 steps_ago) const {
  const i64 slots = memory_ + 1;
  return static_cast<std::size_t>((static_cast<i64>(*slot_) - steps_ago + slots) % slots);
}

template <class T>
void Lbfgs<T>::forget() {
  *known_ = 0;
  *scale_ = 1;
}

template <class T>
bool Lbfgs<T>::simplify() {
  const bool learnt = *known_ > 0;
  forget();
  return learnt;
}

/// The slot in use becomes a pair if it has curvature, and another one is used.
template <class T>
void Lbfgs<T>::keep_step(const Trial<T>& trial) {
  Workspace<T>& with = trial.with;
  const Pair& pair = pairs_[slot(0)];
  *slot_ = double(slot(-1));
  this->begin_step(trial);
  combine(with, 1, begin().at, -1, pair.s());
  combine(with, 1, begin().gradient, -1, pair.y());
  const double curvature = dot(with, pair.s(), pair.y());
  const double most = std::sqrt(dot(with, pair.s(), pair.s()) * dot(with, pair.y(), pair.y()));
  if (!(curvature > least_curvature * most)) {  // the oldest pair has gone all the same
    copy(with, begin().at, pair.s());
    copy(with, begin().gradient, pair.y());
    *slot_ = double(slot(1));
    *known_ = std::min(*known_, double(memory_ - 1));
    return;
  }
  *pair.curvature = curvature;
  *known_ = std::min(*known_ + 1, double(memory_));
  copy(with, pair.y(), q());
  precondition(trial, q());
  const double preconditioned = dot(with, pair.y(), q());
  if (preconditioned > 0) *scale_ = curvature / preconditioned;
}

/// q = the two loops' g.
template <class T>
double Lbfgs<T>::make_direction(const Trial<T>& trial) {
  Workspace<T>& with = trial.with;
  copy(with, begin().gradient, q());
  keep_free(trial, q());
  const auto known = static_cast<i64>(*known_);
  std::vector<double> a(static_cast<std::size_t>(known + 1));
  for (i64 ago = 1; ago <= known; ++ago) {
    const Pair& pair = pairs_[slot(ago)];
    double& part = a[static_cast<std::size_t>(ago)];
    part = dot(with, pair.s(), q()) / *pair.curvature;
    combine(with, -part, pair.y(), 1, q());
  }
  precondition(trial, q());
  combine(with, *scale_ - 1, q(), 1, q());
  for (i64 ago = known; ago >= 1; --ago) {
    const Pair& pair = pairs_[slot(ago)];
    const double part = dot(with, pair.y(), q()) / *pair.curvature;
    combine(with, a[static_cast<std::size_t>(ago)] - part, pair.s(), 1, q());
  }
  keep_free(trial, q());
  return known > 0 ? 1 : first_step(trial);
}

/// Along q, from where the object is.
template <class T>
double Lbfgs<T>::first_step(const Trial<T>& trial) {
  Workspace<T>& with = trial.with;
  this->cores_.put(with, q(), trial.object.gradient);
  with.halos.fill(trial.object.gradients(1, false));
  return with.caution * best_step(trial, dot(with, begin().gradient, q())).value_or(0);
}

template class Lbfgs<float>;
template class Lbfgs<double>;

}  // namespace ptyle
