#pragma once

#include <vector>

#include "core/array.hpp"

namespace ptyle {

/// A Fourier ring correlation: Σ F G* / sqrt(Σ|F|² Σ|G|²) over rings one frequency step wide.
struct Frc {
  std::vector<double> frequency;  ///< ring's middle, cycles a pixel; the first is one step, not DC
  std::vector<double> correlation;  ///< −1 … 1; 0 where one of the images has nothing in a ring
  std::vector<double> threshold;    ///< ½-bit
  /// Next to nothing there to compare, as below a crystal's first order and between orders: in both
  /// images some ring further out has more power a pixel, and their geometric mean is less than
  /// 1/100 of what it is for those.
  std::vector<bool> empty;
};

/// The curve of two images of one shape, weighted (apodised) alike; their weighted means are
/// removed first. Threshold: van Heel and Schatz, J. Struct. Biol. 151 (2005) 250, Eq. 17,
///   T = (0.2071 + 1.9102/√n) / (1.2071 + 0.9102/√n),
/// n = half the pixels of the ring (an image is real) times (Σw²)²/(N Σw⁴), the fraction of them
/// that the window leaves independent.
Frc fourier_ring_correlation(View<const double, 2> a, View<const double, 2> b,
                             View<const double, 2> weight);

struct Resolution {
  double period = 0;      ///< of `pixel`'s unit; infinite where no ring is above the threshold
  bool at_pixel = false;  ///< the curve stays above it up to Nyquist: 2 pixels, or better
};

/// The frequency at which the curve first falls below the threshold for two rings in a row,
/// interpolated between rings: a lone ring does not end it. Empty rings are passed over: they
/// neither end the curve nor are resolved. An image's noise or a spectrum that falls off leaves no
/// ring empty, so that what agrees at low frequencies alone, or nowhere, says so. The first two
/// rings are left out: the window's width leaves them no independent pixels.
Resolution resolution_of(const Frc& frc, double pixel);

}  // namespace ptyle
