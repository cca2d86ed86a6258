#pragma once

#include "device/ops/limits.hpp"
#include "device/ops/preconditioner.hpp"

namespace ptyle {

/// object ← object − step·M(g), within limits: Precondition and MoveAlong in one go. Where no light
/// fell, g is 0 and the object within its limits, so that it stays as it is.
/// Bytes: reads 2 volumes, writes 1.
template <class T>
struct Descend {
  Descend(View<T, 3> volume, View<const T, 3> gradient, const Preconditioner<T>& m, double length,
          VoxelLimits<T> limits)
      : object(volume.data),
        g(gradient.data),
        by(m),
        step(static_cast<T>(length)),
        within(limits),
        where(pixels_of(volume)) {}
  [[nodiscard]] PTYLE_HOST_DEVICE bool idle(i64 row, i64 col) const {
    return by.dark(row * where.cols + col);
  }
  [[nodiscard]] PTYLE_HOST_DEVICE T at(i64 row, i64 col) const {
    return by.scale(row * where.cols + col, 1);
  }
  PTYLE_HOST_DEVICE void operator()(i64 i, T scale) const {
    object[i] = within(object[i] - step * (scale * g[i]));
  }
  T* object;
  const T* g;
  Preconditioner<T> by;
  T step;
  VoxelLimits<T> within;
  Pixels where;
};

}  // namespace ptyle
