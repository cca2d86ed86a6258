#pragma once

#include <algorithm>
#include <limits>
#include <span>

#include "core/grid.hpp"

namespace ptyle {

/// The smallest box that holds some positions, in their unit; of none, `low` is above `high`.
struct Bounds {
  static constexpr double far = std::numeric_limits<double>::infinity();
  Position low{far, far}, high{-far, -far};
  void include(const Position& p) {
    low = {std::min(low.row, p.row), std::min(low.col, p.col)};
    high = {std::max(high.row, p.row), std::max(high.col, p.col)};
  }
  [[nodiscard]] double rows() const { return high.row - low.row; }
  [[nodiscard]] double cols() const { return high.col - low.col; }
};

inline Bounds bounds_of(std::span<const Position> positions) {
  Bounds bounds;
  for (const Position& p : positions) bounds.include(p);
  return bounds;
}

}  // namespace ptyle
