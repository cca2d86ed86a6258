#pragma once

#include <cstdint>

#include "device/ops/kinds.hpp"

namespace ptyle {

/// volume = 0 where `support` is 0.  Bytes: reads 1 plane of a byte, writes what is outside.
template <class T>
struct Blank {
  Blank(View<T, 3> all, View<const std::uint8_t, 2> support)
      : volume(all.data), inside(support.data), where(pixels_of(all)) {}
  [[nodiscard]] PTYLE_HOST_DEVICE bool idle(i64 row, i64 col) const {
    return inside[row * where.cols + col] != 0;
  }
  [[nodiscard]] PTYLE_HOST_DEVICE bool at(i64 row, i64 col) const { return idle(row, col); }
  PTYLE_HOST_DEVICE void operator()(i64 i, bool kept) const {
    if (!kept) volume[i] = 0;
  }
  T* volume;
  const std::uint8_t* inside;
  Pixels where;
};

}  // namespace ptyle
