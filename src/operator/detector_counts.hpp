#pragma once

// The counts that waves at the detector make, and how stiff the cost is there.

#include <algorithm>
#include <complex>
#include <vector>

#include "core/array.hpp"
#include "operator/operator.hpp"
#include "physics/loss/losses.hpp"

namespace ptyle {

/// I = b + Σ_m |Ψ_m|², of waves [modes, window, window], to window² numbers; b: counts of every
/// pixel beside the waves'.
template <class T, class Counts>
void detector_counts(View<const Complex<T>, 3> waves, double background, Counts* to) {
  const i64 pixels = waves.shape[1] * waves.shape[2];
  std::fill_n(to, pixels, static_cast<Counts>(background));
  for (i64 m = 0; m < waves.shape[0]; ++m)
    for (i64 k = 0; k < pixels; ++k)
      to[k] += static_cast<Counts>(std::norm(waves.data[m * pixels + k]));
}

/// f" of each pixel at a perfect fit, whose counts are those of these waves; 0 where none is
/// measured. `weight` and `valid` [window, window], empty: 1.
template <class T>
std::vector<double> curvature_weights(const OperatorSetup& setup, View<const Complex<T>, 3> waves,
                                      View<const T, 2> weight, View<const T, 2> valid) {
  std::vector<double> all(static_cast<std::size_t>(waves.shape[1] * waves.shape[2]));
  detector_counts(waves, setup.background, all.data());
  with_loss(setup.loss, [&](auto loss) {
    for (std::size_t k = 0; k < all.size(); ++k) {
      const double w = (weight.empty() ? 1.0 : static_cast<double>(weight.data[k])) *
                       (valid.empty() ? 1.0 : static_cast<double>(valid.data[k]));
      const double lit = all[k] + setup.epsilon;
      all[k] = w > 0 && lit > 0 ? loss.curvature(w, lit) : 0;
    }
  });
  return all;
}

}  // namespace ptyle
