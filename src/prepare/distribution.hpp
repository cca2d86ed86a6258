#pragma once

// How the patterns of a measurement are distributed among ranks, each of which prepares it at once.

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "core/array.hpp"
#include "core/grid.hpp"
#include "core/scratch.hpp"

namespace ptyle {

/// The patterns that a rank holds: places in Experiment::positions, ascending. Every pattern is
/// some rank's own, once; what more a rank holds is extra, and counts in no figure.
struct Kept {
  std::vector<i64> own, extra;
};

/// One rank's part in preparing a measurement together. Its calls are made by all ranks in the same
/// order.
struct Distribution {
  int rank = 0, ranks = 1;
  /// The patterns that this rank keeps, asked once all positions (Å, or px in pixel units) are
  /// known, before the patterns are read; the same positions, window W and object pixel (Å; 1 in
  /// pixel units) on all.
  std::function<Kept(std::span<const Position>, i64 window, double pixel)> mine;
  /// Sums each value over all ranks, in place: the same bits on all of them.
  std::function<void(std::span<double>)> sum;
  /// The largest of each value over all ranks, in place.
  std::function<void(std::span<double>)> maximum;
  /// The disk on which so many bytes of patterns that this rank keeps are to lie, asked before they
  /// are read; null, or no function: they lie in memory.
  std::function<std::shared_ptr<Scratch>(double bytes)> scratch = {};
};

}  // namespace ptyle
