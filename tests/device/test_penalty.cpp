// A quadratic penalty and a total variation against loops over every pair of neighbours; their
// gradients against differences of the cost; and cores of tiles, which share the terms.
// test_arithmetic has both on GPUs.

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/random.hpp"
#include "device/arithmetic.hpp"

namespace ptyle {
namespace {

constexpr std::array<i64, 3> shapes[] = {{3, 7, 9}, {1, 5, 4}, {2, 1, 6}, {4, 3, 1}, {1, 1, 1}};
constexpr PenaltyWeights each[] = {{0.7, 0, 0}, {0, 1.3, 0}, {0, 0, 0.4}, {0.7, 1.3, 0.4}};

Array<double, 3> random_volume(const std::array<i64, 3>& shape) {
  Philox draw(3, 0, 0);
  Array<double, 3> volume(shape);
  for (double& v : volume) v = 2 * draw.uniform() - 1;
  return volume;
}

Box whole(const Array<double, 3>& v) { return {{0, v.shape()[1]}, {0, v.shape()[2]}}; }

/// Over every pair of voxels that differ by one step.
double summed(const Array<double, 3>& v, const PenaltyWeights& w) {
  const auto [planes, rows, cols] = v.shape();
  double sum = 0;
  for (i64 z = 0; z < planes; ++z)
    for (i64 y = 0; y < rows; ++y)
      for (i64 x = 0; x < cols; ++x) {
        sum += w.square * v(z, y, x) * v(z, y, x);
        if (x + 1 < cols) sum += w.lateral * std::pow(v(z, y, x + 1) - v(z, y, x), 2);
        if (y + 1 < rows) sum += w.lateral * std::pow(v(z, y + 1, x) - v(z, y, x), 2);
        if (z + 1 < planes) sum += w.along_z * std::pow(v(z + 1, y, x) - v(z, y, x), 2);
      }
  return sum;
}

/// The total variation over every voxel's differences.
double summed(const Array<double, 3>& v, const VariationWeights& w) {
  const auto [planes, rows, cols] = v.shape();
  const auto cost = [&](double weight, double square) {
    return 2 * weight * w.edge * (std::sqrt(w.edge * w.edge + square) - w.edge);
  };
  double sum = 0;
  for (i64 z = 0; z < planes; ++z)
    for (i64 y = 0; y < rows; ++y)
      for (i64 x = 0; x < cols; ++x) {
        double lateral = 0;
        if (x + 1 < cols) lateral += std::pow(v(z, y, x + 1) - v(z, y, x), 2);
        if (y + 1 < rows) lateral += std::pow(v(z, y + 1, x) - v(z, y, x), 2);
        sum += cost(w.lateral, lateral);
        if (z + 1 < planes) sum += cost(w.along_z, std::pow(v(z + 1, y, x) - v(z, y, x), 2));
      }
  return sum;
}

constexpr VariationWeights variations[] = {{1.3, 0, 0.2}, {0, 0.4, 0.2}, {1.3, 0.4, 1e-3}};

TEST(TotalVariation, IsTheSumOverAllNeighbours) {
  const auto host = make_cpu_arithmetic<double>(2);
  for (const auto& shape : shapes)
    for (const VariationWeights& weights : variations) {
      const auto v = random_volume(shape);
      EXPECT_NEAR(host->sum(VariationCost<double>(v.view(), {}, weights, whole(v)), whole(v)),
                  summed(v, weights), 1e-12);
    }
}

TEST(TotalVariation, ItsGradientIsThatOfTheCost) {
  const auto host = make_cpu_arithmetic<double>(2);
  constexpr double share = 0.3, before = 0.125;
  for (const auto& shape : shapes)
    for (const VariationWeights& weights : variations) {
      auto v = random_volume(shape);
      Array<double, 3> gradient(shape);
      gradient.fill(before);
      host->run(VariationGradient<double>(std::as_const(v).view(), {}, weights, whole(v), share,
                                          gradient.view()));
      // Costs below 1e2 are rounded to 1e-14, over 2h; the third derivative of a term is at most
      // about w / δ², where differences of random voxels are hardly ever as small as δ = 1e-3.
      constexpr double h = 1e-5;
      for (i64 i = 0; i < v.size(); ++i) {
        const double old = v.data()[i];
        v.data()[i] = old + h;
        const double more = summed(v, weights);
        v.data()[i] = old - h;
        const double less = summed(v, weights);
        v.data()[i] = old;
        EXPECT_NEAR(gradient.data()[i], before + share * (more - less) / (2 * h), 1e-8);
      }
    }
}

/// Small differences cost their square, large ones their amount.
TEST(TotalVariation, IsQuadraticBelowItsEdgeAndLinearBeyond) {
  const auto host = make_cpu_arithmetic<double>(1);
  const auto of_step = [&](double step) {
    Array<double, 3> v({1, 1, 2});
    v(0, 0, 1) = step;
    return host->sum(VariationCost<double>(v.view(), {}, {3, 0, 0.1}, whole(v)), whole(v));
  };
  EXPECT_NEAR(of_step(1e-4), 3 * 1e-8, 3 * 1e-8 * 1e-6);     // but for (d/2δ)²
  EXPECT_NEAR(of_step(10) - of_step(9), 2 * 3 * 0.1, 1e-4);  // but for δ²/2d²
}

TEST(Penalty, IsTheSumOverAllNeighbours) {
  const auto host = make_cpu_arithmetic<double>(2);
  for (const auto& shape : shapes)
    for (const PenaltyWeights& weights : each) {
      const auto v = random_volume(shape);
      // Some 700 terms below 4, each rounded a few times.
      EXPECT_NEAR(host->sum(PenaltyCost<double>(v.view(), weights, whole(v)), whole(v)),
                  summed(v, weights), 1e-12);
    }
}

TEST(Penalty, ItsGradientIsThatOfTheCost) {
  const auto host = make_cpu_arithmetic<double>(2);
  constexpr double share = 0.3, before = 0.125;
  for (const auto& shape : shapes)
    for (const PenaltyWeights& weights : each) {
      auto v = random_volume(shape);
      Array<double, 3> gradient(shape);
      gradient.fill(before);
      host->run(PenaltyGradient<double>(std::as_const(v).view(), weights, whole(v), share,
                                        gradient.view()));
      for (i64 i = 0; i < v.size(); ++i) {
        // Differences of a quadratic function are exact, but for rounding of costs below 1e3.
        const double old = v.data()[i], h = 0.5;
        v.data()[i] = old + h;
        const double more = summed(v, weights);
        v.data()[i] = old - h;
        const double less = summed(v, weights);
        v.data()[i] = old;
        EXPECT_NEAR(gradient.data()[i], before + share * (more - less) / (2 * h), 1e-12);
      }
    }
}

/// A tile with a halo of one pixel inside the volume.
Array<double, 3> cut(const Array<double, 3>& v, const Box& box) {
  Array<double, 3> part({v.shape()[0], box.rows.size(), box.cols.size()});
  for (i64 z = 0; z < part.shape()[0]; ++z)
    for (i64 y = 0; y < part.shape()[1]; ++y)
      for (i64 x = 0; x < part.shape()[2]; ++x)
        part(z, y, x) = v(z, box.rows.begin + y, box.cols.begin + x);
  return part;
}

/// The volume of the support's tests.
Array<std::uint8_t, 2> odd_support() {
  Array<std::uint8_t, 2> support({11, 13});
  for (i64 y = 0; y < 11; ++y)
    for (i64 x = 0; x < 13; ++x) support(y, x) = x + y > 4 && (y - 5) * (x - 7) < 20;
  return support;
}

/// Runs a check for the quadratic penalty and for the total variation: their cost and gradient of
/// the terms of a part.
template <class Check>
void for_both(Check&& check) {
  const auto host = make_cpu_arithmetic<double>(2);
  using Volume = View<const double, 3>;
  check(
      [&](Volume v, const PenaltyPart& part) {
        return host->sum(PenaltyCost<double>(v, each[3], part), part.core);
      },
      [&](Volume v, const PenaltyPart& part, View<double, 3> to) {
        host->run(PenaltyGradient<double>(v, each[3], part, 1, to));
      });
  check(
      [&](Volume v, const PenaltyPart& part) {
        return host->sum(VariationCost<double>(v, {}, variations[0], part), part.core);
      },
      [&](Volume v, const PenaltyPart& part, View<double, 3> to) {
        host->run(VariationGradient<double>(v, {}, variations[0], part, 1, to));
      });
}

/// A volume outside the support changes neither the penalty nor its gradient, and gets none.
TEST(Penalty, HasNoTermsOutsideTheSupport) {
  for_both([](const auto& cost_of, const auto& add_gradient) {
    auto v = random_volume({3, 11, 13});
    const auto support = odd_support();
    const PenaltyPart part(whole(v), support.view());
    const auto found = [&] {
      Array<double, 3> gradient(v.shape());
      add_gradient(std::as_const(v).view(), part, gradient.view());
      return std::pair(cost_of(std::as_const(v).view(), part), std::move(gradient));
    };
    const auto [cost, gradient] = found();
    i64 outside = 0;
    for (i64 z = 0; z < 3; ++z)
      for (i64 y = 0; y < 11; ++y)
        for (i64 x = 0; x < 13; ++x)
          if (support(y, x) == 0) {
            ++outside;
            EXPECT_EQ(gradient(z, y, x), 0);
            v(z, y, x) += 1000;
          }
    EXPECT_GT(outside, 30);
    const auto [again, gradient_again] = found();
    EXPECT_EQ(again, cost);
    EXPECT_TRUE(std::equal(gradient.begin(), gradient.end(), gradient_again.begin()));
  });
}

TEST(Penalty, OfTilesAddsUpToThatOfTheWhole) {
  for_both([](const auto& cost_of, const auto& add_gradient) {
    const auto v = random_volume({3, 11, 13});
    Array<double, 3> expected(v.shape()), sum(v.shape());
    add_gradient(v.view(), whole(v), expected.view());
    double cost = 0;
    for (const Interval rows : {Interval{0, 1}, Interval{1, 6}, Interval{6, 11}})
      for (const Interval cols : {Interval{0, 5}, Interval{5, 6}, Interval{6, 13}}) {
        const Box box = intersection(
            whole(v), {{rows.begin - 1, rows.end + 1}, {cols.begin - 1, cols.end + 1}});
        const Box on_tile{{rows.begin - box.rows.begin, rows.end - box.rows.begin},
                          {cols.begin - box.cols.begin, cols.end - box.cols.begin}};
        const auto part = cut(v, box);
        Array<double, 3> gradient(part.shape());
        add_gradient(part.view(), on_tile, gradient.view());
        cost += cost_of(part.view(), on_tile);
        for (i64 z = 0; z < 3; ++z)
          for (i64 y = 0; y < part.shape()[1]; ++y)
            for (i64 x = 0; x < part.shape()[2]; ++x)
              sum(z, box.rows.begin + y, box.cols.begin + x) += gradient(z, y, x);
      }
    EXPECT_NEAR(cost, cost_of(v.view(), whole(v)), 1e-12);
    for (i64 i = 0; i < v.size(); ++i) EXPECT_NEAR(sum.data()[i], expected.data()[i], 1e-13);
  });
}

}  // namespace
}  // namespace ptyle
