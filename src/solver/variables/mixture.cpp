#include "solver/variables/mixture.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace ptyle {
namespace {

double squares(std::span<const double> x) {
  return std::inner_product(x.begin(), x.end(), x.begin(), 0.0);
}

SmallMatrix product(const SmallMatrix& a, const SmallMatrix& b) {
  const i64 n = a.shape()[0];
  SmallMatrix all({n, n});
  for (i64 i = 0; i < n; ++i)
    for (i64 j = 0; j < n; ++j)
      for (i64 k = 0; k < n; ++k) all(i, j) += a(i, k) * b(k, j);
  return all;
}

SmallMatrix transposed(const SmallMatrix& a) {
  SmallMatrix all(a.shape());
  for (i64 i = 0; i < a.shape()[0]; ++i)
    for (i64 j = 0; j < a.shape()[1]; ++j) all(i, j) = a(j, i);
  return all;
}

/// Makes row `at` of `rows` orthogonal to those before it, and of length 1, in the metric of
/// `gram`; 0 where nothing is left.
void orthonormalise(SmallMatrix& rows, i64 at, const SmallMatrix& gram) {
  constexpr double least = 1e-20;  // squared, of what it was
  const i64 n = gram.shape()[0];
  const auto inner = [&](i64 a, i64 b) {
    double sum = 0;
    for (i64 i = 0; i < n; ++i)
      for (i64 j = 0; j < n; ++j) sum += rows(a, i) * gram(i, j) * rows(b, j);
    return sum;
  };
  const double before = inner(at, at);
  for (int pass = 0; pass < 2; ++pass)  // twice: once leaves rounding behind
    for (i64 other = 0; other < at; ++other) {
      const double along = inner(other, at);
      for (i64 i = 0; i < n; ++i) rows(at, i) -= along * rows(other, i);
    }
  const double left = inner(at, at), by = left > least * before ? 1 / std::sqrt(left) : 0;
  for (i64 i = 0; i < n; ++i) rows(at, i) *= by;
}

}  // namespace

std::vector<double> amplitudes_of(const Mixture& mixture) {
  std::vector<double> all{std::sqrt(std::max(0.0, 1 - squares(mixture.x)))};
  all.insert(all.end(), mixture.x.begin(), mixture.x.end());
  return all;
}

void coefficients_of(const Mixture& mixture, i64 modes, Complex<double>* to) {
  const i64 n = std::ssize(mixture.x), basis = modes + n;
  const double s = 1 + mixture.e;
  std::fill_n(to, modes * basis, 0);
  for (i64 m = 0; m < modes; ++m) to[m * basis + m] = s;
  const std::vector<double> amplitudes = amplitudes_of(mixture);
  to[0] = s * amplitudes[0];
  for (i64 q = 1; q <= n; ++q) to[modes + q - 1] = s * amplitudes[static_cast<std::size_t>(q)];
}

// df = 2 Re Σ conj(∂f/∂a*) da, of which a real da takes the real part.
Mixture slopes_of(const Mixture& mixture, View<const Complex<double>, 2> gradient) {
  const i64 modes = gradient.shape[0];
  const double s = 1 + mixture.e, c = amplitudes_of(mixture)[0];
  Mixture slopes;
  slopes.e = 2 * c * gradient(0, 0).real();
  for (i64 m = 1; m < modes; ++m) slopes.e += 2 * gradient(m, m).real();
  for (i64 q = 0; q < std::ssize(mixture.x); ++q) {
    const double x = mixture.x[static_cast<std::size_t>(q)], g = gradient(0, modes + q).real();
    slopes.e += 2 * x * g;
    slopes.x.push_back(2 * s * (g - x / c * gradient(0, 0).real()));
  }
  return slopes;
}

void limit(std::span<double> x) {
  const double all = squares(x);
  if (all > most_varied)
    for (double& value : x) value *= std::sqrt(most_varied / all);
}

SmallMatrix inverse_of(const SmallMatrix& symmetric) {
  const Eigen all = eigen_of(symmetric);
  const i64 n = symmetric.shape()[0];
  SmallMatrix inverse({n, n});
  for (i64 k = 0; k < n; ++k)
    for (i64 i = 0; i < n; ++i)
      for (i64 j = 0; j < n; ++j)
        inverse(i, j) +=
            all.vectors(k, i) * all.vectors(k, j) / all.values[static_cast<std::size_t>(k)];
  return inverse;
}

NewBasis new_basis(const SmallMatrix& gram, const std::vector<double>& mean,
                   const SmallMatrix& moments) {
  const i64 all = gram.shape()[0], n = all - 1;
  SmallMatrix rows({all, all});
  std::copy(mean.begin(), mean.end(), rows.begin());
  orthonormalise(rows, 0, gram);
  for (i64 q = 1; q < all; ++q) {
    rows(q, q) = 1;
    orthonormalise(rows, q, gram);
  }
  const SmallMatrix to_new = product(rows, gram);
  const SmallMatrix second = product(product(to_new, moments), transposed(to_new));
  SmallMatrix varied({n, n});
  for (i64 i = 0; i < n; ++i)
    for (i64 j = 0; j < n; ++j) varied(i, j) = second(i + 1, j + 1);
  const Eigen principal = eigen_of(varied);
  SmallMatrix turn({all, all});
  turn(0, 0) = 1;
  for (i64 i = 0; i < n; ++i) {
    // An eigenvector has no sign: the one that leaves the modes nearly as they are.
    const double sign = principal.vectors(i, i) < 0 ? -1 : 1;
    for (i64 j = 0; j < n; ++j) turn(i + 1, j + 1) = sign * principal.vectors(i, j);
  }
  return {product(turn, rows), product(turn, to_new), principal.values};
}

}  // namespace ptyle
