#pragma once

// The raster on which the positions of a scan lie, whatever their order, rotated or sheared as it
// is.
//
//   1. the fast step: the median of the steps from a position to the next, forwards or backwards
//   2. the slow step: the median of the steps that lead elsewhere, less whole fast steps
//   3. lines and places in them, by least squares from the middle of the scan outwards, so that
//      errors of the first two do not add up over long lines

#include <array>
#include <optional>
#include <span>
#include <vector>

#include "core/grid.hpp"

namespace ptyle {

struct ScanRaster {
  std::array<i64, 2> shape{};  ///< lines, and places in each (slow, fast)
  Position slow, fast;         ///< steps, in the positions' unit
  std::vector<i64> places;     ///< of each position: line · shape[1] + place in it
};

/// Nothing where the positions lie on no raster to a quarter of a step r.m.s., fill less than three
/// fifths of it, or are a single line.
std::optional<ScanRaster> scan_raster(std::span<const Position> positions);

}  // namespace ptyle
