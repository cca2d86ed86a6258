#pragma once

#include <cmath>

#include "core/units.hpp"

namespace ptyle {

/// Aberration coefficients in Krivanek's polar notation. Lengths in Å, azimuths in rad, measured
/// from +x (columns) towards +y (rows). Defocus = −C10, positive = underfocus.
struct Aberrations {
  double C10 = 0;             ///< defocus, negative = underfocus
  double C12 = 0, phi12 = 0;  ///< two-fold astigmatism
  double C21 = 0, phi21 = 0;  ///< axial coma
  double C23 = 0, phi23 = 0;  ///< three-fold astigmatism
  double C30 = 0;             ///< spherical aberration
};

/// The aberration phase χ, rad, at the spatial frequency (ky, kx) in 1/Å:
/// χ = 2π/λ Σ C_nm α^(n+1) cos(m (φ − φ_nm)) / (n+1), α = λ|k|. The probe is IFFT(aperture ·
/// e^(−iχ)).
inline double aberration_phase(const Aberrations& a, double ky, double kx, double wavelength) {
  const double alpha = wavelength * std::hypot(ky, kx), azimuth = std::atan2(ky, kx);
  const double a2 = alpha * alpha, a3 = a2 * alpha, a4 = a2 * a2;
  const double second = (a.C10 + a.C12 * std::cos(2 * (azimuth - a.phi12))) * a2 / 2;
  const double third =
      (a.C21 * std::cos(azimuth - a.phi21) + a.C23 * std::cos(3 * (azimuth - a.phi23))) * a3 / 3;
  return 2 * pi / wavelength * (second + third + a.C30 * a4 / 4);
}

/// A number that χ is linear in: C_nm cos(m φ_nm), or C_nm sin(m φ_nm), n the order, m the
/// symmetry.
struct AberrationTerm {
  int order = 1, symmetry = 0;
  bool sine = false;
};

/// dχ/dC of a term, rad/Å: 2π/λ α^(n+1) cos(mφ) / (n+1), or sin(mφ), by products, as it is asked of
/// every frequency: α^m e^(imφ) = (α_x + i α_y)^m. Of an aberration n + 1 − m is even.
inline double aberration_slope(const AberrationTerm& term, double ky, double kx,
                               double wavelength) {
  const double y = wavelength * ky, x = wavelength * kx, square = y * y + x * x;
  double cosine = 2 * pi / wavelength / (term.order + 1), sine = 0;
  for (int i = 0; i < term.symmetry; ++i) {
    const double turned = cosine * x - sine * y;
    sine = cosine * y + sine * x;
    cosine = turned;
  }
  double value = term.sine ? sine : cosine;
  int left = term.order + 1 - term.symmetry;
  for (; left > 1; left -= 2) value *= square;
  return left == 1 ? value * std::sqrt(square) : value;
}

}  // namespace ptyle
