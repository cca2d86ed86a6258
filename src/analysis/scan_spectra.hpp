#pragma once

// The frequencies of a scan that hold most of what bright-field images show.
//
//   1. each image, tapered to nothing at the scan's edges (Hann), is transformed
//   2. the power of each frequency, over all blocks; of q and −q, which say the same, one is taken
//   3. the values of the strongest, block by block
//
// A frequency of the raster stands for all that differ from it by whole multiples of the raster's
// reciprocal steps: where steps are longer than the specimen's detail, the true one is another.

#include <array>
#include <vector>

#include "analysis/bright_field.hpp"
#include "analysis/scan_raster.hpp"

namespace ptyle {

struct ScanFrequency {
  std::array<i64, 2> index{};  ///< (slow, fast), signed: periods over the scan
  Position q;                  ///< the smallest of those that it stands for, 1/Å, positions' axes
  double power = 0;            ///< Σ over the blocks of weight · |value|²
};

struct ScanSpectra {
  std::vector<ScanFrequency> frequencies;  ///< the strongest first
  std::vector<Complex<float>> values;      ///< (frequency, block)
  Position repeat_slow, repeat_fast;       ///< reciprocal steps, 1/Å
};

/// Up to `count` frequencies. The lowest, of less than two periods over the scan, are left out: the
/// beam's current and the specimen's thickness are in them.
ScanSpectra strongest_frequencies(const BrightFieldImages& images, const ScanRaster& raster,
                                  i64 count, int threads);

/// The frequency, 1/Å in the positions' axes, of so many periods over the scan (slow, fast).
Position frequency_of(const ScanRaster& raster, const std::array<i64, 2>& index);

}  // namespace ptyle
