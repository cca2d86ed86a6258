#pragma once

// A wave stays in one block's shared memory through all slices (128² in floats: 128 KB): a block
// takes a mode of a position
//
//   forward:  from the probe's spectrum through the slices to Ψ; u of each slice kept if asked for
//   tangent:  the same of dψ, beside the u that a forward pass has kept
//   back:     from the residual to the spectrum of the probe's gradient; χ of each slice kept
//
// A slice is six phases: the two sweeps (operator/cuda/sweeps.hpp), in place. Bytes of memory a
// pixel and slice, in floats: 8 of t, 8 of what is kept, 8 of u in the tangent (back with sums at
// once: 8 of u and 4 of gradients in place of what is kept); P comes out of the
// cache. Spectra stand in natural order along columns; along rows kx = a + R b stands at 16 a + b.

#include "operator/cuda/butterflies.hpp"
#include "operator/cuda/points.hpp"

namespace ptyle::gpu {

/// The frequency that stands in column q of a spectrum on the fused path.
PTYLE_HOST_DEVICE int fused_column(int q, int window) { return q / 16 + window / 16 * (q % 16); }

constexpr bool has_fused(i64 window) { return window == 64 || window == 96 || window == 128; }

template <class T, int W, RowOp op>
struct FusedPass {
  static constexpr int R = W / 16, threads = W == 128 ? 512 : 256;
  static constexpr std::size_t shared = (W * W + W) * sizeof(Z<T>);
  SliceArguments<T> slice;  ///< of slice 0
  i64 next_t;               ///< values from a slice to the next of t and of the object's change
  i64 next_kept, next_u;    ///< and of what is kept, and of u
  int slices;
  const Z<T>* propagator;
  const Z<T>* spectrum;  ///< forward and tangent: of the probe; null: nothing
  Z<T>* detector;        ///< forward: Ψ; back: the residual, then the probe's gradient
  const Z<T>* turns;

  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    pass(block, block.x);
  }

  template <class Block>
  PTYLE_HOST_DEVICE void pass(Block& block, i64 wave) const {
    auto* tile = reinterpret_cast<Z<T>*>(block.shared());
    Z<T>* w = tile + W * W;
    const Place<T> at = slice.places[wave / slice.modes];
    block.threads([&](int t) {
      for (int i = t; i < W; i += threads) w[i] = turns[i];
    });
    if constexpr (op == RowOp::back) {
      const Z<T>* from = detector + wave * W * W;
      columns<false, true>(block, tile, w, [&](int ky, int q, Z<T>& x) { x = from[ky * W + q]; });
    } else {
      const Z<T>* from = spectrum ? spectrum + (wave % slice.modes) * W * W : nullptr;
      columns<false, true>(block, tile, w, [&](int ky, int q, Z<T>& x) {
        if (!from) {
          x = {T(0), T(0)};
          return;
        }
        const Z<T> r = ramp(at, ky, fused_column(q, W), W);
        x = times<false>(from[ky * W + q], r.re, r.im);
      });
    }
    for (int step = 0; step < slices; ++step) {
      const int s = op == RowOp::back ? slices - 1 - step : step;
      rows(block, tile, w, wave, s);
      if (step + 1 < slices)
        columns<true, true>(block, tile, w, [&](int ky, int q, Z<T>& x) {
          const Z<T> p = propagator[ky * W + q];
          x = times<op == RowOp::back>(x, p.re, p.im);
        });
    }
    Z<T>* to = detector + wave * W * W;
    columns<true, false>(block, tile, w, [&](int ky, int q, Z<T>& x) {
      if constexpr (op == RowOp::back) {
        const Z<T> r = ramp(at, ky, fused_column(q, W), W);
        x = times<true>(x, r.re, r.im);
      }
      to[ky * W + q] = x;
    });
  }

 private:
  /// FFT down the columns, `middle` at each frequency, inverse FFT; each if asked for.
  template <bool forward, bool inverse, class Block, class Middle>
  PTYLE_HOST_DEVICE static void columns(Block& block, Z<T>* tile, const Z<T>* w, Middle&& middle) {
    if constexpr (forward)
      block.threads([&](int t) {
        for (int item = t; item < 16 * W; item += threads) {
          const int c = item % W, j = item / W;
          Z<T> x[R];
          unroll<R>([&](auto i) { x[i()] = tile[slot<W>(j + 16 * i(), c)]; });
          outer_forward<R>(x, j, w);
          unroll<R>([&](auto k) { tile[slot<W>(16 * k() + j, c)] = x[k()]; });
        }
      });
    block.threads([&](int t) {
      for (int item = t; item < R * W; item += threads) {
        const int c = item % W, a = item / W;
        Z<T> x[16];
        if constexpr (forward) {
          unroll<16>([&](auto b) { x[b()] = tile[slot<W>(16 * a + b(), c)]; });
          fft<16, false>(x);
        }
        unroll<16>([&](auto b) { middle(a + R * b(), c, x[b()]); });
        if constexpr (inverse) {
          fft<16, true>(x);
          unroll<16>([&](auto b) { tile[slot<W>(16 * a + b(), c)] = x[b()]; });
        }
      }
    });
    if constexpr (inverse)
      block.threads([&](int t) {
        for (int item = t; item < 16 * W; item += threads) {
          const int c = item % W, j = item / W;
          Z<T> x[R];
          unroll<R>([&](auto k) { x[k()] = tile[slot<W>(16 * k() + j, c)]; });
          outer_inverse<R>(x, j, w);
          unroll<R>([&](auto i) { tile[slot<W>(j + 16 * i(), c)] = x[i()]; });
        }
      });
  }

  /// Inverse FFT along rows, what the slice does, FFT.
  template <class Block>
  PTYLE_HOST_DEVICE void rows(Block& block, Z<T>* tile, const Z<T>* w, i64 wave, int s) const {
    SliceArguments<T> here = slice;
    here.t += s * next_t;
    if (here.kept) here.kept += s * next_kept;
    if (op != RowOp::transmit && here.u) here.u += s * next_u;
    if constexpr (op == RowOp::back) {
      if (here.phase) here.phase += s * next_t;
      if (here.absorption) here.absorption += s * next_t;
      here.begins = s == slices - 1;
    }
    if constexpr (op == RowOp::tangent) {
      if (here.d_phase) here.d_phase += s * next_t;
      if (here.d_absorption) here.d_absorption += s * next_t;
    }
    const Point<op, T> point(here, wave, W);
    inner<true>(block, tile);
    block.threads([&](int t) {
      for (int item = t; item < 16 * W; item += threads) {
        const int j = item % 16, y = item / 16;
        Z<T> x[R];
        unroll<R>([&](auto k) { x[k()] = tile[slot<W>(y, 16 * k() + j)]; });
        outer_inverse<R>(x, j, w);
        unroll<R>([&](auto i) { x[i()] = point(y, j + 16 * i(), x[i()]); });
        outer_forward<R>(x, j, w);
        unroll<R>([&](auto k) { tile[slot<W>(y, 16 * k() + j)] = x[k()]; });
      }
    });
    inner<false>(block, tile);
  }

  template <bool inverse, class Block>
  PTYLE_HOST_DEVICE static void inner(Block& block, Z<T>* tile) {
    block.threads([&](int t) {
      for (int item = t; item < R * W; item += threads) {
        const int y = item % W, a = item / W;
        Z<T> x[16];
        unroll<16>([&](auto b) { x[b()] = tile[slot<W>(y, 16 * a + b())]; });
        fft<16, inverse>(x);
        unroll<16>([&](auto b) { tile[slot<W>(y, 16 * a + b())] = x[b()]; });
      }
    });
  }
};

}  // namespace ptyle::gpu
