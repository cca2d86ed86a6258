#pragma once

// One rank's share of a fit: its part of the object, and its positions.

#include <algorithm>
#include <vector>

#include "core/box.hpp"

namespace ptyle {

/// A part of the object in the pixels of arrays that cover `box`.
inline Box placed_in(const Box& part, const Box& box) {
  const i64 row = box.rows.begin, col = box.cols.begin;
  return {{part.rows.begin - row, part.rows.end - row},
          {part.cols.begin - col, part.cols.end - col}};
}

struct Tile {
  Box core, box;           ///< object pixels; `box`: the extended tile, which arrays cover
  std::vector<i64> own;    ///< global numbers of positions
  std::vector<i64> extra;  ///< neighbours', where ranks exchange voxels

  /// A box of the object in the arrays' own pixels.
  [[nodiscard]] Box on_arrays(const Box& part) const { return placed_in(part, box); }
};

/// The place of a position in a list that ascends and has it.
inline i64 place_in(const std::vector<i64>& list, i64 position) {
  return std::lower_bound(list.begin(), list.end(), position) - list.begin();
}

}  // namespace ptyle
