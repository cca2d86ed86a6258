#pragma once

// Patterns in coarse blocks, which tell whether frames come late against the scan's positions.

#include <array>
#include <vector>

#include "core/array.hpp"
#include "core/grid.hpp"

namespace ptyle {

/// Coarse counts of a pattern, in 8 × 8 blocks that are finer towards the undiffracted beam, and
/// two numbers that sum them up.
class CoarsePattern {
 public:
  static constexpr i64 groups = 8;
  /// Windows are W × W, DC at [0,0].
  explicit CoarsePattern(i64 window);
  /// Takes a row of the pattern in; rows in ascending order.
  void begin();
  void add_row(i64 y, const double* row);
  void finish();
  [[nodiscard]] const std::array<double, groups * groups>& blocks() const { return blocks_; }
  [[nodiscard]] double total() const;
  /// The centre of mass, px of the window from DC; (0, 0) without counts.
  [[nodiscard]] const Position& centre() const { return centre_; }
  /// Blocks without counts as bits, of either half of the blocks.
  [[nodiscard]] std::array<double, 2> dark() const;
  /// Whole numbers whose blocks differ anywhere hardly ever have the same.
  [[nodiscard]] double signature() const;

 private:
  i64 window_;
  std::vector<i64> group_;       // of a row or column
  std::vector<double> rows_;     // (group, column)
  std::vector<double> moments_;  // by column: Σ counts · distance of the row from DC
  Position centre_;
  std::array<double, groups * groups> blocks_{};
};

/// The number of frames by which all come late (below 0: early) against a raster's positions: where
/// a line ends, patterns change more than from step to step (or less, as it happens in a crystal),
/// and that is seen at another place within the lines. 0 where it is seen at the end, or nowhere.
/// `blocks`: (pattern, block) of whole lines, the first ones.
i64 frames_late(const std::vector<double>& blocks, const std::array<i64, 2>& lines);

}  // namespace ptyle
