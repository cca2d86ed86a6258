#pragma once

#include "device/ops/preconditioner.hpp"

namespace ptyle {

/// d = M(g) in its place, within `region`, in the first planes of blocks. Its sum is Σ g·d.
/// Bytes: reads and writes 1 volume of blocks.
template <class T>
struct Precondition {
  Precondition(View<T, 3> gradient, const Preconditioner<T>& m, const Box& region, i64 block)
      : g(gradient.data), by(m), where(pixels_of(gradient, block)) {
    where.region = region;
  }
  [[nodiscard]] PTYLE_HOST_DEVICE T at(i64 row, i64 col) const {
    return by.scale(row * where.cols + col, 1);
  }
  PTYLE_HOST_DEVICE double operator()(i64 i, T scale) const {
    const T value = g[i], d = scale * value;
    g[i] = d;
    return double(value) * double(d);
  }
  T* g;
  Preconditioner<T> by;
  Pixels where;
};

}  // namespace ptyle
