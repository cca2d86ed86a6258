#pragma once

// One rank's share of a fit: its part of the object, and its positions.

#include <vector>

#include "core/box.hpp"

namespace ptyle {

struct Tile {
  Box core, box;           ///< object pixels; `box`: the extended tile, which arrays cover
  std::vector<i64> own;    ///< global numbers of positions
  std::vector<i64> extra;  ///< neighbours', where ranks exchange voxels

  /// A box of the object in the arrays' own pixels.
  [[nodiscard]] Box on_arrays(const Box& part) const {
    const i64 row = box.rows.begin, col = box.cols.begin;
    return {{part.rows.begin - row, part.rows.end - row},
            {part.cols.begin - col, part.cols.end - col}};
  }
};

}  // namespace ptyle
