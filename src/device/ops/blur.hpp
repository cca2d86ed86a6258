#pragma once

// Blurs by weights of distances 0 … reach to both sides, from one volume to another; `weights` lie
// where they do.

#include "device/ops/kinds.hpp"

namespace ptyle {

/// The planes of a blur: those of `from` and of `to` this far from each other, in values.
template <class T>
struct Planewise {
  const T* from;
  i64 from_stride;
  T* to_first;
  i64 to_stride;
};

/// to(p, y, x) = Σ_d w_|d| from(p, y, x + d), zero outside.  Bytes: reads and writes 1 volume.
template <class T>
struct BlurAlongRows {
  Planewise<T> planes;
  const T* weights;
  i64 reach, cols;
  [[nodiscard]] PTYLE_HOST_DEVICE i64 terms() const { return 2 * reach + 1; }
  [[nodiscard]] PTYLE_HOST_DEVICE Term<T> term(i64 plane, i64 row, i64 k) const {
    const i64 d = k - reach;
    return {planes.from + plane * planes.from_stride + row * cols + d,
            {d < 0 ? -d : 0, d < 0 ? cols : cols - d},
            weights[d < 0 ? -d : d]};
  }
  [[nodiscard]] PTYLE_HOST_DEVICE T* to(i64 plane, i64 row) const {
    return planes.to_first + plane * planes.to_stride + row * cols;
  }
};

/// to(p, y, x) = Σ_d w_|d| from(p, y + d, x), zero outside.  Bytes: reads and writes 1 volume.
template <class T>
struct BlurAlongColumns {
  Planewise<T> planes;
  const T* weights;
  i64 reach, rows, cols;
  [[nodiscard]] PTYLE_HOST_DEVICE i64 terms() const { return 2 * reach + 1; }
  [[nodiscard]] PTYLE_HOST_DEVICE Term<T> term(i64 plane, i64 row, i64 k) const {
    const i64 d = k - reach;
    return {planes.from + plane * planes.from_stride + (row + d) * cols,
            {0, row + d >= 0 && row + d < rows ? cols : 0},
            weights[d < 0 ? -d : d]};
  }
  [[nodiscard]] PTYLE_HOST_DEVICE T* to(i64 plane, i64 row) const {
    return planes.to_first + plane * planes.to_stride + row * cols;
  }
};

/// to(z, x) = Σ_d w_|d| from(z + d, x), the end planes repeated outside, of `cols` pixels that lie
/// next to each other.  Bytes: reads and writes so much of each plane.
template <class T>
struct BlurAlongZ {
  Planewise<T> planes;
  const T* weights;
  i64 reach, count, cols;  // count: of planes
  [[nodiscard]] PTYLE_HOST_DEVICE i64 terms() const { return 2 * reach + 1; }
  [[nodiscard]] PTYLE_HOST_DEVICE Term<T> term(i64 plane, i64, i64 k) const {
    const i64 d = k - reach, z = plane + d;
    return {planes.from + (z < 0       ? 0
                           : z < count ? z
                                       : count - 1) *
                              planes.from_stride,
            {0, cols},
            weights[d < 0 ? -d : d]};
  }
  [[nodiscard]] PTYLE_HOST_DEVICE T* to(i64 plane, i64) const {
    return planes.to_first + plane * planes.to_stride;
  }
};

}  // namespace ptyle
