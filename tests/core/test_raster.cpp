#include <gtest/gtest.h>

#include <cmath>

#include "core/raster.hpp"

namespace ptyle {
namespace {

TEST(Raster, IsTurnedByTheRotation) {
  const auto p = positions_of({{4, 5}, {2, 3}, 30});
  ASSERT_EQ(p.size(), 20u);
  const double c = std::cos(30 * degree), s = std::sin(30 * degree);
  for (std::size_t i = 0; i < 4; ++i)
    for (std::size_t j = 0; j < 5; ++j) {
      EXPECT_NEAR(p[i * 5 + j].row, c * 2 * double(i) - s * 3 * double(j), 1e-12);
      EXPECT_NEAR(p[i * 5 + j].col, s * 2 * double(i) + c * 3 * double(j), 1e-12);
    }
}

TEST(Raster, RunsBackwardsInEverySecondLineOfASnake) {
  const auto p = positions_of({{3, 4}, {2, 3}, 0, true});
  EXPECT_EQ(p[4].col, 9);
  EXPECT_EQ(p[7].col, 0);
  EXPECT_EQ(p[8].col, 0);
}

}  // namespace
}  // namespace ptyle
