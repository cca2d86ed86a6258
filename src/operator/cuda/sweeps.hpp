#pragma once

// Two sweeps a slice as two kernels, for waves that do not fit into a block's shared memory:
//
//   column sweep, 16 columns a block:  FFT down the columns → × P → inverse FFT
//   row sweep, 16 rows a block:        inverse FFT along rows → × t (u or χ kept) → FFT
//
// Each reads and writes the wave once: 16 bytes a pixel (in floats), the column sweep 8 of P, the
// row sweep 8 of t and 8 of what is kept. Between the sweeps a wave is a spectrum along its rows;
// all is in natural order.

#include "operator/cuda/butterflies.hpp"
#include "operator/cuda/points.hpp"

namespace ptyle::gpu {

/// from_probe: ψ_0 of the probe's spectrum.   to_detector: Ψ.   from_detector: χ of the residual.
/// to_probe: the spectrum of the probe's gradient.
enum class ColumnOp { from_probe, propagate, propagate_back, to_detector, from_detector, to_probe };

template <class T, int W, ColumnOp op>
struct ColumnSweep {
  static constexpr int R = W / 16, threads = 256;
  static constexpr std::size_t shared = (16 * W + W) * sizeof(Z<T>);
  Z<T>* waves;             ///< W·W each
  const Z<T>* propagator;  ///< W·W, with the 1/W² of the inverse transform
  Spectra<T> spectra;      ///< from_probe
  Z<T>* detector;          ///< to it or from it, W·W each
  const Z<T>* twiddles;    ///< W of them (butterflies.hpp)
  const Place<T>* places;
  int modes;

  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    constexpr bool forward = op != ColumnOp::from_probe && op != ColumnOp::from_detector;
    constexpr bool inverse = op != ColumnOp::to_detector && op != ColumnOp::to_probe;
    auto* tile = reinterpret_cast<Z<T>*>(block.shared());
    Z<T>* w = tile + 16 * W;
    const i64 wave = block.y;
    const int first = 16 * block.x;
    Z<T>* psi = waves + wave * W * W + first;
    block.threads([&](int t) {
      if (t < W) w[t] = twiddles[t];
    });
    if constexpr (forward)
      block.threads([&](int t) {
        const int c = t % 16, j = t / 16;
        Z<T> x[R];
        unroll<R>([&](auto i) { x[i()] = psi[(j + 16 * i()) * W + c]; });
        outer_forward<R>(x, Twiddles<R, T>(w, j));
        unroll<R>([&](auto k) { tile[(16 * k() + j) * 16 + c] = x[k()]; });
      });
    block.threads([&](int t) {
      const int c = t % 16, a = t / 16;
      if (a >= R) return;
      Z<T> x[16];
      if constexpr (forward) {
        unroll<16>([&](auto b) { x[b()] = tile[(16 * a + b()) * 16 + c]; });
        fft<16, false>(x);
      }
      unroll<16>([&](auto b) { middle(wave, a + R * b(), first + c, x[b()]); });
      if constexpr (inverse) {
        fft<16, true>(x);
        unroll<16>([&](auto b) { tile[(16 * a + b()) * 16 + c] = x[b()]; });
      }
    });
    if constexpr (inverse)
      block.threads([&](int t) {
        const int c = t % 16, j = t / 16;
        Z<T> x[R];
        unroll<R>([&](auto k) { x[k()] = tile[(16 * k() + j) * 16 + c]; });
        outer_inverse<R>(x, Twiddles<R, T>(w, j));
        unroll<R>([&](auto i) { psi[(j + 16 * i()) * W + c] = x[i()]; });
      });
  }

 private:
  /// The operation at a frequency.
  PTYLE_HOST_DEVICE void middle(i64 wave, int ky, int kx, Z<T>& x) const {
    const int k = ky * W + kx;
    if constexpr (op == ColumnOp::propagate || op == ColumnOp::propagate_back) {
      const Z<T> p = propagator[k];
      x = times<op == ColumnOp::propagate_back>(x, p.re, p.im);
    } else if constexpr (op == ColumnOp::from_probe) {
      const Z<T> r = ramp(places[wave / modes], ky, kx, W);
      x = times<false>(spectra.of(wave, W * W)[k], r.re, r.im);
    } else if constexpr (op == ColumnOp::to_detector) {
      detector[wave * W * W + k] = x;
    } else if constexpr (op == ColumnOp::from_detector) {
      x = detector[wave * W * W + k];
    } else {
      const Z<T> r = ramp(places[wave / modes], ky, kx, W);
      detector[wave * W * W + k] = times<true>(x, r.re, r.im);
    }
  }
};

/// The place of element x of row r in the shared memory of a row sweep: 16 elements lie beside a
/// gap of one, so that what threads touch together, neighbours or every 16th, lies in different
/// banks.
template <int W>
PTYLE_HOST_DEVICE int slot(int r, int x) {
  return r * (W + W / 16) + x + x / 16;
}

template <class T, int W, RowOp op>
struct RowSweep {
  static constexpr int R = W / 16, threads = 256;
  static constexpr std::size_t shared = (16 * (W + R) + W) * sizeof(Z<T>);
  Z<T>* waves;
  SliceArguments<T> slice;
  const Z<T>* twiddles;

  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    auto* tile = reinterpret_cast<Z<T>*>(block.shared());
    Z<T>* w = tile + 16 * (W + R);
    const i64 wave = block.y;
    const int first = 16 * block.x;
    Z<T>* psi = waves + wave * W * W + static_cast<i64>(first) * W;
    block.threads([&](int t) {
      if (t < W) w[t] = twiddles[t];
      const int a = t % R, r = t / R;
      if (r >= 16) return;
      Z<T> x[16];
      unroll<16>([&](auto b) { x[b()] = psi[r * W + a + R * b()]; });
      fft<16, true>(x);
      Z<T>* const at = tile + slot<W>(r, 16 * a);
      unroll<16>([&](auto b) { at[b()] = x[b()]; });
    });
    const Point<op, T> point(slice, W, wave);
    block.threads([&](int t) {
      const int j = t % 16, r = t / 16;
      const auto beside = point.template fetch<R, 16>(first + r, j);
      const Twiddles<R, T> twiddle(w, j);
      Z<T>* const at = tile + slot<W>(r, j);
      Z<T> x[R];
      unroll<R>([&](auto k) { x[k()] = at[17 * k()]; });
      outer_inverse<R>(x, twiddle);
      point.template apply<R, 16>(first + r, j, beside, x);
      outer_forward<R>(x, twiddle);
      unroll<R>([&](auto k) { at[17 * k()] = x[k()]; });
    });
    block.threads([&](int t) {
      const int a = t % R, r = t / R;
      if (r >= 16) return;
      const Z<T>* const at = tile + slot<W>(r, 16 * a);
      Z<T> x[16];
      unroll<16>([&](auto b) { x[b()] = at[b()]; });
      fft<16, false>(x);
      unroll<16>([&](auto b) { psi[r * W + a + R * b()] = x[b()]; });
    });
  }
};

}  // namespace ptyle::gpu
