#pragma once

// Operations (device/ops/kinds.hpp) run by threads of the host. Results and sums have the same bits
// for any number of them. Inner loops go along rows, several values at a time (what an operation
// writes for one value, it does not read for another), with a copy of the operation that nothing
// else knows of, so that its members stay in registers.

#include <algorithm>
#include <array>
#include <memory>
#include <numeric>
#include <span>
#include <type_traits>
#include <vector>

#include "core/parallel.hpp"
#include "device/ops/kinds.hpp"

namespace ptyle {

struct Host {
  int threads = 1;
};

/// Each thread has an even part of the values.
template <OfValues Op>
void run_on(const Host& host, const Op& op) {
  const i64 n = op.values, parts = host.threads;
  parallel_for(parts, host.threads, [&](i64 part, int) {
    const Op mine = op;
    const i64 end = n * (part + 1) / parts;
#pragma omp simd
    for (i64 i = n * part / parts; i < end; ++i) mine(i);
  });
}

/// The quantities that the planes have in common at pixels of a row.
template <OfPixels Op>
auto kept_at(const Op& op, i64 row, Interval cols) {
  using Kept = std::decay_t<decltype(op.at(row, row))>;
  auto kept = std::make_unique_for_overwrite<Kept[]>(static_cast<std::size_t>(cols.size()));
  const Op mine = op;
  Kept* const to = kept.get();
#pragma omp simd
  for (i64 x = 0; x < cols.size(); ++x) to[x] = mine.at(row, cols.begin + x);
  return kept;
}

/// Each thread has a row of all planes.
template <OfPixels Op>
void run_on(const Host& host, const Op& op) {
  const Pixels where = op.where;
  const Interval rows = where.region.rows, cols = where.region.cols;
  parallel_for(rows.size(), host.threads, [&](i64 at, int) {
    const Op mine = op;
    const i64 row = rows.begin + at, n = cols.size();
    const auto kept_here = kept_at(op, row, cols);
    const auto* const kept = kept_here.get();
    for (i64 plane = 0; plane < where.planes; plane += where.every) {
      const i64 i = plane * where.of_plane() + row * where.cols + cols.begin;
#pragma omp simd
      for (i64 x = 0; x < n; ++x) mine(i + x, kept[x]);
    }
  });
}

/// The same, and the sum of what op says of pixels of `core`, first planes counted as often as
/// there are planes in their block: a row of a plane first, then of all planes, then the rows.
template <OfPixels Op>
double sum_on(const Host& host, const Op& op, const Box& core) {
  const Pixels where = op.where;
  const Interval rows = where.region.rows, cols = where.region.cols;
  const Interval inner = intersection(core.cols, cols);
  std::vector<double> sums(static_cast<std::size_t>(rows.size()));
  parallel_for(rows.size(), host.threads, [&](i64 at, int) {
    const Op mine = op;
    const i64 row = rows.begin + at, n = cols.size();
    const bool counts = core.rows.contains(row) && !inner.empty();
    const i64 begin = counts ? inner.begin - cols.begin : n;
    const i64 end = counts ? begin + inner.size() : n;
    const auto kept_here = kept_at(op, row, cols);
    const auto* const kept = kept_here.get();
    double of_row = 0;
    for (i64 plane = 0; plane < where.planes; plane += where.every) {
      const i64 i = plane * where.of_plane() + row * where.cols + cols.begin;
      double sum = 0;
#pragma omp simd
      for (i64 x = 0; x < begin; ++x) mine(i + x, kept[x]);
      for (i64 x = begin; x < end; ++x) sum += mine(i + x, kept[x]);
#pragma omp simd
      for (i64 x = end; x < n; ++x) mine(i + x, kept[x]);
      of_row += sum * double(where.of_block(plane));
    }
    sums[static_cast<std::size_t>(at)] = of_row;
  });
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

/// Each thread has a strip of a block of planes.
template <OfBlocks Op>
void run_on(const Host& host, const Op& op) {
  constexpr i64 strip = 2048;
  using Kept = std::decay_t<decltype(op.first(i64{0}))>;
  const Pixels& where = op.where;
  const i64 pixels = where.of_plane(), strips = (pixels + strip - 1) / strip;
  if (where.every <= 1) return;
  const i64 blocks = (where.planes + where.every - 1) / where.every;
  parallel_for(blocks * strips, host.threads, [&](i64 at, int) {
    const Op mine = op;
    std::array<Kept, strip> kept;
    const i64 plane = at / strips * where.every, n = where.of_block(plane);
    const i64 begin = at % strips * strip, size = std::min(strip, pixels - begin);
    const i64 i = plane * pixels + begin;
#pragma omp simd
    for (i64 x = 0; x < size; ++x) kept[x] = mine.first(i + x);
    for (i64 s = 1; s < n; ++s)
#pragma omp simd
      for (i64 x = 0; x < size; ++x) mine.next(i + s * pixels + x, kept[x]);
#pragma omp simd
    for (i64 x = 0; x < size; ++x) mine.last(i + x, kept[x], n);
  });
}

/// The largest that a measure finds, or 0.
template <class Op>
double largest_on(const Host& host, const Op& op) {
  const i64 parts = host.threads;
  std::vector<double> largest(static_cast<std::size_t>(parts));
  parallel_for(parts, host.threads, [&](i64 part, int) {
    const Op mine = op;
    const i64 end = op.rows * (part + 1) / parts;
    double most = 0;
    for (i64 row = op.rows * part / parts; row < end; ++row)
#pragma omp simd reduction(max : most)
      for (i64 col = 0; col < mine.cols; ++col) {
        const double v = mine(row, col);
        most = v > most ? v : most;
      }
    largest[static_cast<std::size_t>(part)] = most;
  });
  return *std::max_element(largest.begin(), largest.end());
}

/// to[x] += w_k · from_k[cols.begin + x], of some terms.
template <class T>
void add_terms(std::span<const Term<T>> terms, Interval cols, T* to) {
  for (const Term<T>& term : terms) {
    const Interval here = intersection(term.cols, cols);
    const T weight = term.weight;
    const T* const from = term.from + here.begin;
    T* const sum = to + (here.begin - cols.begin);
#pragma omp simd
    for (i64 x = 0; x < here.size(); ++x) sum[x] += weight * from[x];
  }
}
/// The same where all of them reach: the sums of a few values stay in registers meanwhile.
template <class T>
void add_whole_terms(std::span<const Term<T>> terms, Interval cols, T* to) {
  constexpr i64 strip = 64 / sizeof(T);
  i64 x = cols.begin;
  for (; x + strip <= cols.end; x += strip, to += strip) {
    std::array<T, strip> sum;
#pragma GCC unroll 16
    for (i64 i = 0; i < strip; ++i) sum[i] = to[i];
    for (const Term<T>& term : terms) {
      const T weight = term.weight;
      const T* const from = term.from + x;
#pragma GCC unroll 16
      for (i64 i = 0; i < strip; ++i) sum[i] += weight * from[i];
    }
#pragma GCC unroll 16
    for (i64 i = 0; i < strip; ++i) to[i] = sum[i];
  }
  add_terms(terms, {x, cols.end}, to);
}

/// A row of a sum of rows: to[x] = Σ_k w_k · from_k[cols.begin + x], some terms at a time.
template <class Op, class T>
void sum_row(const Op& op, i64 plane, i64 row, Interval cols, T* to) {
  std::array<Term<T>, 16> list;
  std::fill_n(to, cols.size(), T(0));
  for (i64 k = 0; k < op.terms();) {
    std::size_t n = 0;
    Interval common = cols;
    for (; k < op.terms() && n < list.size(); ++k) {
      list[n] = op.term(plane, row, k);
      if (intersection(list[n].cols, cols).empty()) continue;
      common = intersection(common, list[n++].cols);
    }
    if (common.empty()) common = {cols.begin, cols.begin};
    const std::span<const Term<T>> terms(list.data(), n);
    add_terms(terms, {cols.begin, common.begin}, to);
    add_whole_terms(terms, common, to + (common.begin - cols.begin));
    add_terms(terms, {common.end, cols.end}, to + (common.end - cols.begin));
  }
}

}  // namespace ptyle
