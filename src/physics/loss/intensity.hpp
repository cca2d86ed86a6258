#pragma once

#include "core/annotation.hpp"

namespace ptyle {

/// Least squares of counts, each over its variance: the negative logarithm of a normal law whose
/// variance is that of counting at the measurement, v = y + ε, where it stays whatever the model is
/// (J. Neyman's χ², Proc. Berkeley Symp. 239 (1949)).
///
///   f  = w (I − y)² / 4 (y+ε)
///   f' = w (I − y) / 2 (y+ε)               by I
///   f" = w / 2 (y+ε), at a perfect fit w / 2 (I+ε)
///
/// The quarter makes it what the amplitude loss is near a perfect fit, (√I − √y)² ≈ (I − y)² / 4y,
/// and half the Poisson loss, so that costs, steps and penalties of the three compare.
///
/// `model` is I and `measured` y ≥ 0, counts of a detector pixel; `lit` is I + ε; w is the pixel's
/// weight.
struct IntensityLoss {
  static constexpr const char* name = "intensity";
  static constexpr const char* about = "least squares of counts over their variance";
  /// ε is the variance of a pixel that measured nothing: it has to be that of a few of its counts.
  /// The mean of 1/(y+1) over Poisson counts of mean m is (1 − exp(−m))/m, nearly 1/m, so that one
  /// count is right where counts are counts (least_epsilon). It is not enough for an object that is
  /// still unknown: the step along a gradient is reckoned with the f" of a perfect fit, w/2 (I+ε),
  /// which a pixel that is dark, and bright in the model, exceeds by (I+ε)/ε. With a tenth of the
  /// mean counts a fit of a thick crystal diverged (bench/microscope.cpp, loss); with the mean,
  /// which costs pixels darker than that their weight, it did not.
  static constexpr double epsilon = 1;
  /// ε is at least so many counts.
  static constexpr double least_epsilon = 1;
  /// f as a part of −log likelihood, (I − y)² / 2v.
  static constexpr double of_likelihood = 0.5;

  /// f; 0 at I = y.
  template <class T>
  PTYLE_HOST_DEVICE static T cost(T model, T measured, T weight, T epsilon) {
    return Together<T>(model, measured, epsilon).cost(weight);
  }
  /// f'/w, which makes w Ψ the residual: ∂f/∂Ψ* = w Ψ · factor.
  template <class T>
  PTYLE_HOST_DEVICE static T factor(T lit, T measured, T epsilon) {
    const T variance = measured + epsilon;
    return (lit - variance) / (2 * variance);
  }
  /// `weight` times f"/w at a perfect fit.
  template <class T>
  PTYLE_HOST_DEVICE static T curvature(T weight, T lit) {
    return weight / (2 * lit);
  }

  /// Products and a quotient, which vectors have. N is a number or a vector of T.
  static constexpr bool in_vectors = true;
  template <class N>
  struct Together {
    N apart, variance;  ///< I − y, y + ε
    template <class T>
    PTYLE_HOST_DEVICE Together(N model_counts, N measured_counts, T epsilon)
        : apart(model_counts - measured_counts), variance(measured_counts + epsilon) {}
    /// w (I − y)² / 4 (y+ε)
    PTYLE_HOST_DEVICE N cost(N weight) const { return weight * apart * apart / (4 * variance); }
    /// (I − y) / 2 (y+ε)
    PTYLE_HOST_DEVICE N factor() const { return apart / (2 * variance); }
  };
};

}  // namespace ptyle
