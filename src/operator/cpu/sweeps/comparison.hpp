#pragma once

// The detector between the sweeps: what was measured beside the waves' intensities, in the order of
// the blocks (layout.hpp).

#include "operator/cpu/gradient_rows.hpp"
#include "operator/cpu/sweeps/kernels.hpp"
#include "operator/operator.hpp"

namespace ptyle::cpu {

template <class T>
class SweepComparison {
 public:
  SweepComparison(const OperatorSetup& setup, const Kernels<T>& kernels, Ledger* ledger)
      : kernels_(kernels),
        loss_(setup.loss),
        epsilon_(setup.epsilon),
        w_(setup.window),
        lanes_(kernels.lanes),
        weight_({w_ * w_}, ledger, "detector"),
        valid_({w_ * w_}, ledger, "detector") {
    weight_.fill(1);
    valid_.fill(1);
  }

  /// `pixel`(c, y, lane): which pixel of these, in natural order, stands there.
  template <class Pixel>
  void set_weights(View<const T, 2> weight, View<const T, 2> valid, Pixel&& pixel) {
    for (i64 c = 0; c < w_ / lanes_; ++c)
      for (i64 y = 0; y < w_; ++y)
        for (i64 l = 0; l < lanes_; ++l) {
          const i64 from = pixel(c, y, l), to = (c * w_ + y) * lanes_ + l;
          valid_(to) = valid.empty() ? T(1) : valid.data[from];
          weight_(to) = valid_(to) * (weight.empty() ? T(1) : weight.data[from]);
        }
  }

  /// Block c: its misfit, and intensities become factors of the residual.
  Misfit compare(i64 c, T* intensity, const T* measured, bool residual) const {
    const i64 pixels = w_ * lanes_;
    const T *weight = weight_.data() + c * pixels, *valid = valid_.data() + c * pixels;
    const T eps = static_cast<T>(epsilon_);
    return with_loss(loss_, [&]<class L>(L) -> Misfit {
      if constexpr (L::in_vectors) {
        DetectorWork<T> work{loss_, pixels, intensity, measured, weight, valid, eps, residual};
        kernels_.compare(work);
        return {work.cost, work.numerator, work.denominator};
      } else {
        const Misfit sum = detector_row<L>(intensity, measured, weight, valid, pixels, eps);
        if (residual) residual_row<L>(intensity, measured, weight, pixels, eps);
        return sum;
      }
    });
  }

  /// Row y of block c: total += 2 f" a² of all its pixels, and a, the intensities' change along a
  /// direction, becomes 2 f" a.
  void bend(i64 c, i64 y, const T* intensity, T* change, double& total) const {
    const T* weight = weight_.data() + (c * w_ + y) * lanes_;
    with_loss(loss_, [&](auto loss) {
      for (i64 l = 0; l < lanes_; ++l) {
        const double lit = double(intensity[l]) + epsilon_;
        const double bent = weight[l] * double(change[l]);
        total += 2 * loss.curvature(bent * double(change[l]), lit);
        change[l] = static_cast<T>(2 * loss.curvature(bent, lit));
      }
    });
  }

 private:
  const Kernels<T>& kernels_;
  Loss loss_;
  double epsilon_;
  i64 w_, lanes_;
  Array<T, 1> weight_, valid_;
};

}  // namespace ptyle::cpu
