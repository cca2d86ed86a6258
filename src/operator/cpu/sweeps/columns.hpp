#pragma once

// The column sweep, a block of L columns (W · L complex values) that stays in the L1 cache:
//
//   1. forward passes, longest stride first
//   2. last forward pass, × P, first inverse pass: in registers
//   3. inverse passes

#include <algorithm>

#include "operator/cpu/sweeps/kernels.hpp"
#include "operator/cpu/sweeps/passes.hpp"

namespace ptyle::cpu {
namespace {

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

}  // namespace
}  // namespace ptyle::cpu
