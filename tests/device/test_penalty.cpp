// A quadratic penalty against loops over every pair of neighbours; its gradient against differences
// of the cost; and cores of tiles, which share the terms. test_arithmetic has it on GPUs.

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

/// What lies outside the support changes neither the penalty nor its gradient, and gets none.
TEST(Penalty, HasNoTermsOutsideTheSupport) {
  const auto host = make_cpu_arithmetic<double>(2);
  const PenaltyWeights weights = each[3];
  auto v = random_volume({3, 11, 13});
  Array<std::uint8_t, 2> support({11, 13});
  for (i64 y = 0; y < 11; ++y)
    for (i64 x = 0; x < 13; ++x) support(y, x) = x + y > 4 && (y - 5) * (x - 7) < 20;
  const PenaltyPart part(whole(v), support.view());
  const auto found = [&] {
    Array<double, 3> gradient(v.shape());
    host->run(PenaltyGradient<double>(std::as_const(v).view(), weights, part, 1, gradient.view()));
    return std::pair(
        host->sum(PenaltyCost<double>(std::as_const(v).view(), weights, part), part.core),
        std::move(gradient));
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
}

TEST(Penalty, OfTilesAddsUpToThatOfTheWhole) {
  const auto host = make_cpu_arithmetic<double>(2);
  const PenaltyWeights weights = each[3];
  const auto v = random_volume({3, 11, 13});
  Array<double, 3> expected(v.shape()), sum(v.shape());
  host->run(PenaltyGradient<double>(v.view(), weights, whole(v), 1, expected.view()));
  double cost = 0;
  for (const Interval rows : {Interval{0, 1}, Interval{1, 6}, Interval{6, 11}})
    for (const Interval cols : {Interval{0, 5}, Interval{5, 6}, Interval{6, 13}}) {
      const Box box =
          intersection(whole(v), {{rows.begin - 1, rows.end + 1}, {cols.begin - 1, cols.end + 1}});
      const Box on_tile{{rows.begin - box.rows.begin, rows.end - box.rows.begin},
                        {cols.begin - box.cols.begin, cols.end - box.cols.begin}};
      const auto part = cut(v, box);
      Array<double, 3> gradient(part.shape());
      host->run(PenaltyGradient<double>(part.view(), weights, on_tile, 1, gradient.view()));
      cost += host->sum(PenaltyCost<double>(part.view(), weights, on_tile), on_tile);
      for (i64 z = 0; z < 3; ++z)
        for (i64 y = 0; y < part.shape()[1]; ++y)
          for (i64 x = 0; x < part.shape()[2]; ++x)
            sum(z, box.rows.begin + y, box.cols.begin + x) += gradient(z, y, x);
    }
  EXPECT_NEAR(cost, summed(v, weights), 1e-12);
  for (i64 i = 0; i < v.size(); ++i) EXPECT_NEAR(sum.data()[i], expected.data()[i], 1e-13);
}

}  // namespace
}  // namespace ptyle
