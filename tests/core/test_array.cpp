#include <gtest/gtest.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "core/array.hpp"
#include "core/grid.hpp"

namespace ptyle {
namespace {

TEST(Array, IsZeroAlignedAndInCOrder) {
  Array<float, 3> a({2, 3, 5});
  EXPECT_EQ(a.size(), 30);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(a.data()) % 64, 0u);
  for (const float v : a) EXPECT_EQ(v, 0);
  a(1, 2, 3) = 7;
  EXPECT_EQ(a.data()[1 * 15 + 2 * 5 + 3], 7);
}

TEST(Array, SubArraysAreViewsOfIt) {
  Array<int, 3> a({2, 3, 4});
  for (i64 i = 0; i < a.size(); ++i) a.data()[i] = static_cast<int>(i);
  const View<int, 2> second = a.view()[1];
  EXPECT_EQ(second.shape, (std::array<i64, 2>{3, 4}));
  EXPECT_EQ(second(2, 3), 23);
  second(0, 0) = -1;
  EXPECT_EQ(a(1, 0, 0), -1);
  const View<const int, 1> row = second[1];
  EXPECT_EQ(row(0), 16);
}

TEST(Array, EmptyOnes) {
  const Array<double, 2> none, flat({0, 8});
  EXPECT_TRUE(none.empty());
  EXPECT_TRUE(flat.empty());
  EXPECT_EQ(flat.size(), 0);
  EXPECT_TRUE((View<double, 2>{}).empty());
  EXPECT_EQ(flat.begin(), flat.end());
}

TEST(Array, MovesWithoutCopying) {
  Array<double, 1> a({100});
  a(42) = 3;
  const double* where = a.data();
  const Array<double, 1> b = std::move(a);
  EXPECT_EQ(b.data(), where);
  EXPECT_EQ(b(42), 3);
}

TEST(Array, ConvertsValueByValue) {
  Array<double, 2> a({2, 2});
  a(1, 0) = 0.1;
  const auto f = converted<float>(View<const double, 2>(a));
  EXPECT_EQ(f.shape(), a.shape());
  EXPECT_EQ(f(1, 0), 0.1f);
  Array<Complex<float>, 1> c({1});
  c(0) = {1, -2};
  EXPECT_EQ(converted<Complex<double>>(View<const Complex<float>, 1>(c))(0),
            (Complex<double>{1, -2}));
}

// 0, 1, …, −2, −1; for even N the Nyquist frequency is negative.
TEST(Grid, FrequenciesStandAsInATransform) {
  const std::vector<i64> odd = {0, 1, 2, -2, -1}, even = {0, 1, 2, -3, -2, -1};
  for (i64 i = 0; i < 5; ++i) EXPECT_EQ(frequency_index(i, 5), odd[static_cast<std::size_t>(i)]);
  for (i64 i = 0; i < 6; ++i) EXPECT_EQ(frequency_index(i, 6), even[static_cast<std::size_t>(i)]);
  EXPECT_EQ(frequency_index(0, 1), 0);
}

TEST(Grid, CentringMovesTheZeroFrequencyToTheMiddle) {
  for (const i64 n : {1, 2, 5, 6, 7, 8, 33}) {
    EXPECT_EQ(to_centred(0, n), n / 2);
    for (i64 i = 0; i < n; ++i) {
      EXPECT_EQ(to_corner(to_centred(i, n), n), i);
      EXPECT_EQ(to_centred(i, n) - n / 2, frequency_index(i, n));
    }
  }
}

TEST(Grid, FramesAreCentredAndBack) {
  for (const auto& shape : {std::array<i64, 2>{4, 5}, {5, 4}, {1, 7}, {6, 6}, {3, 3}}) {
    Array<int, 2> frame(shape);
    for (i64 i = 0; i < frame.size(); ++i) frame.data()[i] = static_cast<int>(i) + 1;
    const auto middle = centred<int>(frame.view());
    EXPECT_EQ(middle(shape[0] / 2, shape[1] / 2), 1);  // what stood at [0,0]
    const auto back = cornered<int>(middle.view());
    EXPECT_TRUE(std::equal(back.begin(), back.end(), frame.begin()));
  }
}

}  // namespace
}  // namespace ptyle
