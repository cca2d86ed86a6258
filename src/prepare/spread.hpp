#pragma once

// How far positions lie from each other, against the pixel and the window.

#include <string>
#include <vector>

#include "core/array.hpp"
#include "core/grid.hpp"

namespace ptyle {

/// A wrong unit or calibration shows: all probes on one pixel, or each alone in its window.
void warn_of_spread(const std::vector<Position>& at, double pixel, i64 window,
                    std::vector<std::string>& warnings);

/// The object reaches over all parts of a scan, and takes the more memory. `numbers` of the
/// positions within the scan, `name` of their dataset.
void warn_of_far_parts(const std::vector<Position>& positions, const std::vector<i64>& numbers,
                       const std::string& name, double pixel, i64 window,
                       std::vector<std::string>& warnings);

}  // namespace ptyle
