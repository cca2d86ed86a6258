#pragma once

#include <algorithm>

#include "core/array.hpp"

namespace ptyle {

/// How many of so many rows are held at a time while they are written or read: some MB.
constexpr i64 rows_at_a_time(i64 rows, i64 cols) {
  constexpr i64 values = i64{1} << 20;
  return std::clamp<i64>(values / std::max<i64>(1, cols), 1, std::max<i64>(1, rows));
}

}  // namespace ptyle
