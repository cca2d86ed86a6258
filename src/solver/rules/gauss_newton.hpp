#pragma once

// Truncated Gauss-Newton: each iteration's direction d solves
//
//   (H + λ M⁻¹) d = g     H = Jᵀ W J of the whole scan (Operator::gauss_newton_product), and of the
//                         penalties
//
// approximately, by a few steps of conjugate gradients with the preconditioner M (Nocedal and
// Wright, Numerical Optimization, 2nd ed., algorithm 5.3 and section 10.3, among free voxels):
//
//   d = 0, r = g;   z = M r,   β = r·z / r'·z' (r', z': of the step before; first 0)
//   p ← z + β p,   s = M⁻¹ p ← r + β s
//   a = r·z / p·(H p + λ s),   d ← d + a p,   r ← r − a (H p + λ s)
//
// and V ← V − d within the limits (rules/whole_scan). It ends early where r·z has fallen to a
// hundredth. A product costs one and a half gradients and one exchange of theirs; few iterations
// are needed. The simpler direction, where steps are of no use, is that of one step.
//
// The damping λ (Levenberg 1944) is 0 at first. H is that of a perfect fit; where a step had to be
// drawn back to its t-th part, the cost bends 1/t as much as H says, and λ grows by (1/t − 1) times
// what H is along M g, in units of M⁻¹. A step that is kept as it is leaves 0.7 of λ.

#include "solver/rules/whole_scan.hpp"

namespace ptyle {

template <class T>
class GaussNewton final : public WholeScanRule<T> {
  using Begin = typename WholeScanRule<T>::Begin;

 public:
  /// So many conjugate-gradient steps, 1 or more.
  GaussNewton(int steps, std::unique_ptr<Preconditioning<T>> preconditioning);
  void declare(State<T>& state) override;
  /// A gradient, and a product of one and a half each step.
  [[nodiscard]] double passes_an_iteration() const override { return 1 + 1.5 * steps_; }
  [[nodiscard]] bool needs_products() const override { return true; }

 protected:
  [[nodiscard]] const Begin& begin() const override { return begin_; }
  double make_direction(const Trial<T>& trial) override;
  void keep_step(const Trial<T>& trial) override;
  void forget() override;
  bool simplify() override;

 private:
  using WholeScanRule<T>::q;
  using WholeScanRule<T>::keep_free;
  void multiply(const Trial<T>& trial, const Volumes<T>& p, const Volumes<T>& hp);

  const double steps_;
  Begin begin_;
  Volumes<T> residual_, way_, image_;  // r, p, z or H p
  Volumes<T> weighed_;                 // s
  Volumes<T> product_;                 // on tiles
  // Numbers of the state:
  double* allowed_ = nullptr;  // conjugate-gradient steps
  double* damping_ = nullptr;  // λ
  double* bend_ = nullptr;     // p·H p / p·s of the first step
};

}  // namespace ptyle
