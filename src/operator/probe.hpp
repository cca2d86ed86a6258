#pragma once

#include <array>
#include <vector>

#include "core/array.hpp"
#include "physics/aberrations.hpp"

namespace ptyle {

/// The optics that form the probe.
struct ProbeOptics {
  double wavelength = 0;    ///< Å
  double semi_angle = 0;    ///< convergence semi-angle, rad
  Aberrations aberrations;  ///< Å, rad
  /// The aperture's centre, the zero frequency, on the detector: (row, col) px from [W/2, W/2].
  std::array<double, 2> centre{};
};

/// The probe of a coherent source: IFFT(aperture · exp(−iχ)), centred on [W/2, W/2], window of W
/// pixels of `pixel` Å, Σ|probe|² = 1. `edge` is the width of the aperture's rim in frequency
/// pixels: 0 is a hard edge, 1 tapers over one pixel.
Array<Complex<double>, 2> form_probe(const ProbeOptics& optics, i64 window, double pixel,
                                     double edge = 1);

/// Orthogonal modes from one: mode m is the probe times the m-th Hermite function about its centre
/// of mass, with the given fraction of the power (sums to 1). Booked as "probe".
Array<Complex<double>, 3> spread_modes(View<const Complex<double>, 2> probe,
                                       const std::vector<double>& power_shares,
                                       Ledger* ledger = nullptr);

/// The same probe as orthogonal modes, the strongest first. They are a unitary mixture of what is
/// given, so that Σ_m |Ψ_m|² of every pattern stays. Mixtures of modes of equal power, and all
/// phases, are chosen so that rounding does not decide (core/eigen).
Array<Complex<double>, 3> orthogonal_modes(Array<Complex<double>, 3> modes);

}  // namespace ptyle
