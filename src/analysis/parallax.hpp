#pragma once

// The shifts of bright-field images against each other, as one matrix.
//
// The image of detector pixel κ lies shifted by λ J κ (tilt-corrected bright field). For frequency
// q of the scan that is a phase 2π s·κ over the detector, s = λ Jᵀ q: so all images are compared
// with all others at once, frequency by frequency, instead of each with their running mean.
//
//   1. the values of each of the strongest frequencies over the blocks of pixels are transformed
//      once more: the power P(s) is high where the images would agree if they lay apart by s
//   2. J over a grid, as rotation and defocus of either handedness with a little astigmatism:
//      Σ P(λ Jᵀ q), each frequency with the one of its candidates that has most
//   3. the best of them climb to the top of their hill, all four numbers free

#include <array>
#include <vector>

#include "analysis/side_bands.hpp"

namespace ptyle {

/// Jᵀ on vectors z = column + i row: Jᵀ z = u z + v z*, Å. Its determinant is |u|² − |v|².
struct ShiftMatrix {
  Complex<double> u, v;
  double agreement = 0;  ///< in step 2
};

/// Up to `most`, the best first, no two alike. Those of next to no shift are not among them.
std::vector<ShiftMatrix> find_shifts(const SideBands& bands, i64 most, int threads);

/// The two models that a matrix may mean, by its polar decompositions: the first not mirrored, the
/// second mirrored, both underfocused. One of them has more astigmatism than defocus: its symmetric
/// part is indefinite.
std::array<BeamModel, 2> models_of(const ShiftMatrix& shifts);

}  // namespace ptyle
