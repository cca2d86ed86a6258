#pragma once

#include <array>
#include <cmath>

#include "device/ops/kinds.hpp"
#include "device/ops/limits.hpp"

namespace ptyle {

/// An affine displacement of pixels: d(row, col) = by · (row − centre_row, col − centre_col), px.
struct Displacement {
  std::array<double, 4> by{};  ///< row by row
  std::array<double, 2> centre{};
};

/// to(r) = from(r − d(r)) on every plane, within limits, by cubic convolution (R. Keys, IEEE Trans.
/// Acoust. Speech Signal Process. 29 (1981) 1153); zero outside.  Bytes: reads and writes 1 volume.
template <class T>
struct Warp {
  Warp(View<const T, 3> source, const Displacement& displacement, View<T, 3> destination,
       VoxelLimits<T> limits)
      : from(source.data),
        to(destination.data),
        a(displacement.by[0]),
        b(displacement.by[1]),
        c(displacement.by[2]),
        d(displacement.by[3]),
        row0(displacement.centre[0]),
        col0(displacement.centre[1]),
        within(limits),
        where(pixels_of(destination)) {}

  /// The 4 × 4 values that a pixel is made of, counted from its own; weight 0 outside.
  struct Taps {
    int rows[4], cols[4];
    T by_row[4], by_col[4];
  };
  [[nodiscard]] PTYLE_HOST_DEVICE Taps at(i64 row, i64 col) const {
    const double y = static_cast<double>(row) - row0, x = static_cast<double>(col) - col0;
    Taps taps;
    along(static_cast<double>(row) - (a * y + b * x), row, where.rows, taps.rows, taps.by_row);
    along(static_cast<double>(col) - (c * y + d * x), col, where.cols, taps.cols, taps.by_col);
    return taps;
  }
  PTYLE_HOST_DEVICE void operator()(i64 i, const Taps& taps) const {
    T sum = 0;
    for (int k = 0; k < 4; ++k) {
      T line = 0;
      for (int j = 0; j < 4; ++j)
        line += taps.by_col[j] * from[i + taps.rows[k] * where.cols + taps.cols[j]];
      sum += taps.by_row[k] * line;
    }
    to[i] = within(sum);
  }
  const T* from;
  T* to;
  double a, b, c, d, row0, col0;
  VoxelLimits<T> within;
  Pixels where;

 private:
  PTYLE_HOST_DEVICE static void along(double source, i64 own, i64 count, int (&offsets)[4],
                                      T (&weights)[4]) {
    const double below = std::floor(source);
    const double t = source - below;
    const double w[4] = {t * (-0.5 + t * (1 - 0.5 * t)), 1 + t * t * (-2.5 + 1.5 * t),
                         t * (0.5 + t * (2 - 1.5 * t)), t * t * (-0.5 + 0.5 * t)};
    for (int k = 0; k < 4; ++k) {
      const i64 at = static_cast<i64>(below) + k - 1;
      const bool inside = at >= 0 && at < count;
      offsets[k] = inside ? static_cast<int>(at - own) : 0;
      weights[k] = inside ? static_cast<T>(w[k]) : T(0);
    }
  }
};

}  // namespace ptyle
