#pragma once

// The passes of a one-dimensional FFT over a line of vectors of L lanes, of which the sweeps are
// made (columns.hpp, rows.hpp). Real space is in natural order, the spectrum in the order that
// falls out of the passes (order.hpp).

#include "operator/cpu/sweeps/kernels.hpp"
#include "operator/cpu/sweeps/vectors.hpp"

namespace ptyle::cpu {
namespace {

/// Element i of a strided line of vectors: L real and L imaginary parts.
template <class T, int L>
struct Line {
  T* data;
  i64 stride;
  [[gnu::always_inline]] Pair<T, L> get(i64 i) const {
    const T* at = data + i * stride;
    return {load<L>(at), load<L>(at + L)};
  }
  [[gnu::always_inline]] void put(i64 i, const Pair<T, L>& x) const {
    T* at = data + i * stride;
    store<L>(at, x.re);
    store<L>(at + L, x.im);
  }
};

/// A pass of radix r on `blocks` spans of r · sub elements: butterflies, then twiddles.
template <int r, class T, int L>
void forward_pass(Line<T, L> line, i64 blocks, i64 sub, const T* twiddle) {
  for (i64 b = 0; b < blocks; ++b)
    for (i64 j = 0; j < sub; ++j) {
      const i64 first = b * r * sub + j;
      const T* w = twiddle + j * 2 * (r - 1);
      Pair<T, L> x[r];
      unroll<r>([&](auto i) __attribute__((always_inline)) { x[i] = line.get(first + i * sub); });
      fft<r, false>(x);
      line.put(first, x[0]);
      unroll<r - 1>([&](auto k) __attribute__((always_inline)) {
        line.put(first + (k + 1) * sub, times<false>(x[k + 1], w[2 * k], w[2 * k + 1]));
      });
    }
}

/// The adjoint: conjugate twiddles, then butterflies.
template <int r, class T, int L>
void inverse_pass(Line<T, L> line, i64 blocks, i64 sub, const T* twiddle) {
  for (i64 b = 0; b < blocks; ++b)
    for (i64 j = 0; j < sub; ++j) {
      const i64 first = b * r * sub + j;
      const T* w = twiddle + j * 2 * (r - 1);
      Pair<T, L> x[r];
      x[0] = line.get(first);
      unroll<r - 1>([&](auto k) __attribute__((always_inline)) {
        x[k + 1] = times<true>(line.get(first + (k + 1) * sub), w[2 * k], w[2 * k + 1]);
      });
      fft<r, true>(x);
      unroll<r>([&](auto i) __attribute__((always_inline)) { line.put(first + i * sub, x[i]); });
    }
}

/// The last forward pass, then op(element, value), then the first inverse pass, each if asked for.
template <int r, bool forward, bool inverse, class T, int L, class Op>
[[gnu::always_inline]] inline void middle_of_column(Line<T, L> line, i64 blocks, Op&& op) {
  for (i64 b = 0; b < blocks; ++b) {
    Pair<T, L> x[r];
    if constexpr (forward) {
      unroll<r>([&](auto i) __attribute__((always_inline)) { x[i] = line.get(b * r + i); });
      fft<r, false>(x);
    }
    unroll<r>([&](auto i) __attribute__((always_inline)) { op(b * r + i, x[i]); });
    if constexpr (inverse) {
      fft<r, true>(x);
      unroll<r>([&](auto i) __attribute__((always_inline)) { line.put(b * r + i, x[i]); });
    }
  }
}

/// The last inverse pass (span n = r · sub), then op(element, value), then the first forward pass.
template <int r, bool inverse, bool forward, class T, int L, class Op>
[[gnu::always_inline]] inline void middle_of_row(Line<T, L> line, i64 sub, const T* twiddle,
                                                 Op&& op) {
  for (i64 j = 0; j < sub; ++j) {
    const T* w = twiddle + j * 2 * (r - 1);
    Pair<T, L> x[r];
    unroll<r>([&](auto i) __attribute__((always_inline)) { x[i] = line.get(j + i * sub); });
    if constexpr (inverse) {
      unroll<r - 1>([&](auto k) __attribute__((always_inline)) {
        x[k + 1] = times<true>(x[k + 1], w[2 * k], w[2 * k + 1]);
      });
      fft<r, true>(x);
    }
    unroll<r>([&](auto i) __attribute__((always_inline)) { op(j + i * sub, x[i]); });
    if constexpr (forward) {
      fft<r, false>(x);
      unroll<r - 1>([&](auto k) __attribute__((always_inline)) {
        x[k + 1] = times<false>(x[k + 1], w[2 * k], w[2 * k + 1]);
      });
    }
    unroll<r>([&](auto i) __attribute__((always_inline)) { line.put(j + i * sub, x[i]); });
  }
}

/// Calls f with the radix as a constant.
template <class F>
[[gnu::always_inline]] inline void with_radix(int radix, F&& f) {
  switch (radix) {
    case 3:
      return f(std::integral_constant<int, 3>{});
    case 4:
      return f(std::integral_constant<int, 4>{});
    case 6:
      return f(std::integral_constant<int, 6>{});
    case 8:
      return f(std::integral_constant<int, 8>{});
    case 12:
      return f(std::integral_constant<int, 12>{});
    default:
      return f(std::integral_constant<int, 16>{});
  }
}

/// Forward passes [from, to), or inverse ones in reverse order, of a line of n elements.
template <bool inverse, class T, int L>
void run_passes(const Passes<T>& passes, Line<T, L> line, i64 n, int from, int to) {
  for (int step = from; step < to; ++step) {
    const int p = inverse ? from + to - 1 - step : step;
    i64 sub = passes.n;
    for (int q = 0; q <= p; ++q) sub /= passes.radix[q];
    with_radix(
        passes.radix[p], [&](auto r) __attribute__((always_inline)) {
          if constexpr (inverse)
            inverse_pass<r(), T, L>(line, n / (r() * sub), sub, passes.twiddle[p]);
          else
            forward_pass<r(), T, L>(line, n / (r() * sub), sub, passes.twiddle[p]);
        });
  }
}

}  // namespace
}  // namespace ptyle::cpu
