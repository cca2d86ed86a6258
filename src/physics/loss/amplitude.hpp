#pragma once

#include "physics/loss/root.hpp"

namespace ptyle {

/// Least squares of amplitudes: what Poisson counts of more than a few ask for, since the root
/// makes their variance constant, ¼ (F. J. Anscombe, Biometrika 35, 246 (1948)).
///
///   f  = w (√(I+ε) − √(y+ε))²
///   f' = w (1 − √((y+ε)/(I+ε)))           by I
///   f" = w √(y+ε) / 2 (I+ε)^(3/2), at a perfect fit w / 2 (I+ε)
///
/// `model` is I and `measured` y, counts of a detector pixel; `lit` is I + ε; w is the pixel's
/// weight.
struct AmplitudeLoss {
  static constexpr const char* name = "amplitude";
  static constexpr const char* about = "least squares of the roots of counts";
  /// ε, which keeps the division finite, as a fraction of a detector pixel's mean counts.
  static constexpr double epsilon = 1e-5;
  static constexpr double least_epsilon = 0;  ///< counts
  /// f as a part of −log likelihood: the root of a count has a variance of about 1/4, so that
  /// −log likelihood is about 2f.
  static constexpr double of_likelihood = 0.5;

  /// f; 0 at I = y.
  template <class T>
  PTYLE_HOST_DEVICE static T cost(T model, T measured, T weight, T epsilon) {
    return Together<T>(model, measured, epsilon).cost(weight);
  }
  /// f'/w, which makes w Ψ the residual: ∂f/∂Ψ* = w Ψ · factor.
  template <class T>
  PTYLE_HOST_DEVICE static T factor(T lit, T measured, T epsilon) {
    return 1 - root_of((measured + epsilon) / lit);
  }
  /// `weight` times f"/w at a perfect fit.
  template <class T>
  PTYLE_HOST_DEVICE static T curvature(T weight, T lit) {
    return weight / (2 * lit);
  }

  /// Cost and factor need nothing but roots, which vectors have: there they are computed together.
  /// N is a number or a vector of T.
  static constexpr bool in_vectors = true;
  template <class N>
  struct Together {
    N model, measured;  ///< √(I+ε), √(y+ε)
    template <class T>
    PTYLE_HOST_DEVICE Together(N model_counts, N measured_counts, T epsilon)
        : model(root_of(model_counts + epsilon)), measured(root_of(measured_counts + epsilon)) {}
    /// w (√(I+ε) − √(y+ε))²
    PTYLE_HOST_DEVICE N cost(N weight) const {
      const N apart = model - measured;
      return weight * apart * apart;
    }
    /// 1 − √(y+ε)/√(I+ε)
    PTYLE_HOST_DEVICE N factor() const { return 1 - measured / model; }
  };
};

}  // namespace ptyle
