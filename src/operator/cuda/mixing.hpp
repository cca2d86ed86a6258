#pragma once

// Kernels for positions that mix their modes anew from K spectra (OperatorSetup::basis), a the
// coefficients of a batch, (positions, M, K). All spectra are in the order of the path.
//
//   Mix:         S_pm = Σ_q a_pmq S_q               before a pass starts from them
//   SumMixed:    Σ_p Σ_m conj(a_pmq) G_pm           the probe's gradient, as SumSpectra
//   Overlaps:    ∂f/∂a_pmq* = Σ_k conj(S_q) G_pm

#include "operator/cuda/fused.hpp"
#include "operator/cuda/points.hpp"

namespace ptyle::gpu {

/// A batch's coefficients: pairs of real and imaginary parts, in the letter of the batch.
template <class T>
struct Mixing {
  const T* a = nullptr;
  int modes = 1, basis = 1;  ///< M, K
  PTYLE_HOST_DEVICE Z<T> operator()(i64 position, int m, int q) const {
    const T* const at = a + 2 * ((position * modes + m) * basis + q);
    return {at[0], at[1]};
  }
};

/// Moves 8 (1 + K) bytes a value, in floats, most of them from the cache.
template <class T>
struct Mix {
  static constexpr int threads = 256;
  const Z<T>* spectra;  ///< (K, n)
  Z<T>* mixed;          ///< (positions, M, n)
  Mixing<T> mixing;
  int n;  ///< W·W
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    const i64 wave = block.y, position = wave / mixing.modes;
    const int m = static_cast<int>(wave % mixing.modes);
    block.threads([&](int t) {
      const i64 i = i64(block.x) * threads + t;
      if (i >= n) return;
      Z<T> sum{};
      for (int q = 0; q < mixing.basis; ++q) {
        const Z<T> a = mixing(position, m, q);
        sum = sum + times<false>(spectra[i64(q) * n + i], a.re, a.im);
      }
      mixed[wave * n + i] = sum;
    });
  }
};

/// sum[q] = Σ_p Σ_m conj(a_pmq) G_pm, in the order of positions; on top of what is there where
/// `add` says so. From the order of the path (`fused`, as Reorder) to the natural one. Moves 8
/// bytes a value of G for each q, in floats.
template <class T>
struct SumMixed {
  static constexpr int threads = 256;
  const Z<T>* spectra;  ///< G, (positions, M, n)
  Z<T>* sum;            ///< (K, n)
  Mixing<T> mixing;
  int n, positions, window;  ///< n: W·W
  bool fused, add;
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    const int q = static_cast<int>(block.y);
    block.threads([&](int t) {
      const i64 i = i64(block.x) * threads + t;
      if (i >= n) return;
      const int column = static_cast<int>(i % window);
      Z<T>& to = sum[i64(q) * n + i - column + (fused ? fused_column(column, window) : column)];
      Z<T> all = add ? to : Z<T>{};
      for (int p = 0; p < positions; ++p) {
        Z<T> own{};
        for (int m = 0; m < mixing.modes; ++m) {
          const Z<T> a = mixing(p, m, q);
          own = own + times<true>(spectra[(i64(p) * mixing.modes + m) * n + i], a.re, a.im);
        }
        all = all + own;
      }
      to = all;
    });
  }
};

/// A block for each coefficient of each position, grid (M·K, positions). Moves 8 bytes a value of
/// G, in floats, for each q.
template <class T>
struct Overlaps {
  static constexpr int threads = 256;
  static constexpr std::size_t shared = 2 * threads * sizeof(double);
  const Z<T>*spectra, *probe;  ///< G, (positions, M, n); S, (K, n)
  Sums<2>* overlaps;           ///< (positions, M, K), real and imaginary parts
  int modes, basis, n;
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    const int m = static_cast<int>(block.x) / basis, q = static_cast<int>(block.x) % basis;
    const i64 position = block.y;
    const Z<T>*const g = spectra + (position * modes + m) * n, *const s = probe + i64(q) * n;
    sum_over_block<2, threads>(
        block,
        [&](int t) {
          Sums<2> all;
          for (int i = t; i < n; i += threads) {
            const Z<T> value = times<true>(g[i], s[i].re, s[i].im);
            all.value[0] += static_cast<double>(value.re);
            all.value[1] += static_cast<double>(value.im);
          }
          return all;
        },
        [&](const Sums<2>& all) { overlaps[(position * modes + m) * basis + q] = all; });
  }
};

}  // namespace ptyle::gpu
