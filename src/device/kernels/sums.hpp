#pragma once

// Kernels that make one number of many. Each block forms a part in a fixed order; a last one
// joins the parts in theirs. What is joined depends on the shape alone, so the bits are the same
// from run to run.

#include <algorithm>

#include "device/kernels/run.hpp"

namespace ptyle {
namespace kernels {

/// `share` times the largest of a measure, or 0, by `blocks` blocks: a part each. Shared: `threads`
/// doubles.
template <class Op>
struct Largest {
  static constexpr int threads = 256;
  Op op;
  i64 blocks;
  double share;
  double* to;
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    auto* const most = reinterpret_cast<double*>(block.shared());
    block.threads([&](int t) {
      double mine = 0;
      for (i64 i = i64(block.x) * threads + t; i < op.rows * op.cols; i += blocks * threads) {
        const double v = op(i / op.cols, i % op.cols);
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

/// Numbers in a row, as a measure.
struct Listed {
  const double* values;
  i64 cols;
  i64 rows = 1;
  PTYLE_HOST_DEVICE double operator()(i64, i64 i) const { return values[i]; }
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

/// An operation of pixels, and each block's part of its sum over `core`, every plane of a block
/// counted. Shared: `threads` doubles.
template <OfPixels Op>
struct SumPixels {
  using Threads = PixelThreads<Op>;
  static constexpr int threads = Threads::threads;
  Op op;
  Box core;
  i64 blocks;  // along x
  double* parts;
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    const auto each = [&](int t) {
      Sums<1> sum;
      Threads::go(op, i64(block.x) * threads + t, block.y,
                  [&](i64 i, const auto& kept, i64 row, i64 col, i64 plane) {
                    const double one = op(i, kept);
                    if (core.rows.contains(row) && core.cols.contains(col))
                      sum.value[0] += one * double(op.where.of_block(plane));
                  });
      return sum;
    };
    sum_over_block<1, threads>(block, each, [&](const Sums<1>& sum) {
      parts[i64(block.y) * blocks + block.x] = sum.value[0];
    });
  }
};

}  // namespace kernels

/// Numbers that sum_on needs room for on a GPU.
template <OfPixels Op>
i64 parts_of_sum(const Op& op) {
  const Grid grid = kernels::PixelThreads<Op>::grid(op.where);
  return grid.x * grid.y + 1;
}
/// Runs it; the sum is what `parts` begins with, on the GPU.
template <std::derived_from<Memory> Gpu, OfPixels Op>
void sum_on(Gpu& gpu, const Op& op, const Box& core, double* parts) {
  using Kernel = kernels::SumPixels<Op>;
  using Total = kernels::Total;
  const Grid grid = Kernel::Threads::grid(op.where);
  gpu.launch(Kernel{op, core, grid.x, parts + 1}, grid, Kernel::threads * sizeof(double));
  gpu.launch(Total{parts + 1, grid.x * grid.y, parts}, {}, Total::threads * sizeof(double));
}

/// Numbers that largest_on needs room for on a GPU.
constexpr i64 parts_of_largest = 512;
/// *to = `share` times the largest that a measure finds, or 0, on the GPU.
template <std::derived_from<Memory> Gpu, class Op>
void largest_on(Gpu& gpu, const Op& op, double share, double* parts, double* to) {
  using Kernel = kernels::Largest<Op>;
  using Last = kernels::Largest<kernels::Listed>;
  if (op.rows <= 0 || op.cols <= 0) return gpu.zero(to, sizeof *to);
  const i64 blocks = std::min(parts_of_largest, blocks_for(op.rows * op.cols, Kernel::threads));
  gpu.launch(Kernel{op, blocks, 1, parts}, {blocks}, Kernel::threads * sizeof(double));
  gpu.launch(Last{{parts, blocks}, 1, share, to}, {}, Last::threads * sizeof(double));
}

}  // namespace ptyle
