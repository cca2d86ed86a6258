#pragma once

// The passes of the two sweeps over blocks that stay in the L1 cache, for vectors of L lanes.
//
//   column sweep, a block of L columns (W · L complex values):
//     1. forward passes, longest stride first
//     2. last forward pass, × P, first inverse pass: in registers
//     3. inverse passes
//   row sweep, a row (of W/L vectors):
//     1. inverse FFT inside the vectors, a tile of 4 at a time, and the tile's inverse pass
//     2. inverse passes over the row, but the last
//     3. last inverse pass, × t (u kept, or gradient added), first forward pass: in registers
//     4. forward passes; the last by tiles again, with the FFT inside the vectors
//     or all of it in registers, where they hold a row
//
// Real space is in natural order, the spectrum in the order that falls out of the passes
// (order.hpp).

#include <algorithm>

#include "operator/cpu/sweeps/kernels.hpp"
#include "operator/cpu/sweeps/vectors.hpp"
#include "physics/loss/root.hpp"

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

// ---------------------------------------------------------------------------------------------
// Columns

template <class T, int L>
Line<T, L> column_block(const Geometry<T>& g, T* wave, i64 c) {
  return {wave + c * g.block, 2 * L};
}

/// With three passes the first spans a block that L1 does not hold; the others are done a part at a
/// time, which it does.
template <bool forward, bool inverse, class T, int L, class Op>
[[gnu::always_inline]] inline void columns(const Geometry<T>& g, Line<T, L> line, Op&& op) {
  const Passes<T>& passes = g.column;
  const int last = passes.count - 1, spanning = std::max(0, last - 1);
  const i64 n = passes.n / (spanning > 0 ? passes.radix[0] : 1);
  if constexpr (forward) run_passes<false>(passes, line, passes.n, 0, spanning);
  for (i64 first = 0; first < passes.n; first += n) {
    const Line<T, L> part{line.data + first * line.stride, line.stride};
    if constexpr (forward) run_passes<false>(passes, part, n, spanning, last);
    with_radix(
        passes.radix[last], [&](auto r) __attribute__((always_inline)) {
          middle_of_column<r(), forward, inverse>(
              part, n / r(), [&](i64 i, Pair<T, L> & x) __attribute__((always_inline)) {
                op(first + i, x);
              });
        });
    if constexpr (inverse) run_passes<true>(passes, part, n, spanning, last);
  }
  if constexpr (inverse) run_passes<true>(passes, line, passes.n, 0, spanning);
}

/// Moves 16 W L bytes of the wave (in floats) through L1 once, with three passes three times, and
/// 8 W L bytes of P.
template <class T, int L>
void column_sweep(const Geometry<T>& g, T* wave, const T* propagator, bool conjugate, i64 c) {
  const Line<T, L> line = column_block<T, L>(g, wave, c);
  const Line<const T, L> p{propagator + c * g.block, 2 * L};
  const auto product = [&]<bool conj>(std::bool_constant<conj>) {
    columns<true, true>(
        g, line, [&](i64 i, Pair<T, L> & x) __attribute__((always_inline)) {
          const T* at = p.data + i * 2 * L;
          x = times<conj>(x, load<L>(at), load<L>(at + L));
        });
  };
  if (conjugate)
    product(std::true_type{});
  else
    product(std::false_type{});
}

template <class T, int L>
void columns_forward(const Geometry<T>& g, T* wave, i64 c) {
  const Line<T, L> line = column_block<T, L>(g, wave, c);
  columns<true, false>(
      g, line, [&](i64 i, Pair<T, L> & x) __attribute__((always_inline)) { line.put(i, x); });
}

template <class T, int L>
void columns_inverse(const Geometry<T>& g, T* wave, i64 c) {
  const Line<T, L> line = column_block<T, L>(g, wave, c);
  columns<false, true>(
      g, line, [&](i64 i, Pair<T, L> & x) __attribute__((always_inline)) { x = line.get(i); });
}

template <class T, int L>
void columns_begin(const Geometry<T>& g, const T* spectrum, const T* ramp, T* wave, i64 c) {
  const Line<T, L> line = column_block<T, L>(g, wave, c);
  const T *from = spectrum + c * g.block, *along = ramp + 2 * g.window + c * 2 * L;
  const Vec<T, L> re = load<L>(along), im = load<L>(along + L);
  columns<false, true>(
      g, line, [&](i64 i, Pair<T, L> & x) __attribute__((always_inline)) {
        const Pair<T, L> value{load<L>(from + i * 2 * L), load<L>(from + i * 2 * L + L)};
        x = times<false>(times<false>(value, re, im), ramp[2 * i], ramp[2 * i + 1]);
      });
}

template <class T, int L>
void columns_end(const Geometry<T>& g, T* wave, const T* ramp, T* sum, i64 c) {
  const Line<T, L> line = column_block<T, L>(g, wave, c);
  const Line<T, L> to = column_block<T, L>(g, sum, c);
  const T* along = ramp + 2 * g.window + c * 2 * L;
  const Vec<T, L> re = load<L>(along), im = load<L>(along + L);
  columns<true, false>(
      g, line, [&](i64 i, Pair<T, L> & x) __attribute__((always_inline)) {
        x = times<true>(times<true>(x, re, im), ramp[2 * i], ramp[2 * i + 1]);
        to.put(i, to.get(i) + x);
      });
}

// ---------------------------------------------------------------------------------------------
// Rows

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

// ---------------------------------------------------------------------------------------------
// The detector

template <class T, int L>
void add_intensity(const Geometry<T>& g, const T* block, T* intensity) {
  for (i64 y = 0; y < g.window; ++y, block += 2 * L, intensity += L) {
    const Vec<T, L> re = load<L>(block), im = load<L>(block + L);
    store<L>(intensity, load<L>(intensity) + (re * re + im * im));
  }
}
template <class T, int L>
void scale_pixels(const Geometry<T>& g, T* block, const T* factor) {
  for (i64 y = 0; y < g.window; ++y, block += 2 * L, factor += L) {
    const Vec<T, L> f = load<L>(factor);
    store<L>(block, load<L>(block) * f);
    store<L>(block + L, load<L>(block + L) * f);
  }
}

/// Sums of each lane in T, and of the lanes in double.
template <class LossType, class T, int L>
void compare_by(DetectorWork<T>& work) {
  Vec<T, L> cost{}, numerator{}, denominator{};
  for (i64 i = 0; i < work.pixels; i += L) {
    const Vec<T, L> model = load<L>(work.intensity + i), y = load<L>(work.measured + i);
    const Vec<T, L> weight = load<L>(work.weight + i), valid = load<L>(work.valid + i);
    const Vec<T, L> difference = root_of(model) - root_of(y);
    const typename LossType::template Together<Vec<T, L>> loss(model, y, work.epsilon);
    numerator += valid * difference * difference;
    denominator += valid * y;
    cost += loss.cost(weight);
    if (work.residual) store<L>(work.intensity + i, weight * loss.factor());
  }
  for (int l = 0; l < L; ++l) {
    work.cost += static_cast<double>(cost[l]);
    work.numerator += static_cast<double>(numerator[l]);
    work.denominator += static_cast<double>(denominator[l]);
  }
}

template <class T, int L>
void compare(DetectorWork<T>& work) {
  with_loss(work.loss, [&]<class LossType>(LossType) {
    if constexpr (LossType::in_vectors) compare_by<LossType, T, L>(work);
  });
}

template <class T, int L>
constexpr Kernels<T> kernels(const char* name) {
  return {name,
          L,
          column_sweep<T, L>,
          columns_forward<T, L>,
          columns_inverse<T, L>,
          columns_begin<T, L>,
          columns_end<T, L>,
          row_sweep<T, L>,
          row_sweep_back<T, L>,
          row_forward<T, L>,
          row_inverse<T, L>,
          add_intensity<T, L>,
          scale_pixels<T, L>,
          compare<T, L>};
}

}  // namespace
}  // namespace ptyle::cpu
