#pragma once

// The factor of a direction: given, or estimated now and then. The parabola of the Gauss-Newton
// curvature says the best one,
//
//   f(V − αd) ≈ f − α ⟨g, d⟩ + α² curvature,
//
// and a running mean is kept.

#include <algorithm>
#include <optional>

#include "solver/rules/rule.hpp"
#include "solver/rules/rule_options.hpp"

namespace ptyle {

/// The share of a step, a tenth to a half, at the minimum of the parabola through the slope along
/// it (negative where it goes downhill) and the rise of the cost at its end.
inline double drawn_back(double slope, double rise) {
  const double parabola = -slope / (2 * (rise - slope));
  return parabola > 0.1 ? std::min(parabola, 0.5) : 0.1;  // NaN: a tenth
}

/// The best α by the curvature along the direction, which lies in the place of the gradient, on all
/// copies; `slope`: ⟨g, d⟩. Nothing where there is no curvature.
template <class T>
std::optional<double> best_step(const Trial<T>& trial, double slope);

template <class T>
class StepEstimate {
 public:
  explicit StepEstimate(const RuleOptions& options) : given_(options.step) {}
  /// One that is given.
  explicit StepEstimate(double step) : given_(step) {}
  void declare(State<T>& state);
  [[nodiscard]] bool estimates() const { return given_ <= 0; }
  [[nodiscard]] double in_use(const Workspace<T>& with) const;
  /// Takes what the curvature says here.
  void estimate(const Trial<T>& trial, double slope);
  /// The object moves along the direction, which lies in the place of the gradient, by this share
  /// of the step in use, or by less where that does not lower the cost.
  void take_tried(const Trial<T>& trial, double slope, double share = 1);
  /// The cost stands still (UpdateRule::settle).
  void settle();

 private:
  const double given_;
  double *estimated_ = nullptr, *averaging_ = nullptr;
};

}  // namespace ptyle
