#pragma once

// How well a model of the beam explains the images of bright-field pixels.
//
// A specimen that changes a wave little, by t = 1 + i φ − μ, puts two side bands into G(q, κ), the
// transform over the scan of detector pixel κ's image over its mean. With the beam
// Ã(κ) = A(κ) e^(−iχ(κ)), A = 1 within the aperture:
//
//   G(q, κ) = (i φ(q) − μ(q)) Ã*(κ) Ã(κ−Q) − (i φ(q) + μ(q)) Ã(κ) Ã*(κ+Q)            Q = R(θ) q
//
// [Rodenburg, McCallum, Nellist, Ultramicroscopy 48 (1993) 304]. For χ = πλ κᵀHκ, of defocus and
// two-fold astigmatism, both products turn with κ alike:
//
//   Ã*(κ) Ã(κ−Q) = A(κ−Q) e^(−iχ(Q)) e^(2πi s·κ)      Ã(κ) Ã*(κ+Q) = A(κ+Q) e^(iχ(Q)) e^(2πi s·κ)
//   s = λ H Q
//
// s is how far the images of pixels one frequency unit apart lie apart: the shift of tilt-corrected
// bright field. So for each q, with both bands' amplitudes free,
//
//   G(q, κ) ≈ (g₁ A(κ−Q) + g₂ A(κ+Q)) e^(2πi s·κ)
//
// and Σ_κ w |G|² that the least squares take away is what the model explains. Phase and absorption
// are free, so thick and dark specimens fit as well. The model is the same for (θ + 180°, −H).

#include <algorithm>
#include <vector>

#include "analysis/bright_field.hpp"
#include "analysis/scan_spectra.hpp"
#include "physics/aberrations.hpp"

namespace ptyle {

/// How the scan lies to the detector, and the beam's aberrations of second order.
struct BeamModel {
  double rotation = 0;    ///< θ by which the positions are rotated further, rad
  bool mirrored = false;  ///< the detector's columns are mirrored first
  double C10 = 0;         ///< Å, negative = underfocus
  double a = 0, b = 0;    ///< C12 cos 2ϕ12 and C12 sin 2ϕ12, Å
  /// The equal one: 180° more, with the opposite aberrations.
  [[nodiscard]] BeamModel opposite() const;
  [[nodiscard]] Aberrations aberrations() const;
};

/// Detector and beam, the same to all models.
struct BeamFrame {
  double wavelength = 0;  ///< Å
  double aperture = 0;    ///< radius, 1/Å
  double block = 0;       ///< side of a block of pixels, 1/Å
};

/// A frequency as the detector sees it.
struct SeenFrequency {
  Position q;      ///< Q on the detector as it is read, 1/Å
  Position slope;  ///< s there, Å
};
SeenFrequency seen(const BeamModel& model, Position q, double wavelength);

class SideBands {
 public:
  SideBands(const BrightFieldImages& images, ScanSpectra spectra, const BeamFrame& frame);

  [[nodiscard]] const BeamFrame& frame() const { return frame_; }
  [[nodiscard]] i64 count() const { return static_cast<i64>(spectra_.frequencies.size()); }
  [[nodiscard]] const ScanFrequency& frequency(i64 f) const { return spectra_.frequencies[f]; }
  /// Those that the raster's frequency f stands for, up to 1.3 apertures, of which one is the true
  /// one.
  [[nodiscard]] const std::vector<Position>& candidates(i64 f) const { return candidates_[f]; }
  [[nodiscard]] i64 side() const { return side_; }  ///< of the grid of blocks
  /// Weight · value of frequency f on the grid of blocks, 0 where there is none.
  [[nodiscard]] const Complex<float>* values(i64 f) const { return &values_[f * side_ * side_]; }
  /// Σ of the blocks' weights.
  [[nodiscard]] double weight() const { return weight_; }
  /// Σ of the frequencies' power, of which a model explains a part.
  [[nodiscard]] double power() const;

  /// The power of each frequency that the model explains with the best of its candidates.
  [[nodiscard]] std::vector<double> each(const BeamModel& model) const;
  [[nodiscard]] double explained(const BeamModel& model) const;
  /// From now on each frequency has the one candidate that explains most.
  void settle(const BeamModel& model);

 private:
  [[nodiscard]] double explained(i64 f, Position q, const BeamModel& model) const;
  ScanSpectra spectra_;
  BeamFrame frame_;
  i64 side_;
  double weight_ = 0;
  std::vector<float> weights_;          // on the grid
  std::vector<Complex<float>> values_;  // (frequency, grid), weighted
  std::vector<std::vector<Position>> candidates_;
};

/// The part of the aperture that covers a block whose centre lies k from the aperture's: the rim is
/// as wide as the block, (A − |k|) / block + ½, linear in k² there.
class Rim {
 public:
  explicit Rim(const BeamFrame& frame)
      : factor_(static_cast<float>(1 / (2 * frame.aperture * frame.block))),
        offset_(static_cast<float>(frame.aperture / (2 * frame.block) + 0.5)) {}
  [[nodiscard]] float scaled(double k) const { return factor_ * static_cast<float>(k * k); }
  /// `row`, `col`: the scaled squares of k's coordinates.
  [[nodiscard]] float covered(float row, float col) const {
    return std::min(1.0F, std::max(0.0F, offset_ - row - col));
  }

 private:
  float factor_, offset_;
};

}  // namespace ptyle
