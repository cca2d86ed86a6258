// How a position mixes a probe that varies over the scan, and its basis.

#include <gtest/gtest.h>

#include <cmath>
#include <utility>
#include <vector>

#include "core/random.hpp"
#include "solver/variables/mixture.hpp"

namespace ptyle {
namespace {

Mixture some_mixture() { return {{0.3, -0.2}, 0.1}; }

TEST(Mixture, HasThePowerOfTheBeam) {
  constexpr i64 modes = 2, basis = 4;
  Array<Complex<double>, 2> a({modes, basis});
  const Mixture mixture = some_mixture();
  coefficients_of(mixture, modes, a.data());
  double power = 0;
  for (i64 q = 0; q < basis; ++q) power += std::norm(a(0, q));
  EXPECT_NEAR(power, 1.21, 1e-14);
  EXPECT_NEAR(a(1, 1).real(), 1.1, 1e-14);
  EXPECT_EQ(a(1, 0), 0.0);
  EXPECT_NEAR(a(0, 2).real(), 0.33, 1e-14);
}

/// f = Re Σ conj(w) a has the gradient ∂f/∂a* = w / 2.
TEST(Mixture, HasTheSlopesOfItsCoefficients) {
  constexpr i64 modes = 2, basis = 4;
  Philox random(3, 0, 0);
  Array<Complex<double>, 2> gradient({modes, basis});
  for (auto& g : gradient) g = {random.uniform() - 0.5, random.uniform() - 0.5};
  const auto f = [&](const Mixture& mixture) {
    Array<Complex<double>, 2> a(gradient.shape());
    coefficients_of(mixture, modes, a.data());
    double sum = 0;
    for (i64 i = 0; i < a.size(); ++i)
      sum += 2 * (std::conj(gradient.data()[i]) * a.data()[i]).real();
    return sum;
  };
  const Mixture at = some_mixture(), slopes = slopes_of(at, std::as_const(gradient).view());
  constexpr double h = 1e-5;  // differences are right to h² and rounding over h
  const auto difference = [&](auto&& move) {
    Mixture more = at, less = at;
    move(more, h), move(less, -h);
    return (f(more) - f(less)) / (2 * h);
  };
  for (std::size_t q = 0; q < at.x.size(); ++q)
    EXPECT_NEAR(slopes.x[q], difference([&](Mixture& m, double by) { m.x[q] += by; }), 1e-8);
  EXPECT_NEAR(slopes.e, difference([](Mixture& m, double by) { m.e += by; }), 1e-8);
}

SmallMatrix symmetric(i64 n, std::uint32_t stream) {
  Philox random(5, stream, 0);
  SmallMatrix half({n, n}), all({n, n});
  for (double& v : half) v = random.uniform() - 0.5;
  for (i64 i = 0; i < n; ++i)
    for (i64 j = 0; j < n; ++j)
      for (i64 k = 0; k < n; ++k) all(i, j) += half(i, k) * half(j, k);
  return all;
}

TEST(Mixture, EigenvectorsAreThoseOfTheMatrix) {
  constexpr i64 n = 5;
  const SmallMatrix matrix = symmetric(n, 0);
  const Eigen found = eigen_of(matrix);
  for (i64 j = 0; j < n; ++j) {
    EXPECT_TRUE(j == 0 || found.values[std::size_t(j)] <= found.values[std::size_t(j - 1)]);
    for (i64 i = 0; i < n; ++i) {
      double product = 0;
      for (i64 k = 0; k < n; ++k) product += matrix(i, k) * found.vectors(j, k);
      EXPECT_NEAR(product, found.values[std::size_t(j)] * found.vectors(j, i), 1e-13);
    }
  }
}

/// Waves of three pixels, real, so that a mixture is a vector.
TEST(Mixture, ANewBasisMixesTheSameWaves) {
  constexpr i64 n = 3, positions = 20;
  Philox random(6, 0, 0);
  SmallMatrix waves({n, n}), gram({n, n}), moments({n, n});
  for (double& v : waves) v = random.uniform() - 0.5;
  double power = 0;
  for (i64 k = 0; k < n; ++k) power += waves(0, k) * waves(0, k);
  for (i64 i = 0; i < n; ++i)
    for (i64 j = 0; j < n; ++j)
      for (i64 k = 0; k < n; ++k) gram(i, j) += waves(i, k) * waves(j, k) / power;
  std::vector<std::vector<double>> mixtures;
  std::vector<double> mean(n);
  for (i64 p = 0; p < positions; ++p) {
    mixtures.push_back(amplitudes_of({{random.uniform() - 0.3, random.uniform() - 0.6}, 0}));
    for (std::size_t i = 0; i < n; ++i) {
      mean[i] += mixtures.back()[i] / positions;
      for (std::size_t j = 0; j < n; ++j)
        moments(i64(i), i64(j)) += mixtures.back()[i] * mixtures.back()[j] / positions;
    }
  }
  const NewBasis basis = new_basis(gram, mean, moments);
  std::vector<double> means(n), products(n * n);
  for (const auto& c : mixtures) {
    std::vector<double> now(n);
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j) now[i] += basis.mixtures(i64(i), i64(j)) * c[j];
    for (i64 k = 0; k < n; ++k) {
      double before = 0, after = 0;
      for (i64 i = 0; i < n; ++i) {
        before += c[std::size_t(i)] * waves(i, k);
        for (i64 j = 0; j < n; ++j) after += now[std::size_t(i)] * basis.modes(i, j) * waves(j, k);
      }
      EXPECT_NEAR(after, before, 1e-13);
    }
    for (std::size_t i = 0; i < n; ++i) {
      means[i] += now[i] / positions;
      for (std::size_t j = 0; j < n; ++j) products[n * i + j] += now[i] * now[j] / positions;
    }
  }
  EXPECT_NEAR(means[1], 0, 1e-14);
  EXPECT_NEAR(means[2], 0, 1e-14);
  EXPECT_NEAR(products[n * 1 + 2], 0, 1e-14);
  EXPECT_NEAR(products[n * 1 + 1], basis.variances[0], 1e-14);
  EXPECT_NEAR(products[n * 2 + 2], basis.variances[1], 1e-14);
}

TEST(Mixture, TheInverseIsOne) {
  constexpr i64 n = 4;
  const SmallMatrix matrix = symmetric(n, 1), inverse = inverse_of(matrix);
  for (i64 i = 0; i < n; ++i)
    for (i64 j = 0; j < n; ++j) {
      double product = 0;
      for (i64 k = 0; k < n; ++k) product += matrix(i, k) * inverse(k, j);
      EXPECT_NEAR(product, i == j ? 1 : 0, 1e-9);  // its condition times rounding, and room
    }
}

}  // namespace
}  // namespace ptyle
