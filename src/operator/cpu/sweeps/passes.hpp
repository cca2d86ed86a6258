#pragma once

// The passes of the two sweeps over blocks that stay in the L1 cache, for vectors of L lanes.
//
//   column sweep, a block of L columns (W · L complex values):
//     1. forward passes, longest stride first
//     2. last forward pass, × P, first inverse pass: in registers
//     3. inverse passes
//   row sweep, R rows (of W/L vectors each):
//     1. inverse FFT inside the vectors, L of them at a time: butterflies between shuffles
//     2. inverse passes over a row's vectors, but the last
//     3. last inverse pass, × t (u kept, or gradient added), first forward pass: in registers
//     4. forward passes, and the FFT inside the vectors
//
// Real space is in natural order, the spectrum in the order that falls out of the passes
// (order.hpp).

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
      if (sub > 1)
        unroll<r - 1>([&](auto k) __attribute__((always_inline)) {
          x[k + 1] = times<true>(x[k + 1], w[2 * k], w[2 * k + 1]);
        });
      fft<r, true>(x);
    }
    unroll<r>([&](auto i) __attribute__((always_inline)) { op(j + i * sub, x[i]); });
    if constexpr (forward) {
      fft<r, false>(x);
      if (sub > 1)
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

/// Forward passes [from, to), or inverse ones in reverse order.
template <bool inverse, class T, int L>
void run_passes(const Passes<T>& passes, Line<T, L> line, int from, int to) {
  for (int step = from; step < to; ++step) {
    const int p = inverse ? from + to - 1 - step : step;
    i64 blocks = 1;
    for (int q = 0; q < p; ++q) blocks *= passes.radix[q];
    const i64 sub = passes.n / (blocks * passes.radix[p]);
    with_radix(
        passes.radix[p], [&](auto r) __attribute__((always_inline)) {
          if constexpr (inverse)
            inverse_pass<r(), T, L>(line, blocks, sub, passes.twiddle[p]);
          else
            forward_pass<r(), T, L>(line, blocks, sub, passes.twiddle[p]);
        });
  }
}

// ---------------------------------------------------------------------------------------------
// Columns

template <class T, int L>
Line<T, L> column_block(const Geometry<T>& g, T* wave, i64 c) {
  return {wave + c * g.block, 2 * L};
}

template <bool forward, bool inverse, class T, int L, class Op>
[[gnu::always_inline]] inline void columns(const Geometry<T>& g, Line<T, L> line, Op&& op) {
  const Passes<T>& passes = g.column;
  const int last = passes.count - 1;
  if constexpr (forward) run_passes<false>(passes, line, 0, last);
  with_radix(
      passes.radix[last], [&](auto r) __attribute__((always_inline)) {
        middle_of_column<r(), forward, inverse>(line, passes.n / r(), op);
      });
  if constexpr (inverse) run_passes<true>(passes, line, 0, last);
}

/// Moves 16 W L bytes of the wave (in floats) through L1 once, and 8 W L bytes of P.
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

// The FFT of L inside a row's vectors takes L of them at a time, a tile of R rows and G = L/R
// groups. L = A·B: the lane's number e = B a + b is brought into the vector's number i = B i_A +
// i_B digit by digit, each followed by its butterfly, so that shuffles and sums, which other units
// compute, take turns and few values wait meanwhile:
//
//   lanes (a, b), vectors (i_A, i_B)
//     → lanes (i_A, b), vectors (a, i_B):        FFT of A over a, to a'; × exp(−2πi a' b / L)
//     → lanes (i_A, i_B), vectors (a', b):       FFT of B over b, to b'
//     → the R rows, told apart by the high bits of i, for as many low bits of (a', b')
//
// as a column stands in one lane. Frequency a' + A b' is then in vector (a', b').

template <int L>
struct Digits {
  static constexpr int B = L < 4 ? L : 4, A = L / B;
};

/// exp(−2πi a' b / L), b in the low digit of the lanes.
template <class T, int L>
struct LaneTwiddles {
  static constexpr int A = Digits<L>::A, B = Digits<L>::B;
  alignas(64) T re[A][L], im[A][L];
  constexpr LaneTwiddles() : re(), im() {
    for (int a = 0; a < A; ++a)
      for (int l = 0; l < L; ++l) {
        re[a][l] = static_cast<T>(turn_cos(a * (l % B), L));
        im[a][l] = static_cast<T>(-turn_sin(a * (l % B), L));
      }
  }
};

/// Vector i of a tile: row i / G, group i % G in real space; row i % R, group i / R as a spectrum.
template <int R, class T, int L>
struct Tile {
  static constexpr int G = L / R;
  T* data;
  i64 block;
  const T* turns;  ///< exp(−2πi e k₁ / W) of its groups
  [[gnu::always_inline]] T* in_space(int i) const { return data + (i % G) * block + i / G * 2 * L; }
  [[gnu::always_inline]] T* in_spectrum(int i) const {
    return data + (i / R) * block + (i % R) * 2 * L;
  }
  template <bool conjugate>
  [[gnu::always_inline]] Pair<T, L> turned(int i, const Pair<T, L>& x) const {
    const T* turn = turns + (i % G) * 2 * L;
    return times<conjugate>(x, load<L>(turn), load<L>(turn + L));
  }
};

/// The rows' bits of lanes for the lowest bits of the vectors' numbers: those of digit b', which
/// there is one of for each a', and of a' if more are needed. Its own inverse.
template <int R, class T, int L>
[[gnu::always_inline]] inline void part_rows(Pair<T, L>* x) {
  constexpr int B = Digits<L>::B, inner = R < B ? R : B, outer = R / inner;
  unroll<L / inner>([&](auto i) __attribute__((always_inline)) {
    exchange<inner, L / R, 1>(x + i * inner);
  });
  unroll<L / outer>([&](auto i) __attribute__((always_inline)) {
    exchange<outer, L / R * inner, B>(x + i / B * B * outer + i % B);
  });
}

template <int R, class T, int L>
[[gnu::always_inline]] inline void forward_inside(const Tile<R, T, L>& tile) {
  constexpr int A = Digits<L>::A, B = Digits<L>::B;
  static constexpr LaneTwiddles<T, L> twiddles;
  Pair<T, L> x[L];
  unroll<B>([&](auto b) __attribute__((always_inline)) {
    Pair<T, L> y[A];
    unroll<A>([&](auto a) __attribute__((always_inline)) {
      const T* at = tile.in_space(a * B + b);
      y[a] = tile.template turned<false>(a * B + b, {load<L>(at), load<L>(at + L)});
    });
    exchange<A, B, 1>(y);
    fft<A, false>(y);
    unroll<A>([&](auto a) __attribute__((always_inline)) {
      x[a * B + b] = y[a];
      if constexpr (a() > 0)
        x[a * B + b] = times<false>(y[a], load<L>(twiddles.re[a]), load<L>(twiddles.im[a]));
    });
  });
  unroll<A>([&](auto a) __attribute__((always_inline)) {
    exchange<B, 1, 1>(x + a * B);
    fft<B, false>(x + a * B);
  });
  part_rows<R>(x);
  unroll<L>([&](auto i) __attribute__((always_inline)) {
    store<L>(tile.in_spectrum(i), x[i].re);
    store<L>(tile.in_spectrum(i) + L, x[i].im);
  });
}

/// The adjoint.
template <int R, class T, int L>
[[gnu::always_inline]] inline void inverse_inside(const Tile<R, T, L>& tile) {
  constexpr int A = Digits<L>::A, B = Digits<L>::B;
  static constexpr LaneTwiddles<T, L> twiddles;
  Pair<T, L> x[L];
  unroll<L>([&](auto i) __attribute__((always_inline)) {
    x[i] = {load<L>(tile.in_spectrum(i)), load<L>(tile.in_spectrum(i) + L)};
  });
  part_rows<R>(x);
  unroll<A>([&](auto a) __attribute__((always_inline)) {
    fft<B, true>(x + a * B);
    exchange<B, 1, 1>(x + a * B);
    unroll<B>([&](auto b) __attribute__((always_inline)) {
      auto& y = x[a * B + b];
      if constexpr (a() > 0) y = times<true>(y, load<L>(twiddles.re[a]), load<L>(twiddles.im[a]));
    });
  });
  unroll<B>([&](auto b) __attribute__((always_inline)) {
    Pair<T, L> y[A];
    unroll<A>([&](auto a) __attribute__((always_inline)) { y[a] = x[a * B + b]; });
    fft<A, true>(y);
    exchange<A, B, 1>(y);
    unroll<A>([&](auto a) __attribute__((always_inline)) {
      const auto z = tile.template turned<true>(a * B + b, y[a]);
      store<L>(tile.in_space(a * B + b), z.re);
      store<L>(tile.in_space(a * B + b) + L, z.im);
    });
  });
}

template <bool inverse, int R, class T, int L>
void inside_vectors(const Geometry<T>& g, T* wave) {
  for (i64 v = 0; v < g.vectors; v += L / R) {
    const Tile<R, T, L> tile{wave + v * g.block, g.block, g.lanes + v * 2 * L};
    if constexpr (inverse)
      inverse_inside(tile);
    else
      forward_inside(tile);
  }
}

template <bool inverse, class T, int L>
void inside_vectors(const Geometry<T>& g, T* wave) {
  if (g.rows == 1) return inside_vectors<inverse, 1, T, L>(g, wave);
  if constexpr (L >= 4)
    if (g.rows == 2) return inside_vectors<inverse, 2, T, L>(g, wave);
  if constexpr (L >= 16) {
    if (g.rows == 4) return inside_vectors<inverse, 4, T, L>(g, wave);
    if (g.rows == 8) return inside_vectors<inverse, 8, T, L>(g, wave);
  }
}

/// Rows from spectrum to real space, op(row, vector, value), and back.
template <bool inverse, bool forward, class T, int L, class Op>
[[gnu::always_inline]] inline void rows(const Geometry<T>& g, T* wave, Op&& op) {
  const Passes<T>& passes = g.row;
  if constexpr (inverse) inside_vectors<true, T, L>(g, wave);
  for (int row = 0; row < g.rows; ++row) {
    const Line<T, L> line{wave + row * 2 * L, g.block};
    if constexpr (inverse) run_passes<true>(passes, line, 1, passes.count);
    with_radix(
        passes.radix[0], [&](auto r) __attribute__((always_inline)) {
          middle_of_row<r(), inverse, forward>(
              line, passes.n / r(),
              passes.twiddle[0], [&](i64 v, Pair<T, L> & x) __attribute__((always_inline)) {
                op(row, v, x);
              });
        });
    if constexpr (forward) run_passes<false>(passes, line, 1, passes.count);
  }
  if constexpr (forward) inside_vectors<false, T, L>(g, wave);
}

/// ψ ← FFT( t · IFFT(ψ) ) along rows; u = t · IFFT(ψ) kept. Moves 16 bytes of the wave a pixel (in
/// floats), reads 8 of t, writes 8 of u.
template <class T, int L>
void row_sweep(const Geometry<T>& g, T* wave, const RowWork<T>& work) {
  const auto sweep = [&]<bool keep, bool past>(std::bool_constant<keep>, std::bool_constant<past>) {
    rows<true, true, T, L>(
        g, wave, [&](int row, i64 v, Pair<T, L>& x) __attribute__((always_inline)) {
          const T *re = work.t_re[row] + v * L, *im = work.t_im[row] + v * L;
          x = times<false>(x, load<L>(re), load<L>(im));
          __builtin_prefetch(re + work.next_row);
          __builtin_prefetch(im + work.next_row);
          [[maybe_unused]] T* u = work.u + row * 2 * g.window + v * 2 * L;
          if constexpr (keep && past) {
            store_past<L>(u, x.re);
            store_past<L>(u + L, x.im);
          } else if constexpr (keep) {
            store<L>(u, x.re);
            store<L>(u + L, x.im);
            __builtin_prefetch(u + g.rows * 2 * g.window, 1);
            __builtin_prefetch(u + g.rows * 2 * g.window + L, 1);
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
  rows<true, true, T, L>(
      g, wave, [&](int row, i64 v, Pair<T, L>& x) __attribute__((always_inline)) {
        const T* at = work.u_back + row * 2 * g.window + v * 2 * L;
        const Pair<T, L> u{load<L>(at), load<L>(at + L)};
        __builtin_prefetch(at + g.rows * 2 * g.window);
        __builtin_prefetch(at + g.rows * 2 * g.window + L);
        if (work.phase[0]) {
          __builtin_prefetch(work.phase[row] + v * L + work.next_row, 1);
          add(work.phase[row] + v * L, work.scale * (u.re * x.im - u.im * x.re));
        }
        if (work.absorption[0])
          add(work.absorption[row] + v * L, -work.scale * (u.re * x.re + u.im * x.im));
        if (work.illumination)
          add(work.illumination + row * g.window + v * L, u.re * u.re + u.im * u.im);
        const T *re = work.t_re[row] + v * L, *im = work.t_im[row] + v * L;
        x = times<true>(x, load<L>(re), load<L>(im));
        __builtin_prefetch(re + work.next_row);
        __builtin_prefetch(im + work.next_row);
      });
}

template <class T, int L>
void rows_forward(const Geometry<T>& g, T* wave) {
  rows<false, true, T, L>(g, wave, [](int, i64, Pair<T, L>&) {});
}
template <class T, int L>
void rows_inverse(const Geometry<T>& g, T* wave) {
  rows<true, false, T, L>(g, wave, [](int, i64, Pair<T, L>&) {});
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

/// A square root by lanes, which the compiler puts together to one of vectors.
template <class T, int L>
[[gnu::always_inline]] inline Vec<T, L> root(Vec<T, L> x) {
  for (int l = 0; l < L; ++l) {
    if constexpr (sizeof(T) == sizeof(float))
      x[l] = __builtin_sqrtf(x[l]);
    else
      x[l] = __builtin_sqrt(x[l]);
  }
  return x;
}

/// Sums of each lane in T, and of the lanes in double.
template <class T, int L>
void compare(DetectorWork<T>& work) {
  Vec<T, L> cost{}, numerator{}, denominator{};
  for (i64 i = 0; i < work.pixels; i += L) {
    const Vec<T, L> model = load<L>(work.intensity + i), y = load<L>(work.measured + i);
    const Vec<T, L> weight = load<L>(work.weight + i), valid = load<L>(work.valid + i);
    const Vec<T, L> difference = root<T, L>(model) - root<T, L>(y);
    const Vec<T, L> of_model = root<T, L>(model + work.epsilon),
                    of_y = root<T, L>(y + work.epsilon), d = of_model - of_y;
    numerator += valid * difference * difference;
    denominator += valid * y;
    cost += weight * d * d;
    if (work.residual) store<L>(work.intensity + i, weight * (T(1) - of_y / of_model));
  }
  for (int l = 0; l < L; ++l) {
    work.cost += static_cast<double>(cost[l]);
    work.numerator += static_cast<double>(numerator[l]);
    work.denominator += static_cast<double>(denominator[l]);
  }
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
          rows_forward<T, L>,
          rows_inverse<T, L>,
          add_intensity<T, L>,
          scale_pixels<T, L>,
          compare<T, L>};
}

}  // namespace
}  // namespace ptyle::cpu
