#pragma once

// Kernels that make one number of many. Each block forms a part in a fixed order; a last one
// joins the parts in theirs. What is joined depends on the shape alone, so the bits are the same
// from run to run.

#include "core/box.hpp"
#include "device/kernel.hpp"
#include "device/kernels/voxels.hpp"

namespace ptyle::kernels {

/// `share` times the largest of(i) of n, or 0, by `blocks` blocks: a part each. Shared: `threads`
/// doubles.
template <class Of>
struct Largest {
  static constexpr int threads = 256;
  Of of;
  i64 n, blocks;
  double share;
  double* to;
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    auto* const most = reinterpret_cast<double*>(block.shared());
    block.threads([&](int t) {
      double mine = 0;
      for (i64 i = i64(block.x) * threads + t; i < n; i += blocks * threads) {
        const double v = of(i);
        mine = v > mine ? v : mine;
      }
      most[t] = mine;
    });
    for (int half = threads / 2; half > 0; half /= 2)
      block.threads([&](int t) {
        if (t < half && most[t + half] > most[t]) most[t] = most[t + half];
      });
    block.threads([&](int t) {
      if (t == 0) to[block.x] = share * most[0];
    });
  }
};

struct Listed {
  const double* values;
  PTYLE_HOST_DEVICE double operator()(i64 i) const { return values[i]; }
};

/// Values of a plane within a box.  Bytes: reads the box.
template <class T>
struct InBox {
  const T* plane;
  i64 nx, row, col, cols;  // of the plane; and of the box
  PTYLE_HOST_DEVICE double operator()(i64 i) const {
    return double(plane[(row + i / cols) * nx + col + i % cols]);
  }
};

/// |a − b|; infinite where one is no number.  Bytes: reads 2 planes.
template <class T>
struct Apart {
  const T *a, *b;
  double infinite;
  PTYLE_HOST_DEVICE double operator()(i64 i) const {
    const double d = double(a[i]) - double(b[i]);
    return d >= 0 ? d : d <= 0 ? -d : infinite;
  }
};

/// Σ of n values by one block. Shared: `threads` doubles.
struct Total {
  static constexpr int threads = 256;
  const double* values;
  i64 n;
  double* to;
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    sum_over_block<1, threads>(
        block,
        [&](int t) {
          Sums<1> sum;
          for (i64 i = t; i < n; i += threads) sum.value[0] += values[i];
          return sum;
        },
        [&](const Sums<1>& sum) { *to = sum.value[0]; });
  }
};

/// d = M(g) in place, in the first planes of blocks of slices, within `region`; and each block's
/// part of Σ g·d over `core`, every slice counted. A thread has a pixel of the region and
/// `together` blocks of slices.  Bytes: reads and writes 1 volume (of blocks). Shared: `threads`
/// doubles.
template <class T>
struct Precondition {
  static constexpr int threads = 256, together = 16;
  T* gradient;
  const T* lit;
  Box region, core;
  i64 slices, nx, pixels, block_of_slices;
  double window2;
  const double* floor;
  i64 blocks;     // along x
  double* parts;  // of Σ; none: not asked for
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    const auto each = [&](int t) {
      Sums<1> sum;
      const i64 i = i64(block.x) * threads + t, n = region.cols.size();
      if (i >= region.rows.size() * n) return sum;
      const i64 y = region.rows.begin + i / n, x = region.cols.begin + i % n;
      const bool counts = core.rows.contains(y) && core.cols.contains(x);
      const T scale = scale_of(lit, y * nx + x, window2, *floor);
      i64 first = i64(block.y) * together * block_of_slices;
      for (int k = 0; k < together && first < slices; ++k, first += block_of_slices) {
        T& at = gradient[first * pixels + y * nx + x];
        const T g = at, d = scale * g;
        at = d;
        const i64 left = slices - first;
        if (counts)
          sum.value[0] +=
              double(g) * double(d) * double(left < block_of_slices ? left : block_of_slices);
      }
      return sum;
    };
    if (parts)
      sum_over_block<1, threads>(block, each, [&](const Sums<1>& sum) {
        parts[i64(block.y) * blocks + block.x] = sum.value[0];
      });
    else
      block.threads([&](int t) { each(t); });
  }
};

}  // namespace ptyle::kernels
