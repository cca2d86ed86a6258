// The affine model of a scan against one that is known.

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <vector>

#include "analysis/scan_model.hpp"
#include "core/raster.hpp"
#include "core/units.hpp"

namespace ptyle {
namespace {

TEST(ScanModel, FindsARotationAndScales) {
  const auto from = positions_of(Raster{{9, 7}, {2, 3}});
  auto to = positions_of(Raster{{9, 7}, {2 * 0.98, 3 * 1.01}, 1.5});
  for (Position& p : to) p.row += 100, p.col -= 7;  // which no model speaks of
  const ScanModel m = scan_model(from, to);
  EXPECT_NEAR(m.rotation, 1.5, 1e-9);
  EXPECT_NEAR(m.rows, 0.98, 1e-12);
  EXPECT_NEAR(m.columns, 1.01, 1e-12);
  EXPECT_NEAR(m.shear, 0, 1e-9);
  EXPECT_NEAR(m.rest, 0, 1e-12);
  EXPECT_GT(m.farthest, m.moved);
}

TEST(ScanModel, TellsAShearFromARotation) {
  const auto from = positions_of(Raster{{8, 8}, {1, 1}});
  auto to = from;
  for (std::size_t i = 0; i < to.size(); ++i) {
    to[i].row += 0.01 * from[i].col;
    to[i].col += 0.01 * from[i].row;
  }
  const ScanModel m = scan_model(from, to);
  EXPECT_NEAR(m.rotation, 0, 1e-9);
  EXPECT_NEAR(m.shear, 0.01 / degree, 1e-9);
}

TEST(ScanModel, LeavesWhatIsNotAffine) {
  const auto from = positions_of(Raster{{20, 20}, {1, 1}});
  auto to = from;
  for (std::size_t i = 0; i < to.size(); ++i) to[i].row += i % 2 == 0 ? 0.1 : -0.1;
  const ScanModel m = scan_model(from, to);
  EXPECT_NEAR(m.moved, 0.1, 1e-9);
  EXPECT_NEAR(m.rest, 0.1, 1e-3);  // columns alternate: a slope takes up 6/20² of the variance
}

TEST(ScanModel, ALineHasNone) {
  const std::vector<Position> from{{0, 0}, {0, 1}, {0, 2}}, to{{0, 0}, {0, 1.1}, {0, 2.2}};
  const ScanModel m = scan_model(from, to);
  EXPECT_EQ(m.columns, 1);
  EXPECT_NEAR(m.moved, m.rest, 1e-12);
  EXPECT_THROW(scan_model(from, {}), std::invalid_argument);
}

}  // namespace
}  // namespace ptyle
