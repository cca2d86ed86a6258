// Warp against Keys's kernel, summed over every pixel there is. test_arithmetic has it on GPUs.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/box.hpp"
#include "core/random.hpp"
#include "device/arithmetic.hpp"

namespace ptyle {
namespace {

constexpr std::array<i64, 3> odd{3, 13, 17};

template <class T>
class WarpTest : public testing::Test {
 protected:
  static Array<T, 3> random(const std::array<i64, 3>& shape) {
    Philox draw(3, 0, 0);
    Array<T, 3> volume(shape);
    for (T& v : volume) v = static_cast<T>(2 * draw.uniform() - 1);
    return volume;
  }
  static Array<T, 3> warped(const Array<T, 3>& from, const Displacement& by) {
    Array<T, 3> to(from.shape());
    to.fill(std::numeric_limits<T>::quiet_NaN());
    make_cpu_arithmetic<T>(2)->run(Warp<T>(from.view(), by, to.view(), {-1e30, 1e30}));
    return to;
  }
  /// The kernel of cubic convolution, by the distance of a pixel.
  static double kernel(double x) {
    x = std::abs(x);
    if (x < 1) return 1 + x * x * (1.5 * x - 2.5);
    return x < 2 ? 2 + x * (-4 + x * (2.5 - 0.5 * x)) : 0;
  }
  /// Σ_q from(q) kernel(r − d(r) − q)
  static double summed(const Array<T, 3>& from, const Displacement& by, i64 z, i64 row, i64 col) {
    const double y = double(row) - by.centre[0], x = double(col) - by.centre[1];
    const double source_row = double(row) - by.by[0] * y - by.by[1] * x,
                 source_col = double(col) - by.by[2] * y - by.by[3] * x;
    double sum = 0;
    for (i64 q = 0; q < from.shape()[1]; ++q)
      for (i64 p = 0; p < from.shape()[2]; ++p)
        sum +=
            double(from(z, q, p)) * kernel(source_row - double(q)) * kernel(source_col - double(p));
    return sum;
  }
};
using Precisions = testing::Types<float, double>;
TYPED_TEST_SUITE(WarpTest, Precisions);

TYPED_TEST(WarpTest, IsTheConvolution) {
  for (const auto& shape : {odd, std::array<i64, 3>{1, 1, 5}, std::array<i64, 3>{2, 7, 2}})
    for (const Displacement& by : {Displacement{{0.02, -0.013, 0.03, -0.01}, {6.2, 7.9}},
                                   Displacement{{0.4, -0.7, 0.9, -1.3}, {-3, 20.5}}}) {
      const auto from = this->random(shape);
      const auto to = this->warped(from, by);
      for (i64 z = 0; z < shape[0]; ++z)
        for (i64 y = 0; y < shape[1]; ++y)
          for (i64 x = 0; x < shape[2]; ++x)
            // 16 products of values below 1, their weights rounded once and their sums twice.
            ASSERT_NEAR(to(z, y, x), this->summed(from, by, z, y, x),
                        3 * 16 * std::numeric_limits<TypeParam>::epsilon());
    }
}

TYPED_TEST(WarpTest, WithoutADisplacementChangesNoBit) {
  const auto from = this->random(odd);
  const auto to = this->warped(from, {{}, {4.3, -2}});
  EXPECT_TRUE(std::equal(from.begin(), from.end(), to.begin()));
}

TYPED_TEST(WarpTest, ByWholePixelsTakesPixelsAndZeroOutside) {
  const auto from = this->random(odd);
  // A distance of 2⁶⁰ px from the centre, beside which no pixel of the array counts.
  const double far = std::ldexp(1.0, 60);
  for (const i64 rows : {0, 2, -3, 20})
    for (const i64 cols : {0, 5, -1, -17}) {
      const auto to = this->warped(
          from, {{1 / far, 0, 0, 1 / far}, {-far * double(rows), -far * double(cols)}});
      for (i64 z = 0; z < odd[0]; ++z)
        for (i64 y = 0; y < odd[1]; ++y)
          for (i64 x = 0; x < odd[2]; ++x) {
            const bool inside = Box{{0, odd[1]}, {0, odd[2]}}.contains(Pixel{y - rows, x - cols});
            ASSERT_EQ(to(z, y, x), inside ? from(z, y - rows, x - cols) : 0);
          }
    }
}

/// Rows are stretched to twice their distance from row 2.
TYPED_TEST(WarpTest, GoesAwayFromTheCentre) {
  const auto from = this->random(odd);
  const auto to = this->warped(from, {{0.5, 0, 0, 0}, {2, 0}});
  for (i64 y = 0; y < odd[1]; y += 2)
    for (i64 x = 0; x < odd[2]; ++x) EXPECT_EQ(to(1, y, x), from(1, (y + 2) / 2, x));
}

/// Cubic convolution is exact for polynomials of the second degree, away from the rim.
TYPED_TEST(WarpTest, OfAParabolaIsTheParabola) {
  Array<TypeParam, 3> from(odd);
  const auto parabola = [](double y, double x) {
    return 0.3 + 0.02 * y - 0.05 * x + 0.004 * y * y - 0.003 * x * y + 0.002 * x * x;
  };
  for (i64 z = 0; z < odd[0]; ++z)
    for (i64 y = 0; y < odd[1]; ++y)
      for (i64 x = 0; x < odd[2]; ++x)
        from(z, y, x) = static_cast<TypeParam>(parabola(double(y), double(x)));
  const Displacement by{{0.03, -0.05, 0.04, 0.02}, {6, 8}};  // at most 1 px
  const auto to = this->warped(from, by);
  for (i64 y = 3; y < odd[1] - 3; ++y)
    for (i64 x = 3; x < odd[2] - 3; ++x) {
      const double dy = double(y) - 6, dx = double(x) - 8;
      EXPECT_NEAR(to(0, y, x),
                  parabola(double(y) - 0.03 * dy + 0.05 * dx, double(x) - 0.04 * dy - 0.02 * dx),
                  3 * 16 * std::numeric_limits<TypeParam>::epsilon());
    }
}

}  // namespace
}  // namespace ptyle
