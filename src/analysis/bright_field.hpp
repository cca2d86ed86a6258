#pragma once

// The images that pixels of the bright-field disc form over a raster scan.
//
//   1. detector pixels within the disc are summed in square blocks, about its centre
//   2. the patterns come one at a time, in any order; a block's image has a value for each place of
//      the raster
//   3. places without a pattern get the mean of their neighbours
//   4. each image is divided by its mean, which is taken off: contrast is left
//
// Memory: blocks × places × 4 bytes, at most what is allowed; larger scans have larger blocks.

#include <array>
#include <span>
#include <vector>

#include "analysis/shadow.hpp"
#include "core/array.hpp"
#include "core/grid.hpp"

namespace ptyle {

/// The bright-field disc in square blocks of pixels: a grid of side × side about the disc's centre.
class BrightFieldBlocks {
 public:
  /// `valid`: W·W, DC at [0,0]. Blocks less than half of whose pixels are valid and lie in the disc
  /// are left out.
  BrightFieldBlocks(const BrightFieldDisc& disc, View<const float, 2> valid, i64 block);
  [[nodiscard]] i64 block() const { return block_; }  ///< px
  [[nodiscard]] i64 side() const { return side_; }    ///< blocks
  [[nodiscard]] i64 count() const { return static_cast<i64>(cells_.size()); }
  /// Each block's cell of the grid, row · side + column; the centre's is (side / 2, side / 2).
  [[nodiscard]] const std::vector<i64>& cells() const { return cells_; }
  /// Adds the counts of a pattern W·W, DC at [0,0].
  void add(const float* pattern, float* sums) const;

 private:
  struct Pixel {
    i64 at, block;
  };
  i64 block_, side_;
  std::vector<i64> cells_;
  std::vector<Pixel> pixels_;
};

/// The side of a block, px, with which the disc has about 26 of them across, or fewer, so that so
/// many places need no more than `most_bytes`; 0 where it would have fewer than 6.
i64 block_for(const BrightFieldDisc& disc, i64 places, std::size_t most_bytes);

/// Gives places of images (image, line, place) that are not `there` the mean of their neighbours,
/// inwards from those that are.
void fill_missing(View<float, 3> images, std::vector<bool> there);

class BrightFieldImages {
 public:
  /// `shape`: lines, and places in each.
  BrightFieldImages(BrightFieldBlocks blocks, const std::array<i64, 2>& shape);
  /// The pattern (W·W, DC at [0,0]) at a place, line · shape[1] + place in it.
  void set(i64 place, const float* pattern);
  /// The same of its sums, one for each block (BrightFieldBlocks::add).
  void set_sums(i64 place, const float* sums);
  /// Steps 3 and 4, once all patterns are there. False where no block has counts.
  bool finish();

  [[nodiscard]] const BrightFieldBlocks& blocks() const { return blocks_; }
  /// (block, line, place), of mean 0.
  [[nodiscard]] View<const float, 3> images() const { return images_.view(); }
  /// Mean counts of a block over the largest: how much each image is worth, as counting noise has
  /// it.
  [[nodiscard]] const std::vector<double>& weights() const { return weights_; }

 private:
  BrightFieldBlocks blocks_;
  Array<float, 3> images_;
  std::vector<bool> there_;
  std::vector<double> weights_;
  std::vector<float> sums_;
};

}  // namespace ptyle
