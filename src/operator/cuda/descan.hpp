#pragma once

// Kernels of patterns that are displaced (OperatorSetup::descan), on cuFFT's path: waves in natural
// order, in real space between the last slice and the detector.

#include "operator/cuda/points.hpp"
#include "operator/descan.hpp"

namespace ptyle::gpu {

/// u ← exp(2πi d·r / W) u, or `back` the conjugate. Moves 16 bytes a value, in floats.
template <class T, bool back>
struct Displace {
  static constexpr int threads = 256;
  const Z<T>* from;
  Z<T>* to;  ///< may be `from`
  const Place<T>* places;
  int modes, window;
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    block.threads([&](int t) {
      const int n = window * window, k = block.x * threads + t;
      if (k >= n) return;
      const i64 wave = block.y;
      const Place<T>& at = places[wave / modes];
      const auto turns = [&](int i, T d) {
        return static_cast<T>(from_middle(i, window)) * d / static_cast<T>(window);
      };
      const Z<T> down = turn_by(-turns(k / window, at.descan_row)),
                 across = turn_by(-turns(k % window, at.descan_col)),
                 factor = times<false>(down, across.re, across.im);
      to[wave * n + k] = times<back>(from[wave * n + k], factor.re, factor.im);
    });
  }
};

/// ∂f/∂d of each position, a block each: 2 (2π/W) Σ_m Σ_r r Re(conj(χ) i u). Moves 16 bytes a
/// value, in floats.
template <class T>
struct DescanGradient {
  static constexpr int threads = 256;
  static constexpr std::size_t shared = 2 * threads * sizeof(double);
  const Z<T>*chi, *u;  ///< displaced back; u of the last slice
  i64 next;            ///< values from a wave's u to the next wave's
  Sums<2>* slopes;
  int modes, window;
  double factor;  ///< 4π/W
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    const i64 n = static_cast<i64>(window) * window, position = block.x;
    sum_over_block<2, threads>(
        block,
        [&](int t) {
          Sums<2> all;
          for (i64 i = t; i < modes * n; i += threads) {
            const i64 wave = position * modes + i / n;
            const int k = static_cast<int>(i % n);
            const Z<T> c = chi[wave * n + k], v = u[wave * next + k];
            const auto value = static_cast<double>(v.re * c.im - v.im * c.re);
            all.value[0] += from_middle(k / window, window) * value;
            all.value[1] += from_middle(k % window, window) * value;
          }
          return all;
        },
        [&](const Sums<2>& all) {
          slopes[position].value[0] = factor * all.value[0];
          slopes[position].value[1] = factor * all.value[1];
        });
  }
};

}  // namespace ptyle::gpu
