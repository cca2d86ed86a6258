#pragma once

#include "device/ops/kinds.hpp"
#include "device/ops/limits.hpp"

namespace ptyle {

/// to = from − step·d, within limits; `to` may be `from` or `d`.  Bytes: reads 2 volumes, writes 1.
template <class T>
struct MoveAlong {
  MoveAlong(View<const T, 3> old, View<const T, 3> direction, double length, VoxelLimits<T> limits,
            View<T, 3> moved)
      : from(old.data),
        d(direction.data),
        to(moved.data),
        step(static_cast<T>(length)),
        within(limits),
        values(old.size()) {}
  PTYLE_HOST_DEVICE void operator()(i64 i) const { to[i] = within(from[i] - step * d[i]); }
  const T *from, *d;
  T* to;
  T step;
  VoxelLimits<T> within;
  i64 values;
};

}  // namespace ptyle
