#pragma once

// Blurs by weights of distances 0 … reach to both sides. Each goes from a volume to a scratch or
// back; neighbours' values come from the cache.

#include "device/kernel.hpp"

namespace ptyle::kernels {

/// to(p, y, x) = Σ_d w_|d| from(p, y, x + d), zero outside.  Bytes: reads and writes 1 plane.
template <class T>
struct BlurAlongRows {
  static constexpr int threads = 256;
  const T* from;
  T* to;
  const T* weights;
  i64 reach, nx, pixels, from_stride;  // the stride: from a plane to the next, values
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    block.threads([&](int t) {
      const i64 i = i64(block.x) * threads + t;
      if (i >= pixels) return;
      const i64 x = i % nx;
      const T* const at = from + block.y * from_stride + i;
      T sum = 0;
      for (i64 d = -reach; d <= reach; ++d)
        if (x + d >= 0 && x + d < nx) sum += weights[d < 0 ? -d : d] * at[d];
      to[block.y * pixels + i] = sum;
    });
  }
};

/// to(p, y, x) = Σ_d w_|d| from(p, y + d, x), zero outside.  Bytes: reads and writes 1 plane.
template <class T>
struct BlurAlongColumns {
  static constexpr int threads = 256;
  const T* from;
  T* to;
  const T* weights;
  i64 reach, nx, pixels, to_stride;
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    block.threads([&](int t) {
      const i64 i = i64(block.x) * threads + t;
      if (i >= pixels) return;
      const T* const at = from + block.y * pixels + i;
      T sum = 0;
      for (i64 d = -reach; d <= reach; ++d)
        if (i + d * nx >= 0 && i + d * nx < pixels) sum += weights[d < 0 ? -d : d] * at[d * nx];
      to[block.y * to_stride + i] = sum;
    });
  }
};

/// to(z, i) = Σ_d w_|d| from(z + d, first + i), the end planes repeated outside, of n pixels from
/// `first` on.  Bytes: reads and writes n · planes.
template <class T>
struct BlurAlongZ {
  static constexpr int threads = 256;
  const T* from;
  T* to;
  const T* weights;
  i64 reach, first, n, pixels, planes;
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    block.threads([&](int t) {
      const i64 i = i64(block.x) * threads + t;
      if (i >= n) return;
      T sum = 0;
      for (i64 d = -reach; d <= reach; ++d) {
        i64 z = block.y + d;
        z = z < 0 ? 0 : z >= planes ? planes - 1 : z;
        sum += weights[d < 0 ? -d : d] * from[z * pixels + first + i];
      }
      to[block.y * n + i] = sum;
    });
  }
};

/// to(z, first + i) = from(z, i)
template <class T>
struct PutBack {
  static constexpr int threads = 256;
  const T* from;
  T* to;
  i64 first, n, pixels;
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    block.threads([&](int t) {
      const i64 i = i64(block.x) * threads + t;
      if (i < n) to[block.y * pixels + first + i] = from[block.y * n + i];
    });
  }
};

}  // namespace ptyle::kernels
