#pragma once

#include "device/ops/kinds.hpp"

namespace ptyle {

/// First planes copied over their block.  Bytes: reads 1 volume of blocks, writes the rest.
template <class T>
struct Untie {
  Untie(View<T, 3> all, i64 block) : volume(all.data), where(pixels_of(all, block)) {}
  [[nodiscard]] PTYLE_HOST_DEVICE T first(i64 i) const { return volume[i]; }
  PTYLE_HOST_DEVICE void next(i64 i, T& value) const { volume[i] = value; }
  PTYLE_HOST_DEVICE void last(i64, T, i64) const {}
  T* volume;
  Pixels where;
};

}  // namespace ptyle
