#pragma once

// Adam (Kingma and Ba 2015): each voxel moves by the mean of its last gradients over the root of
// the mean of their squares,
//
//   m ← β1 m + (1 − β1) g,   v ← β2 v + (1 − β2) g²
//   V ← V − step · m / (1 − β1ⁿ) / (√(v / (1 − β2ⁿ)) + ε)   within the limits
//
// n the number of steps, which begins anew at each stage of the multi-resolution schedule; ε is
// 1e-8 of the gradient that an error of 1 rad makes where the probe is brightest.

#include "solver/rules/on_cores.hpp"
#include "solver/rules/rule_stage.hpp"
#include "solver/rules/step_estimate.hpp"

namespace ptyle {

template <class T>
class AdamRule final : public UpdateRule<T> {
 public:
  explicit AdamRule(const RuleOptions& options) : options_(options), step_(options.adam_step) {}
  void declare(State<T>& state) override;
  void step(const Trial<T>& trial) override;
  [[nodiscard]] double step_in_use(const Workspace<T>& with) const override {
    return step_.in_use(with);
  }
  void settle() override { step_.settle(); }

 private:
  void make_direction(const Trial<T>& trial);

  const RuleOptions options_;
  StepEstimate<T> step_;
  OnCores<T> cores_;
  Volumes<T> mean_, mean_square_, direction_;
  double* steps_ = nullptr;  // n
  RuleStage stage_;          // that they were made in
};

}  // namespace ptyle
