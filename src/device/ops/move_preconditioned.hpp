#pragma once

#include "device/ops/limits.hpp"
#include "device/ops/preconditioner.hpp"

namespace ptyle {

/// to = from − step·M(g), within limits, the step a part of M; `to` may be `from`.
/// Bytes: reads 2 volumes, writes 1.
template <class T>
struct MovePreconditioned {
  MovePreconditioned(View<const T, 3> old, View<const T, 3> gradient, const Preconditioner<T>& m,
                     double length, VoxelLimits<T> limits, View<T, 3> moved)
      : from(old.data),
        g(gradient.data),
        to(moved.data),
        by(m),
        step(length),
        within(limits),
        where(pixels_of(old)) {}
  [[nodiscard]] PTYLE_HOST_DEVICE T at(i64 row, i64 col) const {
    return by.scale(row * where.cols + col, step);
  }
  PTYLE_HOST_DEVICE void operator()(i64 i, T scale) const {
    to[i] = within(from[i] - scale * g[i]);
  }
  const T *from, *g;
  T* to;
  Preconditioner<T> by;
  double step;
  VoxelLimits<T> within;
  Pixels where;
};

}  // namespace ptyle
