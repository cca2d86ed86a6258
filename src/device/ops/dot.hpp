#pragma once

#include "device/ops/kinds.hpp"

namespace ptyle {

/// Σ a·b, in double.  Bytes: reads 2 volumes.
template <class T>
struct Dot {
  Dot(View<const T, 3> one, View<const T, 3> other)
      : a(one.data), b(other.data), where(pixels_of(one)) {}
  [[nodiscard]] PTYLE_HOST_DEVICE bool at(i64, i64) const { return true; }
  PTYLE_HOST_DEVICE double operator()(i64 i, bool) const { return double(a[i]) * double(b[i]); }
  const T *a, *b;
  Pixels where;
};

/// Σ g·(to − from), in double: the slope along a step.  Bytes: reads 3 volumes.
template <class T>
struct DotOfStep {
  DotOfStep(View<const T, 3> slope, View<const T, 3> before, View<const T, 3> after)
      : g(slope.data), from(before.data), to(after.data), where(pixels_of(slope)) {}
  [[nodiscard]] PTYLE_HOST_DEVICE bool at(i64, i64) const { return true; }
  PTYLE_HOST_DEVICE double operator()(i64 i, bool) const {
    return double(g[i]) * (double(to[i]) - double(from[i]));
  }
  const T *g, *from, *to;
  Pixels where;
};

}  // namespace ptyle
