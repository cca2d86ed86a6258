#pragma once

// Three pictures of a specimen without iterations, in the axes of the scan:
//
//   tilt-corrected bright field   Σ_κ w G(q, κ) e^(−2πi s·κ) / Σ_κ w
//   side bands                    φ(q) = Σ_κ w B* G / (Σ_κ w |B|² + ε Σ_κ w),
//                                 B = i (A(κ−Q) e^(−iχ(Q)) − A(κ+Q) e^(iχ(Q))) e^(2πi s·κ)
//   centre of mass                φ(q) = q · g(q) / (2πi q²), g = ∇φ = 2π ⟨k⟩ in the scan's axes
//
// The second is the least-squares phase of a weak phase object (side_bands.hpp), Wigner
// distribution deconvolution in Wiener's form. The mean is taken off all of them.

#include <array>
#include <vector>

#include "analysis/side_bands.hpp"

namespace ptyle {

/// (line, place) of the raster.
struct QuickPictures {
  Array<double, 2> tilt_corrected;  ///< contrast: over the mean, less 1
  Array<double, 2> side_bands;      ///< phase, rad, but for its mean
};
QuickPictures quick_pictures(const BrightFieldImages& images, const ScanRaster& raster,
                             const BeamModel& model, const BeamFrame& frame, int threads);

/// Phase, rad, but for its mean, of the centres of mass, 1/Å on the detector as it is read, one
/// each position of the raster; `there`: of them, those that are known.
Array<double, 2> integrated_centres(const std::vector<Position>& centres,
                                    const std::vector<bool>& there, const ScanRaster& raster,
                                    const BeamModel& model);

/// The image in square pixels, finer by Fourier interpolation, its longer side `longer` pixels or
/// more.
struct SquareImage {
  Array<double, 2> image;
  double pixel = 0;  ///< in the unit of the raster's steps
};
SquareImage in_square_pixels(View<const double, 2> image, const ScanRaster& raster, i64 longer);

/// The values' skewness about their mean; 0 of a constant image.
double skewness(View<const double, 2> image);

}  // namespace ptyle
