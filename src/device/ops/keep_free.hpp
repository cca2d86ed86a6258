#pragma once

#include "device/ops/kinds.hpp"
#include "device/ops/limits.hpp"

namespace ptyle {

/// d = 0 at values that stand at a limit and that descent along the gradient g would take beyond
/// it.  Bytes: reads 3 volumes, writes 1.
template <class T>
struct KeepFree {
  KeepFree(View<const T, 3> at, View<const T, 3> gradient, VoxelLimits<T> limits,
           View<T, 3> direction)
      : v(at.data), g(gradient.data), d(direction.data), within(limits), values(direction.size()) {}
  PTYLE_HOST_DEVICE void operator()(i64 i) const {
    const bool blocked = g[i] > 0 ? v[i] <= within.low : g[i] < 0 && v[i] >= within.high;
    d[i] = blocked ? T(0) : d[i];
  }
  const T *v, *g;
  T* d;
  VoxelLimits<T> within;
  i64 values;
};

}  // namespace ptyle
