#pragma once

// Operations (device/ops/kinds.hpp) run by kernels. Values of a row lie next to each other for the
// threads of a block.

#include <concepts>

#include "core/memory.hpp"
#include "device/kernel.hpp"
#include "device/ops/kinds.hpp"

namespace ptyle {
namespace kernels {

/// A thread has some values.
template <OfValues Op>
struct EachValue {
  static constexpr int threads = 256, each = 4;
  Op op;
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    block.threads([&](int t) {
      for (int k = 0; k < each; ++k) {
        const i64 i = (i64(block.x) * each + k) * threads + t;
        if (i < op.values) op(i);
      }
    });
  }
  [[nodiscard]] Grid grid() const { return {blocks_for(op.values, threads * each)}; }
};

/// Threads that share an operation of pixels: each has a pixel of the region, on some planes.
template <OfPixels Op>
struct PixelThreads {
  static constexpr int threads = 256, together = 16;
  [[nodiscard]] static Grid grid(const Pixels& where) {
    const i64 part = together * where.every;
    return {blocks_for(where.region.area(), threads), (where.planes + part - 1) / part};
  }
  /// Calls visit(i, kept, pixel's row, col, plane) for what thread number `at` of layer y has.
  template <class Visit>
  PTYLE_HOST_DEVICE static void go(const Op& op, i64 at, i64 layer, Visit&& visit) {
    const Pixels& where = op.where;
    const i64 n = where.region.cols.size();
    if (at >= where.region.rows.size() * n) return;
    const i64 row = where.region.rows.begin + at / n, col = where.region.cols.begin + at % n;
    const i64 pixel = row * where.cols + col;
    if (idle_at(op, row, col)) return;
    const auto kept = op.at(row, col);
    i64 plane = layer * together * where.every;
    for (int k = 0; k < together && plane < where.planes; ++k, plane += where.every)
      visit(plane * where.of_plane() + pixel, kept, row, col, plane);
  }
};

template <OfPixels Op>
struct EachPixel {
  using Threads = PixelThreads<Op>;
  static constexpr int threads = Threads::threads;
  Op op;
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    block.threads([&](int t) {
      Threads::go(op, i64(block.x) * threads + t, block.y,
                  [&](i64 i, const auto& kept, i64, i64, i64) { op(i, kept); });
    });
  }
  [[nodiscard]] Grid grid() const { return Threads::grid(op.where); }
};

/// A thread has a pixel of a block of planes.
template <OfBlocks Op>
struct EachBlock {
  static constexpr int threads = 256;
  Op op;
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    block.threads([&](int t) {
      const i64 pixels = op.where.of_plane(), pixel = i64(block.x) * threads + t;
      if (pixel >= pixels) return;
      const i64 plane = i64(block.y) * op.where.every, i = plane * pixels + pixel;
      const i64 n = op.where.of_block(plane);
      auto kept = op.first(i);
      for (i64 s = 1; s < n; ++s) op.next(i + s * pixels, kept);
      op.last(i, kept, n);
    });
  }
  [[nodiscard]] Grid grid() const {
    const i64 every = op.where.every;
    return {blocks_for(op.where.of_plane(), threads), (op.where.planes + every - 1) / every};
  }
};

/// A thread has a value of a plane (y) of a sum of rows, within `box`.
template <class Op>
struct SumRows {
  static constexpr int threads = 256;
  Op op;
  Box box;
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    block.threads([&](int t) {
      const i64 at = i64(block.x) * threads + t, n = box.cols.size();
      if (at >= box.rows.size() * n) return;
      const i64 row = box.rows.begin + at / n, x = box.cols.begin + at % n;
      auto* const to = op.to(block.y, row) + x;
      std::remove_reference_t<decltype(*to)> sum = 0;
      for (i64 k = 0; k < op.terms(); ++k) {
        const auto term = op.term(block.y, row, k);
        if (term.cols.contains(x)) sum += term.weight * term.from[x];
      }
      *to = sum;
    });
  }
};

}  // namespace kernels

template <std::derived_from<Memory> Gpu, OfValues Op>
void run_on(Gpu& gpu, const Op& op) {
  if (op.values > 0) gpu.launch(kernels::EachValue<Op>{op}, kernels::EachValue<Op>{op}.grid());
}
template <std::derived_from<Memory> Gpu, OfPixels Op>
void run_on(Gpu& gpu, const Op& op) {
  const kernels::EachPixel<Op> kernel{op};
  if (op.where.planes > 0 && !op.where.region.empty()) gpu.launch(kernel, kernel.grid());
}
template <std::derived_from<Memory> Gpu, OfBlocks Op>
void run_on(Gpu& gpu, const Op& op) {
  const kernels::EachBlock<Op> kernel{op};
  if (op.where.every > 1 && op.where.planes * op.where.of_plane() > 0)
    gpu.launch(kernel, kernel.grid());
}

}  // namespace ptyle
