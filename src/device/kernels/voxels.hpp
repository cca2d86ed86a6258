#pragma once

// Kernels that go through volumes once. Volumes are (plane, pixel); pixels of a plane are next to
// each other for the threads of a block.

#include "device/kernel.hpp"

namespace ptyle::kernels {

/// As std::clamp.
template <class T>
PTYLE_HOST_DEVICE T within(T v, T low, T high) {
  return v < low ? low : high < v ? high : v;
}

/// Calls op(i) for each of n values.
template <class Op>
struct EachValue {
  static constexpr int threads = 256, each = 4;
  Op op;
  i64 n;
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    block.threads([&](int t) {
      for (int k = 0; k < each; ++k) {
        const i64 i = (i64(block.x) * each + k) * threads + t;
        if (i < n) op(i);
      }
    });
  }
  [[nodiscard]] Grid grid() const { return {blocks_for(n, threads * each)}; }
};

/// Calls op(pixel, first plane, end) for each pixel, a part of the planes at a time.
template <class Op>
struct EachPixel {
  static constexpr int threads = 256;
  Op op;
  i64 pixels, planes, part;  // part: planes of a block
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    block.threads([&](int t) {
      const i64 pixel = i64(block.x) * threads + t, first = i64(block.y) * part;
      const i64 end = first + part < planes ? first + part : planes;
      if (pixel < pixels) op(pixel, first, end);
    });
  }
  [[nodiscard]] Grid grid() const {
    return {blocks_for(pixels, threads), (planes + part - 1) / part};
  }
};

/// to += from.  Bytes: reads 2 volumes, writes 1.
template <class T>
struct AddTo {
  const T* from;
  T* to;
  PTYLE_HOST_DEVICE void operator()(i64 i) const { to[i] += from[i]; }
};

/// to = from − step·d, within limits.  Bytes: reads 2 volumes, writes 1.
template <class T>
struct MoveAlong {
  const T *from, *d;
  T* to;
  T step, low, high;
  PTYLE_HOST_DEVICE void operator()(i64 i) const {
    to[i] = within(from[i] - step * d[i], low, high);
  }
};

/// to = from + share·(to − from).  Bytes: reads 2 volumes, writes 1.
template <class T>
struct DrawBack {
  const T* from;
  T* to;
  T share;
  PTYLE_HOST_DEVICE void operator()(i64 i) const { to[i] = from[i] + share * (to[i] - from[i]); }
};

/// The mean of the planes of a block into its first.  Bytes: reads 1 volume, writes 1 of blocks.
template <class T>
struct Tie {
  T* volume;
  i64 pixels;
  PTYLE_HOST_DEVICE void operator()(i64 pixel, i64 first, i64 end) const {
    T sum = volume[first * pixels + pixel];
    for (i64 s = first + 1; s < end; ++s) sum += volume[s * pixels + pixel];
    volume[first * pixels + pixel] = sum / static_cast<T>(end - first);
  }
};

/// The first plane of a block over all of it.  Bytes: reads 1 volume of blocks, writes 1.
template <class T>
struct Untie {
  T* volume;
  i64 pixels;
  PTYLE_HOST_DEVICE void operator()(i64 pixel, i64 first, i64 end) const {
    const T value = volume[first * pixels + pixel];
    for (i64 s = first + 1; s < end; ++s) volume[s * pixels + pixel] = value;
  }
};

/// volume · rows[y] cols[x].  Bytes: reads 1 volume, writes 1.
template <class T>
struct Weigh {
  T* volume;
  const double *rows, *cols;
  i64 pixels, nx;
  PTYLE_HOST_DEVICE void operator()(i64 pixel, i64 first, i64 end) const {
    const T share = static_cast<T>(rows[pixel / nx] * cols[pixel % nx]);
    for (i64 s = first; s < end; ++s) volume[s * pixels + pixel] *= share;
  }
};

/// What M of the illumination preconditioner multiplies a pixel's gradient by:
/// 1 / (window2 (lit + floor)).
template <class T>
PTYLE_HOST_DEVICE T scale_of(const T* lit, i64 pixel, double window2, double floor) {
  return static_cast<T>(1 / (window2 * ((lit ? double(lit[pixel]) : 0) + floor) + 1e-300));
}

/// object ← object − step·M(g), within limits; left alone where no light fell, as g is 0 there.
/// Bytes: reads 2 volumes, writes 1, where light fell.
template <class T>
struct Descend {
  T* object;
  const T *gradient, *lit;
  double window2;
  const double* floor;
  T step, low, high;
  i64 pixels;
  PTYLE_HOST_DEVICE void operator()(i64 pixel, i64 first, i64 end) const {
    if (lit && lit[pixel] == 0) return;
    const T scale = scale_of(lit, pixel, window2, *floor);
    for (i64 s = first; s < end; ++s) {
      const i64 i = s * pixels + pixel;
      object[i] = within(object[i] - step * (scale * gradient[i]), low, high);
    }
  }
};

/// to = from − step·M(g), within limits; without `lit`, M divides by window2 alone.
/// Bytes: reads 2 volumes, writes 1.
template <class T>
struct MovePreconditioned {
  const T *from, *g, *lit;
  T* to;
  double window2;
  const double* floor;
  double step;
  T low, high;
  i64 pixels;
  PTYLE_HOST_DEVICE void operator()(i64 pixel, i64 first, i64 end) const {
    const double divisor = window2 * (lit ? double(lit[pixel]) + *floor : 1);
    const T scale = static_cast<T>(step / (divisor + 1e-300));
    for (i64 s = first; s < end; ++s) {
      const i64 i = s * pixels + pixel;
      to[i] = within(from[i] - scale * g[i], low, high);
    }
  }
};

}  // namespace ptyle::kernels
