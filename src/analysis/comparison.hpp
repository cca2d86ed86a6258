#pragma once

// How far a reconstructed object agrees with a reference (the truth of a simulated set, or another
// result), over the scanned area:
//   1. the reference's pixels inside the convex hull of its positions are compared;
//   2. the result is laid on them: by the positions in both files, then by the sub-pixel shift that
//      registers the summed phases (a shift of object and probe together leaves all patterns
//      alone);
//   3. a constant and a linear ramp are removed from each slice by least squares: a constant is
//      never determined, moves freely between slices, and so do ramps (the beam's tilt between
//      them);
//   4. figures for each slice, where the slices correspond, and for their sum.

#include <optional>
#include <span>
#include <vector>

#include "analysis/frc.hpp"
#include "core/array.hpp"
#include "core/grid.hpp"

namespace ptyle {

/// An object and where its positions lie on it.
struct ComparedObject {
  View<const float, 3> phase;           ///< (slice, row, col), rad
  std::span<const Position> positions;  ///< Å from the centre of pixel [0, 0]
  double pixel_size = 1;                ///< Å
  double slice_thickness = 0;           ///< Å; 0: not known
  std::optional<Position> origin;       ///< of pixel [0, 0] in the measured set's coordinates, Å
};

struct Agreement {
  double rmse = 0;         ///< rad
  double ssim = 0;         ///< Wang et al. 2004, with the reference's range over the area as L
  double correlation = 0;  ///< Pearson's
  Resolution resolution;   ///< ½-bit
};

struct Comparison {
  Position shift;  ///< of the result against the reference beyond the positions, Å
  i64 first_row = 0, first_col = 0;    ///< of the compared box, in the reference's pixels
  Array<unsigned char, 2> area;        ///< 1 inside the scanned area; the shape of the box
  Array<double, 2> result, reference;  ///< summed phases over the box, registered, rad
  Frc frc;                             ///< of the summed phases
  Agreement summed;
  std::vector<Agreement> slices;  ///< empty where the slices do not correspond
};

/// Throws UserError where the pixel sizes differ by more than 1e-3, the areas do not overlap, or
/// the positions cannot be brought together.
Comparison compare_objects(const ComparedObject& result, const ComparedObject& reference,
                           int threads);

}  // namespace ptyle
