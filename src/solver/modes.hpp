#pragma once

// The powers of incoherent probe modes. A mode's gradient is as faint as the mode, so that by
// gradients alone a faint one would hardly grow and one that nothing calls for hardly fade. So all
// powers are fitted together, now and then, to a few patterns. With q_m = |Ψ_m|² the model is
// I = Σ_m (1 + b_m) q_m beside the background, and
//
//   f(b) ≈ f + s·b + bᵀ C b / 2
//   s_m = Σ_k f' q_m        C_ml = Σ_k f" q_m q_l
//
// f' and f" the loss's by I (physics/loss), f" that of a perfect fit.

#include <vector>

#include "core/array.hpp"
#include "operator/operator.hpp"

namespace ptyle {

class ModePowers {
 public:
  ModePowers(i64 modes, Loss loss, double epsilon, double background = 0);
  /// A pattern: its waves at the detector, (M, W, W) or, of several states of the object, M each,
  /// what was measured (W·W; below 0: not there, core/pattern.hpp), which pixels are valid (empty:
  /// all).
  template <class T>
  void add(View<const Complex<T>, 3> waves, const T* measured, View<const T, 2> valid);
  /// s and C of the patterns so far, to be summed over ranks.
  [[nodiscard]] std::vector<double>& sums() { return sums_; }
  /// 1 + b_m of the lowest f where each power at most doubles or halves.
  [[nodiscard]] std::vector<double> factors() const;

 private:
  [[nodiscard]] double& curvature(i64 m, i64 l) {
    return sums_[static_cast<std::size_t>(modes_ + m * modes_ + l)];
  }
  i64 modes_;
  Loss loss_;
  double epsilon_, dark_;     // dark_: I + ε without waves
  std::vector<double> sums_;  // s, then C for l ≤ m
};

}  // namespace ptyle
