#pragma once

// How a position mixes a probe that varies over the scan. The modes are P_0 … P_{M−1}, incoherent,
// and V_1 … V_N, by which the first of them varies. Mode m of a position is
//
//   s (c_0 P_0 + Σ_q x_q V_q),   c_0 = √(1 − Σ x_q²)        m = 0
//   s P_m                                                   m > 0
//
// with x, real, and s = 1 + e the position's own. What moves a probe, a change of the optics by an
// amount δ, say, adds δ ∂P/∂δ to it and terms of δ², all with real factors of waves that all
// positions share: real coefficients are enough, and half as many for noise to be fitted by. V are
// orthogonal to P_0 and to each other and as strong as P_0, so that x_q² is the fraction of mode
// 0's power that is in V_q, that no x changes the power, and that s² is the beam's current.

#include <span>
#include <vector>

#include "core/array.hpp"
#include "core/eigen.hpp"

namespace ptyle {

/// Σ x² at most, beyond which x is shortened.
constexpr double most_varied = 0.5;

/// The numbers of a position.
struct Mixture {
  std::vector<double> x;  ///< (N)
  double e = 0;
};

/// (c_0, x).
std::vector<double> amplitudes_of(const Mixture& mixture);

/// Its coefficients, (M, M + N), those of OperatorSetup::basis.
void coefficients_of(const Mixture& mixture, i64 modes, Complex<double>* to);

/// ∂f/∂x and ∂f/∂e of ∂f/∂a* of the coefficients (M, M + N).
Mixture slopes_of(const Mixture& mixture, View<const Complex<double>, 2> gradient);

/// x as it is, or shortened to most_varied.
void limit(std::span<double> x);

// Small matrices, and a new basis of the same waves

/// Square, (n, n).
using SmallMatrix = Array<double, 2>;

/// Inverse of a symmetric matrix whose eigenvalues are above 0.
SmallMatrix inverse_of(const SmallMatrix& symmetric);

/// The basis in which the mean mixture is P_0 and x are uncorrelated.
struct NewBasis {
  /// (N + 1, N + 1): row j is the new P_0 (j = 0) or V_j, of the old ones; 0 where a mode was a sum
  /// of others.
  SmallMatrix modes;
  /// (N + 1, N + 1): times the old (c_0, x) gives the new one.
  SmallMatrix mixtures;
  std::vector<double> variances;  ///< (N) of the new x
};
/// `gram`: (N + 1, N + 1), Re⟨·,·⟩ of P_0, V_1, … V_N over |P_0|². `mean`: of (c_0, x) over
/// positions; `moments`: the mean of its products, (N + 1, N + 1).
NewBasis new_basis(const SmallMatrix& gram, const std::vector<double>& mean,
                   const SmallMatrix& moments);

}  // namespace ptyle
