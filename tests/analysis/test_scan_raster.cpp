#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "analysis/scan_raster.hpp"
#include "core/random.hpp"
#include "core/raster.hpp"

namespace ptyle {
namespace {

constexpr Raster rotated{{7, 9}, {2, 1.5}, 33, false};

TEST(ScanRaster, StepsAndPlacesOfARotatedRaster) {
  const auto found = scan_raster(positions_of(rotated));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->shape, rotated.shape);
  // Exact positions leave rounding alone.
  const double c = std::cos(33 * degree), s = std::sin(33 * degree);
  EXPECT_NEAR(found->slow.row, 2 * c, 1e-9);
  EXPECT_NEAR(found->slow.col, 2 * s, 1e-9);
  EXPECT_NEAR(found->fast.row, -1.5 * s, 1e-9);
  EXPECT_NEAR(found->fast.col, 1.5 * c, 1e-9);
  for (i64 i = 0; i < 63; ++i) EXPECT_EQ(found->places[i], i);
}

TEST(ScanRaster, LinesThatRunBackwardsHaveTheirPlaces) {
  Raster snake = rotated;
  snake.snake = true;
  const auto found = scan_raster(positions_of(snake));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->shape, rotated.shape);
  for (i64 i = 0; i < 63; ++i)
    EXPECT_EQ(found->places[i], i / 9 * 9 + (i / 9 % 2 == 0 ? i % 9 : 8 - i % 9));
}

TEST(ScanRaster, LinesMayLieCloserThanPositionsAlongThem) {
  for (const bool snake : {false, true}) {
    const Raster close{{20, 12}, {1, 3}, 33, snake};
    const auto found = scan_raster(positions_of(close));
    ASSERT_TRUE(found) << snake;
    EXPECT_EQ(found->shape, close.shape);
    EXPECT_NEAR(std::hypot(found->slow.row, found->slow.col), 1, 1e-9);
    EXPECT_NEAR(std::hypot(found->fast.row, found->fast.col), 3, 1e-9);
    EXPECT_EQ(found->places[13], snake ? 22 : 13);
  }
}

TEST(ScanRaster, GapsAndJitterDoNotMatter) {
  // 0.1 steps of jitter are far below the half that moves a position to another place.
  auto positions = positions_of(Raster{{60, 50}, {1, 1}, -71});
  Philox random(1, 2, 3);
  for (Position& p : positions)
    p = {p.row + 0.2 * (random.uniform() - 0.5), p.col + 0.2 * (random.uniform() - 0.5)};
  positions.erase(positions.begin() + 120, positions.begin() + 170);
  positions.erase(positions.begin() + 7);
  const auto found = scan_raster(positions);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->shape, (std::array<i64, 2>{60, 50}));
  EXPECT_EQ(found->places[7], 8);
  EXPECT_EQ(found->places.back(), 60 * 50 - 1);
}

TEST(ScanRaster, NoRasterIsOne) {
  EXPECT_FALSE(scan_raster(positions_of(Raster{{1, 30}, {1, 1}, 20})));  // a line
  EXPECT_FALSE(scan_raster(std::vector<Position>(20)));                  // a place
  std::vector<Position> anywhere(200), spiral;
  Philox random(4, 5, 6);
  for (Position& p : anywhere) p = {20 * random.uniform(), 20 * random.uniform()};
  EXPECT_FALSE(scan_raster(anywhere));
  for (int i = 0; i < 200; ++i)
    spiral.push_back({std::sqrt(i) * std::cos(2.4 * i), std::sqrt(i) * std::sin(2.4 * i)});
  EXPECT_FALSE(scan_raster(spiral));
}

}  // namespace
}  // namespace ptyle
