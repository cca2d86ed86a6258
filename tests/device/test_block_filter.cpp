#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "device/cpu/block_filter.hpp"

namespace ptyle {
namespace {

template <class T>
Array<T, 3> noise(std::array<i64, 3> shape, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  Array<T, 3> values(shape);
  for (T& v : values) v = static_cast<T>(normal(random));
  return values;
}

/// The same at opposite distances.
Kernel3 symmetric(i64 planes, i64 reach, unsigned seed) {
  const auto from = noise<double>({2 * planes - 1, 2 * reach + 1, 2 * reach + 1}, seed);
  Kernel3 kernel(from.shape());
  for (i64 k = 0; k < from.size(); ++k)
    kernel.data()[k] = (from.data()[k] + from.data()[from.size() - 1 - k]) / 2;
  return kernel;
}

struct Case {
  i64 planes, rows, cols, reach;
  Box where;
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all{{1, 20, 17, 3, {{2, 15}, {4, 17}}},
                                     {3, 9, 230, 2, {{0, 9}, {0, 230}}},  // several blocks
                                     {5, 70, 61, 8, {{10, 64}, {7, 55}}},
                                     {8, 40, 40, 11, {{0, 40}, {13, 14}}}};
  return all;
}

template <class T>
void filters(double tolerance) {
  for (const Case& c : cases()) {
    const auto from = noise<T>({c.planes, c.rows, c.cols}, 1);
    const Kernel3 kernel = symmetric(c.planes, c.reach, 2);
    Array<T, 2> weight({c.rows, c.cols});
    for (i64 k = 0; k < weight.size(); ++k)
      weight.data()[k] = static_cast<T>(1 + 0.5 * std::sin(double(k)));
    Array<T, 3> to({c.planes, c.where.rows.size(), c.where.cols.size()}), again(to.shape());
    const auto apply = [&](int threads, Array<T, 3>& result) {
      BlockFilter<T>(kernel, 64, threads, nullptr)
          .apply(std::as_const(from), std::as_const(weight), c.where, result);
    };
    apply(1, to);
    double worst = 0;
    for (i64 z = 0; z < c.planes; ++z)
      for (i64 y = c.where.rows.begin; y < c.where.rows.end; ++y)
        for (i64 x = c.where.cols.begin; x < c.where.cols.end; ++x) {
          double sum = 0;
          for (i64 v = 0; v < c.planes; ++v)
            for (i64 dy = -c.reach; dy <= c.reach; ++dy)
              for (i64 dx = -c.reach; dx <= c.reach; ++dx) {
                const i64 row = y - dy, col = x - dx;
                if (row < 0 || row >= c.rows || col < 0 || col >= c.cols) continue;
                sum += kernel(z - v + c.planes - 1, dy + c.reach, dx + c.reach) *
                       double(weight(row, col)) * double(from(v, row, col));
              }
          sum *= double(weight(y, x));
          worst = std::max(
              worst, std::abs(sum - double(to(z, y - c.where.rows.begin, x - c.where.cols.begin))));
        }
    // Sums of a few thousand terms of size one, whose FFTs round to ε log N of their norm, 60.
    EXPECT_LT(worst, tolerance) << c.planes << " planes";
    apply(3, again);
    EXPECT_TRUE(std::equal(to.begin(), to.end(), again.begin())) << "threads change the result";
  }
}

TEST(BlockFilter, ConvolvesAsTheSumDoes) {
  filters<double>(1e-12);
  filters<float>(1e-3);
}

TEST(BlockFilter, BooksWhatItSays) {
  Ledger ledger;
  const BlockFilter<float> filter(symmetric(5, 4, 3), 64, 2, &ledger);
  ASSERT_EQ(ledger.entries().size(), 1U);
  EXPECT_EQ(static_cast<double>(ledger.entries()[0].at_peak),
            BlockFilter<float>::bytes(5, 4, 64, 2));
}

template <class T>
void correlates(double tolerance) {
  for (const Case& c : cases()) {
    const auto a = noise<T>({c.planes, c.rows, c.cols}, 4);
    const Pixel origin{5, -3};
    const Probing b = [](i64 z, i64 row, i64 col) {
      return std::sin(double(3 * z + 7 * row + 11 * col) + 0.01 * double(row * col));
    };
    const Kernel3 lags = correlation<T>(std::as_const(a), origin, b, c.reach, 1);
    const Kernel3 threaded = correlation<T>(std::as_const(a), origin, b, c.reach, 3);
    EXPECT_TRUE(std::equal(lags.begin(), lags.end(), threaded.begin()));
    for (i64 dz = 1 - c.planes; dz < c.planes; ++dz)
      for (i64 dy = -c.reach; dy <= c.reach; dy += 2)
        for (i64 dx = -c.reach; dx <= c.reach; dx += 3) {
          double sum = 0;
          for (i64 z = std::max<i64>(0, dz); z < std::min(c.planes, c.planes + dz); ++z)
            for (i64 y = 0; y < c.rows; ++y)
              for (i64 x = 0; x < c.cols; ++x)
                sum += double(a(z, y, x)) * b(z - dz, origin.row + y - dy, origin.col + x - dx);
          EXPECT_NEAR(lags(dz + c.planes - 1, dy + c.reach, dx + c.reach), sum, tolerance);
        }
  }
}

// 2e4 terms of size one: FFTs round to ε log N of their norm, 150, in each of some blocks.
TEST(Correlation, IsTheSum) {
  correlates<double>(1e-11);
  correlates<float>(5e-3);
}

}  // namespace
}  // namespace ptyle
