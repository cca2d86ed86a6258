#include <gtest/gtest.h>

#include "core/matrix2.hpp"

namespace ptyle {
namespace {

TEST(Matrix2, IsOfRowsAndColumns) {
  const Matrix2 a{1, 2, 3, 5}, b{0, 1, -2, 4};
  EXPECT_EQ(times(a, b), (Matrix2{-4, 9, -10, 23}));
  EXPECT_EQ(times(a, Vector2{1, 10}), (Vector2{21, 53}));
  EXPECT_EQ(times(2, a), (Matrix2{2, 4, 6, 10}));
  EXPECT_EQ(transposed(a), (Matrix2{1, 3, 2, 5}));
  EXPECT_EQ(inverse(a), (Matrix2{-5, 2, 3, -1}));
}

TEST(Matrix2, RotationTakesRowsToColumns) {
  const auto [row, col] = times(rotation(std::acos(0)), Vector2{3, 0});
  EXPECT_NEAR(row, 0, 1e-15);
  EXPECT_NEAR(col, 3, 1e-15);
}

}  // namespace
}  // namespace ptyle
