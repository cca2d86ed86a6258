#pragma once

// Eigenvalues and eigenvectors of small matrices.

#include <algorithm>
#include <cmath>
#include <complex>
#include <numeric>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/array.hpp"

namespace ptyle {

/// Eigenvalues, the largest first, and their eigenvectors, row by row: Σ_i vectors(j, i) w_i are
/// orthogonal where the matrix is that of ⟨w_p, w_q⟩ = Σ conj(w_p) w_q.
template <class V>
struct Eigen {
  std::vector<double> values;
  Array<V, 2> vectors;
};

template <class V>
V conjugate(const V& value) {
  if constexpr (std::is_same_v<V, double>)
    return value;
  else
    return std::conj(value);
}

/// One of Jacobi's rotations of a matrix that is symmetric (V double) or Hermitian: a(p, q) ≠ 0
/// becomes 0.
template <class V>
void rotate(Array<V, 2>& a, Array<V, 2>& vectors, i64 p, i64 q) {
  const V both = a(p, q);
  const double size = std::abs(both);
  const double angle = 0.5 * std::atan2(2 * size, std::real(a(p, p)) - std::real(a(q, q)));
  const double c = std::cos(angle);
  const V s = std::sin(angle) * (both / size);
  const auto turn = [&](V& of_p, V& of_q, const V& by) {
    const V old = of_p;
    of_p = c * old + conjugate(by) * of_q;
    of_q = c * of_q - by * old;
  };
  const i64 n = a.shape()[0];
  for (i64 i = 0; i < n; ++i) turn(a(i, p), a(i, q), s);
  for (i64 i = 0; i < n; ++i) turn(a(p, i), a(q, i), conjugate(s));
  for (i64 i = 0; i < n; ++i) turn(vectors(p, i), vectors(q, i), s);
}

/// Those of a symmetric or Hermitian matrix, by Jacobi's rotations.
template <class V>
Eigen<V> eigen_of(const Array<V, 2>& matrix) {
  constexpr int passes = 50;
  constexpr double least = 1e-30;  // squared, of the trace
  const i64 n = matrix.shape()[0];
  auto a = converted<V, V, 2>(matrix.view());
  Array<V, 2> vectors(a.shape());
  double trace = 0;
  for (i64 i = 0; i < n; ++i) vectors(i, i) = 1, trace += std::abs(a(i, i));
  for (int pass = 0; pass < passes; ++pass) {
    double beside = 0;
    for (i64 p = 0; p < n; ++p)
      for (i64 q = p + 1; q < n; ++q) {
        beside += std::norm(a(p, q));
        if (std::abs(a(p, q)) > 0) rotate(a, vectors, p, q);
      }
    if (beside <= least * trace * trace) break;
  }
  std::vector<i64> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](i64 i, i64 j) { return std::real(a(i, i)) > std::real(a(j, j)); });
  Eigen<V> all{{}, Array<V, 2>(a.shape())};
  for (i64 j = 0; j < n; ++j) {
    const i64 from = order[static_cast<std::size_t>(j)];
    all.values.push_back(std::real(a(from, from)));
    for (i64 i = 0; i < n; ++i) all.vectors(j, i) = vectors(from, i);
  }
  return all;
}

/// The same vectors whatever the rounding of the matrix: vectors of one value are known but for
/// their mixture, and each but for its phase. Of their mixtures these are the projections of unit
/// vectors e_i, one after the other and each without those before, i the first whose rest is at
/// least half as long as the longest. Values that differ by less than 1e-5 are one.
template <class V>
void settle(Eigen<V>& all) {
  constexpr double alike = 1e-5;
  const i64 n = std::ssize(all.values);
  const auto value = [&](i64 j) { return all.values[static_cast<std::size_t>(j)]; };
  for (i64 first = 0, last = 0; first < n; first = last) {
    for (last = first + 1; last < n && value(first) - value(last) <= alike * value(first);) ++last;
    const i64 count = last - first;
    std::vector<double> rest(static_cast<std::size_t>(n));
    for (i64 i = 0; i < n; ++i)
      for (i64 j = first; j < last; ++j)
        rest[static_cast<std::size_t>(i)] += std::norm(all.vectors(j, i));
    Array<V, 2> settled({count, n});
    for (i64 k = 0; k < count; ++k) {
      const double longest = *std::max_element(rest.begin(), rest.end());
      const i64 unit =
          std::find_if(rest.begin(), rest.end(), [&](double one) { return one >= longest / 2; }) -
          rest.begin();
      const auto add = [&](const Array<V, 2>& from, i64 row, double sign) {
        const V by = sign * conjugate(from(row, unit));
        for (i64 i = 0; i < n; ++i) settled(k, i) += by * from(row, i);
      };
      for (i64 j = first; j < last; ++j) add(all.vectors, j, 1);
      for (i64 l = 0; l < k; ++l) add(settled, l, -1);
      double square = 0;
      for (i64 i = 0; i < n; ++i) square += std::norm(settled(k, i));
      for (i64 i = 0; i < n; ++i) {
        settled(k, i) /= std::sqrt(square);
        rest[static_cast<std::size_t>(i)] -= std::norm(settled(k, i));
      }
    }
    std::copy(settled.begin(), settled.end(), all.vectors.data() + first * n);
  }
}

}  // namespace ptyle
