#pragma once

#include <cmath>

#include "core/annotation.hpp"

namespace ptyle {

/// The negative logarithm of the likelihood of Poisson counts, −log(I^y exp(−I) / y!), less what it
/// is at I = y (P. Thibault, M. Guizar-Sicairos, New J. Phys. 14, 063004 (2012)).
///
///   f  = w (I − y − y log((I+ε)/(y+ε)))
///   f' = w (1 − y/(I+ε))                   by I
///   f" = w y / (I+ε)², at a perfect fit w / (I+ε)
///
/// `model` is I and `measured` y, counts of a detector pixel; `lit` is I + ε; w is the pixel's
/// weight. The fit is perfect at I + ε = y.
struct PoissonLoss {
  static constexpr const char* name = "poisson";
  static constexpr const char* about = "negative logarithm of the likelihood of Poisson counts";
  /// ε, as a fraction of a detector pixel's mean counts. The factor is steep where the model is
  /// dark: there a pixel without model counts must not outweigh the rest.
  static constexpr double epsilon = 1e-2;
  static constexpr double least_epsilon = 0;  ///< counts
  /// f as a part of −log likelihood.
  static constexpr double of_likelihood = 1;

  /// f; 0 at I = y.
  template <class T>
  PTYLE_HOST_DEVICE static T cost(T model, T measured, T weight, T epsilon) {
    return weight *
           (model - measured - measured * std::log((model + epsilon) / (measured + epsilon)));
  }
  /// f'/w, which makes w Ψ the residual: ∂f/∂Ψ* = w Ψ · factor.
  template <class T>
  PTYLE_HOST_DEVICE static T factor(T lit, T measured, T /*epsilon*/) {
    return 1 - measured / lit;
  }
  /// `weight` times f"/w at a perfect fit.
  template <class T>
  PTYLE_HOST_DEVICE static T curvature(T weight, T lit) {
    return weight / lit;
  }

  static constexpr bool in_vectors = false;  ///< vectors have no logarithm
};

}  // namespace ptyle
