#pragma once

// Faults of detector pixels, by their figures over the scan. Rules and thresholds stand in
// docs/formats.md, under "What is left out".

#include <vector>

#include "prepare/pixel_figures.hpp"
#include "prepare/screening.hpp"

namespace ptyle {

/// Faults of pixels. `left_out`: frames that have next to no numbers.
std::vector<PixelFault> judge_pixels(const RawFrame& frame, const PixelSums& sums, double left_out);

/// Pixels whose values are cut off at a level, in some frame.
struct Clipping {
  i64 pixels = 0;
  double level = 0;
};

/// A level at which values are cut off, among pixels without a fault.
Clipping find_clipping(const RawFrame& frame, const PixelSums& sums, double type_limit,
                       const std::vector<PixelFault>& faults);

}  // namespace ptyle
