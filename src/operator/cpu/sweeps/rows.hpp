#pragma once

// The row sweep, a row (of W/L vectors) that stays in the L1 cache:
//
//   1. inverse FFT inside the vectors, a tile of 4 at a time, and the tile's inverse pass
//   2. inverse passes over the row, but the last
//   3. last inverse pass, × t (u kept, or gradient added), first forward pass: in registers
//   4. forward passes; the last by tiles again, with the FFT inside the vectors
//   or all of it in registers, where they hold a row

#include "operator/cpu/sweeps/kernels.hpp"
#include "operator/cpu/sweeps/passes.hpp"

namespace ptyle::cpu {
namespace {

// The FFT of L inside a row's vectors takes a tile of 4 vectors (or 2) at a time. The number of a
// lane has digits of t values, the last perhaps of fewer, of which the highest is brought into the
// number of the vector, and the vector's number into the digit's place. There is then a butterfly
// of t vectors over the digit, and twiddles; likewise the next digit, which the digit of the
// frequency gives way to. With 16 lanes e = 4 a + b and vectors i:
//
//   lanes (a, b), vector i
//     → lanes (i, b), vector a:    FFT of 4 over a, to a'; × exp(−2πi a' b / 16)
//     → lanes (i, a'), vector b:   FFT of 4 over b, to b'
//
// Frequency a' + 4 b' of vector i is then in lane (i, a') of vector b'.

/// exp(−2πi f e / N): of frequency f, D of them, and the lanes' digits e below it.
template <class T, int L, int N, int D>
struct LaneTwiddles {
  alignas(64) T re[D][L], im[D][L];
  constexpr LaneTwiddles() : re(), im() {
    for (int f = 0; f < D; ++f)
      for (int l = 0; l < L; ++l) {
        re[f][l] = static_cast<T>(turn_cos(f * (l % (N / D)), N));
        im[f][l] = static_cast<T>(-turn_sin(f * (l % (N / D)), N));
      }
  }
};

/// A tile of t vectors, of which the lanes' lowest digits, N numbers, are to be transformed yet.
template <int t, int N, class T, int L>
[[gnu::always_inline]] inline void forward_inside(Pair<T, L>* x) {
  if constexpr (N > 1) {
    constexpr int D = t < N ? t : N;
    static constexpr LaneTwiddles<T, L, N, D> twiddles;
    unroll<t / D>([&](auto part) __attribute__((always_inline)) {
      Pair<T, L>* y = x + part * D;
      exchange<D, N / D>(y);
      fft<D, false>(y);
      if constexpr (N > D)
        unroll<D - 1>([&](auto i) __attribute__((always_inline)) {
          constexpr int f = i() + 1;
          y[f] = times<false>(y[f], load<L>(twiddles.re[f]), load<L>(twiddles.im[f]));
        });
    });
    forward_inside<t, N / D>(x);
  }
}

/// The adjoint.
template <int t, int N, class T, int L>
[[gnu::always_inline]] inline void inverse_inside(Pair<T, L>* x) {
  if constexpr (N > 1) {
    constexpr int D = t < N ? t : N;
    static constexpr LaneTwiddles<T, L, N, D> twiddles;
    inverse_inside<t, N / D>(x);
    unroll<t / D>([&](auto part) __attribute__((always_inline)) {
      Pair<T, L>* y = x + part * D;
      if constexpr (N > D)
        unroll<D - 1>([&](auto i) __attribute__((always_inline)) {
          constexpr int f = i() + 1;
          y[f] = times<true>(y[f], load<L>(twiddles.re[f]), load<L>(twiddles.im[f]));
        });
      fft<D, true>(y);
      exchange<D, N / D>(y);
    });
  }
}

/// A tile, the v-th vectors of its row: × exp(−2πi e k₁ / W), FFT inside; and its adjoint.
template <int t, class T, int L>
[[gnu::always_inline]] inline void forward_tile(const Geometry<T>& g, i64 v, Pair<T, L>* x) {
  unroll<t>([&](auto i) __attribute__((always_inline)) {
    const T* turn = g.lanes + (v + i) * 2 * L;
    x[i] = times<false>(x[i], load<L>(turn), load<L>(turn + L));
  });
  forward_inside<t, L>(x);
}
template <int t, class T, int L>
[[gnu::always_inline]] inline void inverse_tile(const Geometry<T>& g, i64 v, Pair<T, L>* x) {
  inverse_inside<t, L>(x);
  unroll<t>([&](auto i) __attribute__((always_inline)) {
    const T* turn = g.lanes + (v + i) * 2 * L;
    x[i] = times<true>(x[i], load<L>(turn), load<L>(turn + L));
  });
}

/// A row of n vectors from spectrum to real space, op(vector, value), and back. A function of its
/// own for each n: together they would get in the way of each other's registers.
template <int n, bool inverse, bool forward, class T, int L, class Op>
[[gnu::noinline]] void row_in_registers(const Geometry<T>& g, Line<T, L> line, const Op& op) {
  constexpr int t = tile_of(n);
  Pair<T, L> x[n];
  unroll<n>([&](auto i) __attribute__((always_inline)) { x[i] = line.get(i); });
  if constexpr (inverse) {
    unroll<n / t>([&](auto k)
                      __attribute__((always_inline)) { inverse_tile<t>(g, k * t, x + k * t); });
    fft<n, true>(x);
  }
  unroll<n>([&](auto v) __attribute__((always_inline)) { op(v, x[v]); });
  if constexpr (forward) {
    fft<n, false>(x);
    unroll<n / t>([&](auto k)
                      __attribute__((always_inline)) { forward_tile<t>(g, k * t, x + k * t); });
  }
  unroll<n>([&](auto i) __attribute__((always_inline)) { line.put(i, x[i]); });
}

/// The same of a row that registers do not hold: by passes, the last of radix 4.
template <bool inverse, bool forward, class T, int L, class Op>
[[gnu::noinline]] void row_in_passes(const Geometry<T>& g, Line<T, L> line, const Op& op) {
  constexpr int t = 4;
  const Passes<T>& passes = g.row;
  const auto by_tiles = [&](auto&& f) __attribute__((always_inline)) {
    for (i64 v = 0; v < g.vectors; v += t) {
      Pair<T, L> x[t];
      unroll<t>([&](auto i) __attribute__((always_inline)) { x[i] = line.get(v + i); });
      f(v, x);
      unroll<t>([&](auto i) __attribute__((always_inline)) { line.put(v + i, x[i]); });
    }
  };
  if constexpr (inverse) {
    by_tiles([&](i64 v, Pair<T, L> * x) __attribute__((always_inline)) {
      inverse_tile<t>(g, v, x);
      fft<t, true>(x);
    });
    run_passes<true>(passes, line, passes.n, 1, passes.count - 1);
  }
  with_radix(
      passes.radix[0], [&](auto r) __attribute__((always_inline)) {
        middle_of_row<r(), inverse, forward>(line, passes.n / r(), passes.twiddle[0], op);
      });
  if constexpr (forward) {
    run_passes<false>(passes, line, passes.n, 1, passes.count - 1);
    by_tiles([&](i64 v, Pair<T, L> * x) __attribute__((always_inline)) {
      fft<t, false>(x);
      forward_tile<t>(g, v, x);
    });
  }
}

template <bool inverse, bool forward, class T, int L, class Op>
[[gnu::always_inline]] inline void row(const Geometry<T>& g, T* wave, const Op& op) {
  const Line<T, L> line{wave, g.block};
  if (!row_fits_registers<T>(g.vectors, L)) return row_in_passes<inverse, forward>(g, line, op);
  unroll<rows_in_registers.size()>([&](auto i) __attribute__((always_inline)) {
    constexpr int n = rows_in_registers[i()];
    if constexpr (row_fits_registers<T>(n, L))
      if (g.vectors == n) row_in_registers<n, inverse, forward>(g, line, op);
  });
}

/// ψ ← FFT( t · IFFT(ψ) ) along rows; u = t · IFFT(ψ) kept. Moves 16 bytes of the wave a pixel (in
/// floats), reads 8 of t, writes 8 of u.
template <class T, int L>
void row_sweep(const Geometry<T>& g, T* wave, const RowWork<T>& work) {
  const auto sweep = [&]<bool keep, bool past>(std::bool_constant<keep>, std::bool_constant<past>) {
    row<true, true, T, L>(
        g, wave, [&](i64 v, Pair<T, L> & x) __attribute__((always_inline)) {
          const T *re = work.t_re + v * L, *im = work.t_im + v * L;
          x = times<false>(x, load<L>(re), load<L>(im));
          __builtin_prefetch(re + work.next_row);
          __builtin_prefetch(im + work.next_row);
          [[maybe_unused]] T* u = work.u + v * 2 * L;
          if constexpr (keep && past) {
            store_past<L>(u, x.re);
            store_past<L>(u + L, x.im);
          } else if constexpr (keep) {
            store<L>(u, x.re);
            store<L>(u + L, x.im);
            __builtin_prefetch(u + 2 * g.window, 1);
            __builtin_prefetch(u + 2 * g.window + L, 1);
          }
        });
  };
  if (work.u && work.past_cache)
    sweep(std::true_type{}, std::true_type{});
  else if (work.u)
    sweep(std::true_type{}, std::false_type{});
  else
    sweep(std::false_type{}, std::false_type{});
}

/// χ' = IFFT(χ) along rows; gradients from χ' and u; χ ← FFT( conj(t) χ' ). Moves 16 bytes of the
/// wave a pixel, reads 8 of t, 8 of u, and adds to 4 of each gradient.
template <class T, int L>
void row_sweep_back(const Geometry<T>& g, T* wave, const RowWork<T>& work) {
  const auto add = [](T * to, Vec<T, L> v) __attribute__((always_inline)) {
    store<L>(to, load<L>(to) + v);
  };
  row<true, true, T, L>(
      g, wave, [&](i64 v, Pair<T, L> & x) __attribute__((always_inline)) {
        const T* at = work.u_back + v * 2 * L;
        const Pair<T, L> u{load<L>(at), load<L>(at + L)};
        __builtin_prefetch(at + 2 * g.window);
        __builtin_prefetch(at + 2 * g.window + L);
        if (work.phase) {
          if (work.next_sum) __builtin_prefetch(work.phase + v * L + work.next_sum, 1);
          add(work.phase + v * L, work.scale * (u.re * x.im - u.im * x.re));
        }
        if (work.absorption) {
          if (work.next_sum) __builtin_prefetch(work.absorption + v * L + work.next_sum, 1);
          add(work.absorption + v * L, -work.scale * (u.re * x.re + u.im * x.im));
        }
        if (work.illumination) add(work.illumination + v * L, u.re * u.re + u.im * u.im);
        const T *re = work.t_re + v * L, *im = work.t_im + v * L;
        x = times<true>(x, load<L>(re), load<L>(im));
        __builtin_prefetch(re + work.next_row);
        __builtin_prefetch(im + work.next_row);
      });
}

template <class T, int L>
void row_forward(const Geometry<T>& g, T* wave) {
  row<false, true, T, L>(g, wave, [](i64, Pair<T, L>&) {});
}
template <class T, int L>
void row_inverse(const Geometry<T>& g, T* wave) {
  row<true, false, T, L>(g, wave, [](i64, Pair<T, L>&) {});
}

}  // namespace
}  // namespace ptyle::cpu
