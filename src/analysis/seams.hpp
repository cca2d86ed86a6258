#pragma once

// Does an object that was put together from tiles show where they meet?

#include <span>

#include "core/array.hpp"

namespace ptyle {

/// Steps between neighbouring pixels, along rows and columns and in all slices.
struct Seams {
  double across = 0;     ///< mean |step| from a tile's core to the next
  double elsewhere = 0;  ///< mean |step| between all other neighbours

  /// The seam figure: `across` over `elsewhere`. A smooth object without seams has about 1, but a
  /// crystal's columns may lie on a border or beside it: what says more is its excess over the
  /// figure of the same object, fitted without tiles, at the same lines. 0 where there is no step.
  [[nodiscard]] double figure() const { return elsewhere > 0 ? across / elsewhere : 0; }
};

/// `phase` (slice, row, col); cores meet before the rows `row_cuts` and the columns `col_cuts`; a
/// step counts where `area` (row, col) is 1 on both its sides.
Seams find_seams(View<const double, 3> phase, std::span<const i64> row_cuts,
                 std::span<const i64> col_cuts, View<const unsigned char, 2> area);

}  // namespace ptyle
