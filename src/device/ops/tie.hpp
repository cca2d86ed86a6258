#pragma once

#include "device/ops/kinds.hpp"

namespace ptyle {

/// Each block of planes' mean into its first plane.  Bytes: reads 1 volume, writes 1 of blocks.
template <class T>
struct Tie {
  Tie(View<T, 3> all, i64 block) : volume(all.data), where(pixels_of(all, block)) {}
  [[nodiscard]] PTYLE_HOST_DEVICE T first(i64 i) const { return volume[i]; }
  PTYLE_HOST_DEVICE void next(i64 i, T& sum) const { sum += volume[i]; }
  PTYLE_HOST_DEVICE void last(i64 i, T sum, i64 n) const { volume[i] = sum / static_cast<T>(n); }
  T* volume;
  Pixels where;
};

}  // namespace ptyle
