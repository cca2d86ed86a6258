#pragma once

// A probe whose defocus differs from position to position, as a mixture of a few that all share
// (OperatorSetup::basis): polynomials of the defocus through Chebyshev's nodes,
//
//   P(δ) = Σ_j L_j(δ) P(δ_j),     P(δ) = IFFT(exp(iπ λ δ k²) FFT P),
//
// δ the change of the defocus. With a phase of β rad at the aperture's rim for the largest |δ|, the
// coefficients of exp(iβx) in Chebyshev polynomials are Bessel functions J_n(β), below 1e-7 for
// n > β + 6 β^(1/3) + 8. A tenth more of β is for a rim that is soft.

#include <vector>

#include "core/array.hpp"

namespace ptyle {

class DefocusDrift {
 public:
  /// `changes`: of the defocus, Å, by position. `semi_angle`: rad. Pixels of `pixel` Å.
  DefocusDrift(const std::vector<double>& changes, double semi_angle, double wavelength,
               double pixel);
  /// (M·n, W, W): each of the modes (M, W, W), centred, at every node.
  [[nodiscard]] Array<Complex<double>, 3> basis(View<const Complex<float>, 3> modes) const;
  /// (M, M·n) values that mix these for a change of the defocus.
  [[nodiscard]] std::vector<Complex<double>> coefficients(double change, i64 modes) const;
  [[nodiscard]] const std::vector<double>& nodes() const { return nodes_; }

 private:
  std::vector<double> nodes_;  // Å
  double wavelength_, pixel_;
};

/// The modes (M, W, W), centred, with a defocus that is so many Å larger.
Array<Complex<double>, 3> defocused(View<const Complex<double>, 3> modes, double change,
                                    double wavelength, double pixel);

}  // namespace ptyle
