#pragma once

// The area that a scan covers, and how far its positions lie apart, for a scan of any shape: a
// raster, however rotated, a line, a spiral, or positions by chance.
//
//   1. the median distance of a position to its fourth neighbour: no less than the step of a
//      square raster, nor of one whose steps are up to 4 times as long one way as the other
//   2. positions with none other within 5 of these are left out: one of them may be anywhere
//   3. the convex hull of the others: of a raster, its rectangle
//   4. step = √(area per position), of a line its length per position; where the hull holds much
//      that no position is near, as between two scans, the distance of 1

#include <span>

#include "core/grid.hpp"

namespace ptyle {

/// In the unit of the positions.
struct ScanExtent {
  double area = 0;    ///< of the hull
  double length = 0;  ///< the largest distance of two of its corners
  double step = 0;
  /// The width of a strip; 0 for a line.
  [[nodiscard]] double width() const { return length > 0 ? area / length : 0; }
};

/// All 0 for fewer than two positions.
ScanExtent scan_extent(std::span<const Position> positions);

}  // namespace ptyle
