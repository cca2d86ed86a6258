#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <utility>

namespace ptyle {

/// Linear least squares in N unknowns by the normal equations, collected one observation at a time.
/// Keep the regressors of order one: the condition number is squared.
template <std::size_t N>
class LeastSquares {
 public:
  void add(const std::array<double, N>& regressors, double observed, double weight = 1) {
    for (std::size_t i = 0; i < N; ++i) {
      for (std::size_t j = 0; j < N; ++j) a_[i][j] += weight * regressors[i] * regressors[j];
      b_[i] += weight * regressors[i] * observed;
    }
  }

  /// Gaussian elimination with pivoting; false where the unknowns are not determined: a pivot that
  /// is less than this share of what stood there means two regressors are alike.
  [[nodiscard]] bool solve(std::array<double, N>& x, double least = 1e-12) const {
    auto a = a_;
    x = b_;
    for (std::size_t k = 0; k < N; ++k) {
      std::size_t pivot = k;
      for (std::size_t i = k + 1; i < N; ++i)
        if (std::abs(a[i][k]) > std::abs(a[pivot][k])) pivot = i;
      if (!(std::abs(a[pivot][k]) > least * std::abs(a_[k][k]))) return false;
      std::swap(a[k], a[pivot]);
      std::swap(x[k], x[pivot]);
      for (std::size_t i = k + 1; i < N; ++i) {
        const double f = a[i][k] / a[k][k];
        for (std::size_t j = k; j < N; ++j) a[i][j] -= f * a[k][j];
        x[i] -= f * x[k];
      }
    }
    for (std::size_t k = N; k-- > 0;) {
      for (std::size_t j = k + 1; j < N; ++j) x[k] -= a[k][j] * x[j];
      x[k] /= a[k][k];
    }
    return true;
  }

 private:
  std::array<std::array<double, N>, N> a_{};
  std::array<double, N> b_{};
};

}  // namespace ptyle
