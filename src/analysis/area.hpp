#pragma once

// The part of an object that a scan has seen: the convex hull of its positions.

#include <span>
#include <vector>

#include "core/array.hpp"
#include "core/grid.hpp"

namespace ptyle {

/// Corners of the convex hull in order around it (Andrew's monotone chain, 1979); fewer than three
/// where all points lie on a line.
std::vector<Position> convex_hull(std::vector<Position> points);

/// A box of pixels with, for each, its depth inside the hull.
struct ScanArea {
  i64 first_row = 0, first_col = 0;
  Array<double, 2> depth;  ///< distance from the hull's edge in pixels, ≥ 0 inside, < 0 outside

  /// 1 inside, 0 outside.
  [[nodiscard]] Array<unsigned char, 2> mask() const;
  /// A window that rises from 0 at the hull's edge to 1 over `width` pixels: what is deeper than
  /// width/2, blurred by a Gaussian of σ = width/9. Smooth everywhere, so that what an image has at
  /// low frequencies does not leak into high ones (below 1e-6 beyond a frequency of 8/width).
  [[nodiscard]] Array<double, 2> taper(double width) const;
};

/// The area of positions in pixels, on an object of that shape. Empty depth if none are inside.
ScanArea scan_area(std::span<const Position> positions, const std::array<i64, 2>& shape);

}  // namespace ptyle
