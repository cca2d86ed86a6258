#pragma once

#include "device/ops/kinds.hpp"

namespace ptyle {

/// M of a step object ← object − step·M(g): what a gradient is divided by. A value, made anew for
/// each step.
template <class T>
class Preconditioner {
 public:
  /// M(g) = g / (window2 (lit + *floor) + penalty), `lit` the illumination of the pixel. Both lie
  /// where the arrays do and are read when the step is made, so that nobody waits for a floor
  /// (Arithmetic::largest). `penalty`: how steep penalties of the object are (0: there are none).
  static Preconditioner by_illumination(View<const T, 2> lit, double window2, const double* floor,
                                        double penalty = 0) {
    return {false, lit.data, window2, floor, penalty};
  }
  /// M(g) = g / divisor, the same for all pixels.
  static Preconditioner uniform(double divisor) { return {true, nullptr, divisor, nullptr, 0}; }

  /// numerator / divisor, by which a pixel's gradient is multiplied.
  [[nodiscard]] PTYLE_HOST_DEVICE T scale(i64 pixel, double numerator) const {
    const double divisor =
        uniform_ ? factor_ : factor_ * (double(lit_[pixel]) + *floor_) + penalty_;
    return static_cast<T>(numerator / (divisor + 1e-300));
  }
  /// Is the pixel in the dark, where gradients are 0, but for those of penalties?
  [[nodiscard]] PTYLE_HOST_DEVICE bool dark(i64 pixel) const {
    return !uniform_ && lit_[pixel] == 0 && penalty_ == 0;
  }

 private:
  Preconditioner(bool uniform, const T* lit, double factor, const double* floor, double penalty)
      : uniform_(uniform), lit_(lit), factor_(factor), floor_(floor), penalty_(penalty) {}
  bool uniform_;
  const T* lit_;
  double factor_;
  const double* floor_;
  double penalty_;
};

}  // namespace ptyle
