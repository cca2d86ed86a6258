#pragma once

// Nesterov's momentum: descent from a point ahead of the object on the way that it last went
// (Nesterov 1983). With d = M g the preconditioned gradient at V,
//
//   x⁺ = V − α d within the limits,    V ← x⁺ + β (x⁺ − x) within them,    x ← x⁺
//
// On mini-batches β is given, and α = (1 − β) step, so that each gradient moves the object by
// step·d in the end. On the whole scan α is the step, and β grows with the number n of steps since
// the last start, β = n / (n + 3). Where the way goes uphill, g·(x⁺ − x) > 0, it starts anew
// (O'Donoghue and Candès 2015); on mini-batches that is looked at where a step is estimated.
//
// The estimate of a step is tried (rules/step_estimate) on the first mini-batches alone. On the
// whole scan it is renewed in every iteration, as it is the shorter the more the way oscillates: an
// estimate of smooth directions that was kept for ten steps made the object diverge.

#include <memory>
#include <utility>

#include "solver/rules/on_cores.hpp"
#include "solver/rules/preconditioning.hpp"
#include "solver/rules/rule_stage.hpp"
#include "solver/rules/step_estimate.hpp"

namespace ptyle {

template <class T>
class NesterovMomentum final : public UpdateRule<T> {
 public:
  NesterovMomentum(const RuleOptions& options, std::unique_ptr<Preconditioning<T>> preconditioning)
      : momentum_(options.momentum), step_(options), preconditioning_(std::move(preconditioning)) {}
  void declare(State<T>& state) override;
  void step(const Trial<T>& trial) override;
  [[nodiscard]] bool estimates() const override { return step_.estimates(); }
  [[nodiscard]] double step_in_use(const Workspace<T>& with) const override {
    return step_.in_use(with);
  }
  void settle() override { step_.settle(); }
  void object_moved() override { *steps_ = 0; }
  [[nodiscard]] i64 reach() const override { return preconditioning_->reach(); }
  [[nodiscard]] std::string key() const override { return "solver.preconditioner"; }
  [[nodiscard]] double other_bytes(const OperatorSetup& setup, const Box& core,
                                   int threads) const override {
    return preconditioning_->other_bytes(setup, core, threads);
  }

 private:
  void descend(const Trial<T>& trial, bool whole);

  const double momentum_;
  StepEstimate<T> step_;
  std::unique_ptr<Preconditioning<T>> preconditioning_;
  OnCores<T> cores_;
  Volumes<T> last_, gradient_, next_;  // x, g, x⁺
  double* steps_ = nullptr;            // n
  RuleStage stage_;                    // that they were made in
};

}  // namespace ptyle
