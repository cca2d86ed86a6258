#pragma once

#include "device/ops/kinds.hpp"
#include "device/ops/limits.hpp"

namespace ptyle {

/// next ← next + momentum·(next − last), within limits, and last ← next as it was.
/// Bytes: reads and writes 2 volumes.
template <class T>
struct Extrapolate {
  Extrapolate(View<T, 3> of_last, double of_step, VoxelLimits<T> limits, View<T, 3> of_next)
      : last(of_last.data),
        next(of_next.data),
        momentum(static_cast<T>(of_step)),
        within(limits),
        values(of_next.size()) {}
  PTYLE_HOST_DEVICE void operator()(i64 i) const {
    const T now = next[i];
    next[i] = within(now + momentum * (now - last[i]));
    last[i] = now;
  }
  T *last, *next;
  T momentum;
  VoxelLimits<T> within;
  i64 values;
};

}  // namespace ptyle
