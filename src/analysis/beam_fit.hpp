#pragma once

// Scan rotation, handedness, defocus and two-fold astigmatism from the images of bright-field
// pixels.
//
//   1. starts: the shifts of the images (parallax), each as both models that it may mean, and
//      models near focus, where images do not shift, at every rotation
//   2. the starts of either handedness that explain the most climb to the top of their hill
//      (side bands), on the strongest frequencies, then the best of each on more of them
//   3. standard errors: the frequencies differ in what they say; neighbours within a cell of three
//      by three, which the scan's edges make alike, count as one. With d_i the derivative of what
//      cell i explains and C the second derivative of all, cov = C⁻¹ (Σ d_i d_iᵀ) C⁻¹, times
//      n / (n − 4) where few cells hold the power; and what few lines blur
//   4. one model is better than another by Student's t of x_i, the share of cell i's power that it
//      explains more, over the n cells of which either explains more than noise would leave; as
//      standard errors of a normal distribution (Wallace, Ann. Math. Stat. 30 (1959) 1121):
//      (8ν + 1) / (8ν + 3) √(ν ln(1 + t²/ν)), ν = n − 1. Each cell has one voice, as the few
//      strongest would decide alone

#include <array>
#include <optional>

#include "analysis/side_bands.hpp"

namespace ptyle {

/// Standard errors; infinite where the images do not determine it.
struct BeamErrors {
  double rotation = 0;           ///< rad
  double C10 = 0, a = 0, b = 0;  ///< Å
};

struct BeamFit {
  BeamModel model;        ///< that explains the most; model.opposite() is its equal
  BeamErrors error;       ///< of the model
  BeamModel other_hand;   ///< the best one of the other handedness
  double handedness = 0;  ///< standard errors by which the model is better than it
  double certainty = 0;   ///< the same against the best one of its handedness elsewhere
  double explained = 0;   ///< share of the strongest frequencies' power
  double by_chance = 0;   ///< share that noise alone would leave explained
};

/// Standard errors from which on one model is told from another.
constexpr double told_apart = 3;

/// The fit to images that are finished. `mirrored`: models of the one handedness alone, none of
/// the other.
BeamFit fit_beam(const BrightFieldImages& images, const ScanRaster& raster, const BeamFrame& frame,
                 int threads, std::optional<bool> mirrored = {});

}  // namespace ptyle
