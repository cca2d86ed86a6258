// The step of scans of all shapes against those that they were made with.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <vector>

#include "analysis/neighbours.hpp"
#include "analysis/scan_extent.hpp"
#include "core/random.hpp"
#include "core/raster.hpp"
#include "core/units.hpp"

namespace ptyle {
namespace {

using Positions = std::vector<Position>;

Positions line(int n, double step, double degrees) {
  Positions all;
  for (int i = 0; i < n; ++i)
    all.push_back(
        {step * i * std::sin(degrees * degree) + 7, step * i * std::cos(degrees * degree) - 3});
  return all;
}

Positions with(Positions positions, const Positions& others) {
  positions.insert(positions.end(), others.begin(), others.end());
  return positions;
}

/// The root of its rectangle's area per position, to the bit: sizes of objects depend on it.
TEST(ScanExtent, OfARasterIsItsRectangle) {
  for (const Raster& raster : {Raster{{16, 16}, {0.8, 0.8}}, Raster{{40, 34}, {0.48, 0.48}},
                               Raster{{20, 30}, {1.2, 0.3}}, Raster{{5, 90}, {1.45, 1.45}}}) {
    const double rows = positions_of(raster).back().row, cols = positions_of(raster).back().col;
    const ScanExtent scan = scan_extent(positions_of(raster));
    EXPECT_EQ(scan.area, rows * cols);
    EXPECT_EQ(scan.step, std::sqrt(rows * cols / double(raster.shape[0] * raster.shape[1])));
    EXPECT_EQ(scan.length, std::hypot(rows, cols));
    EXPECT_EQ(scan.width(), rows * cols / scan.length);
  }
}

TEST(ScanExtent, IsTheSameHoweverAScanIsRotated) {
  const double step = scan_extent(positions_of(Raster{{16, 24}, {0.8, 0.7}})).step;
  for (const double degrees : {3.0, 45.0, 200.0})
    EXPECT_NEAR(scan_extent(positions_of(Raster{{16, 24}, {0.8, 0.7}, degrees})).step, step, 1e-12);
}

/// The length per position, of one less than there are.
TEST(ScanExtent, OfALineIsItsStepInAnyDirection) {
  for (const double degrees : {0.0, 45.0, 90.0, 117.0}) {
    const ScanExtent scan = scan_extent(line(300, 0.1, degrees));
    EXPECT_NEAR(scan.step, 0.1 * 299 / 300, 1e-9) << degrees;
    EXPECT_NEAR(scan.width(), 0, 1e-9) << degrees;  // of coordinates of 30, to 1e-16
  }
}

TEST(ScanExtent, LeavesOutThoseFarFromAllOthers) {
  const Raster raster{{16, 16}, {0.8, 0.8}};
  const ScanExtent there = scan_extent(positions_of(raster));
  const Positions far{{500, -20}, {-40, 60}};
  EXPECT_EQ(scan_extent(with(positions_of(raster), far)).step, there.step);
  EXPECT_EQ(scan_extent(with(positions_of(raster), far)).area, there.area);
  EXPECT_NEAR(scan_extent(with(line(300, 0.1, 45), far)).width(), 0, 1e-9);
}

TEST(ScanExtent, OfTwoScansFarApartIsThatOfEach) {
  Positions other = positions_of(Raster{{12, 12}, {0.8, 0.8}});
  for (Position& p : other) p.col += 1000;
  const ScanExtent both = scan_extent(with(positions_of(Raster{{12, 12}, {0.8, 0.8}}), other));
  EXPECT_NEAR(both.step, 0.8, 1e-12);
}

/// 400 by chance in 20 x 20: the hull leaves out some 4 √N of N at its edge (Rényi and Sulanke), so
/// that 1 is known to a tenth.
TEST(ScanExtent, OfPositionsByChanceIsTheRootOfTheirArea) {
  Philox random(3, 0, 0);
  Positions all;
  for (int i = 0; i < 400; ++i) all.push_back({20 * random.uniform(), 20 * random.uniform()});
  EXPECT_NEAR(scan_extent(all).step, 1, 0.1);
}

/// The distance to the k-th of all others, of each of so few.
double brute_distance(const Positions& all, std::size_t k) {
  std::vector<double> found;
  for (const Position& at : all) {
    std::vector<double> from_it;
    for (const Position& p : all) from_it.push_back(distance(p, at));
    std::sort(from_it.begin(), from_it.end());
    found.push_back(from_it[k]);
  }
  std::sort(found.begin(), found.end());
  return found[found.size() / 2];
}

/// Scans of all kinds, with repeated positions, on either axis and with some far away.
TEST(ScanExtent, FindsTheNeighboursThatAComparisonWithAllFinds) {
  Philox random(5, 0, 0);
  for (int time = 0; time < 60; ++time) {
    Positions all, close;
    const double rows = random.uniform() < 0.3 ? 0 : 30 * random.uniform(), cols = 10;
    while (all.size() < 60) all.push_back({rows * random.uniform(), cols * random.uniform()});
    for (int i = 0; i < time % 4; ++i) all.push_back(all[static_cast<std::size_t>(7 * i)]);
    for (int i = 0; i < time % 3; ++i) all.push_back({1e3 * random.uniform(), 50.0 * i});
    for (const i64 k : {1, 4, 6})
      ASSERT_EQ(neighbour_distance(all, k), brute_distance(all, static_cast<std::size_t>(k)));
    const double radius = 5 * brute_distance(all, 4);
    std::copy_if(all.begin(), all.end(), std::back_inserter(close), [&](Position p) {
      return std::count_if(all.begin(), all.end(),
                           [&](Position q) { return distance(p, q) <= radius; }) > 1;
    });
    Ordered ordered(all);
    ordered.drop_lonely(radius);
    EXPECT_EQ(ordered.positions().size(), close.size());
    for (const Position& p : ordered.positions())
      EXPECT_TRUE(std::any_of(close.begin(), close.end(),
                              [&](Position q) { return q.row == p.row && q.col == p.col; }));
  }
}

TEST(ScanExtent, OfFewOrEqualPositionsIsFinite) {
  EXPECT_EQ(scan_extent({}).step, 0);
  EXPECT_EQ(scan_extent(Positions{{3, 4}}).step, 0);
  EXPECT_EQ(scan_extent(Positions{{0, 0}, {0, 2}}).step, 1);
  EXPECT_EQ(scan_extent(Positions(9, {3, 4})).step, 0);
  Positions repeated;
  for (int i = 0; i < 6; ++i) repeated = with(repeated, positions_of(Raster{{4, 4}, {1, 1}}));
  EXPECT_NEAR(scan_extent(repeated).step, 3 / std::sqrt(96.0), 1e-12);
}

}  // namespace
}  // namespace ptyle
