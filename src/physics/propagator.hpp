#pragma once

#include <cmath>
#include <complex>
#include <vector>

#include "core/grid.hpp"
#include "core/units.hpp"

namespace ptyle {

/// Specimen mistilt, rad, about the axes (row, col).
struct Tilt {
  double row = 0, col = 0;
};

/// Fresnel propagation over Δz (Å), at the frequency (ky, kx) in 1/Å:
/// P = exp(−iπ λ Δz k²) · exp(2πi Δz (kx tan θx + ky tan θy)).
inline std::complex<double> propagation(double ky, double kx, double wavelength, double dz,
                                        Tilt tilt = {}) {
  const double phase = -pi * wavelength * dz * (ky * ky + kx * kx) +
                       2 * pi * dz * (kx * std::tan(tilt.col) + ky * std::tan(tilt.row));
  return std::polar(1.0, phase);
}

/// Change of the phase of P, rad, a unit of Δz (Å), and a unit of each angle of the tilt (rad).
struct PropagationSlope {
  double thickness = 0, tilt_row = 0, tilt_col = 0;
};

/// These at any frequency, of one Δz and tilt.
class PropagationSlopes {
 public:
  PropagationSlopes(double wavelength, double dz, Tilt tilt = {})
      : curvature_(-pi * wavelength),
        row_(2 * pi * std::tan(tilt.row)),
        col_(2 * pi * std::tan(tilt.col)),
        by_row_(2 * pi * dz / (std::cos(tilt.row) * std::cos(tilt.row))),
        by_col_(2 * pi * dz / (std::cos(tilt.col) * std::cos(tilt.col))) {}
  [[nodiscard]] PropagationSlope operator()(double ky, double kx) const {
    return {curvature_ * (ky * ky + kx * kx) + kx * col_ + ky * row_, ky * by_row_, kx * by_col_};
  }

 private:
  double curvature_, row_, col_, by_row_, by_col_;
};

/// The propagator on a W×W window of pixels of `pixel` Å, DC at [0,0]; with `band_limit` (a
/// fraction of the Nyquist frequency, e.g. 2/3) it is zero beyond that radius.
inline std::vector<std::complex<double>> propagator(i64 window, double pixel, double wavelength,
                                                    double dz, Tilt tilt = {},
                                                    double band_limit = 0) {
  std::vector<std::complex<double>> p(static_cast<std::size_t>(window * window));
  const double dk = 1 / (window * pixel), cut = band_limit * 0.5 / pixel;
  for (i64 y = 0; y < window; ++y)
    for (i64 x = 0; x < window; ++x) {
      const double ky = dk * frequency_index(y, window), kx = dk * frequency_index(x, window);
      const bool inside = band_limit <= 0 || std::hypot(ky, kx) <= cut;
      p[y * window + x] = inside ? propagation(ky, kx, wavelength, dz, tilt) : 0.0;
    }
  return p;
}

}  // namespace ptyle
