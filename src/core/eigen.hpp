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

/// One of Jacobi's rotations of a matrix that is symmetric (V double) or Hermitian: a(p, q) ≠ 0
/// becomes 0.
template <class V>
void rotate(Array<V, 2>& a, Array<V, 2>& vectors, i64 p, i64 q) {
  const auto conjugate = [](const V& value) {
    if constexpr (std::is_same_v<V, double>)
      return value;
    else
      return std::conj(value);
  };
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

}  // namespace ptyle
