#include <gtest/gtest.h>

#include <cmath>

#include "core/error.hpp"
#include "simulate/patterns.hpp"
#include "simulate/plan.hpp"
#include "simulate/small_recipe.hpp"

namespace ptyle {
namespace {

TEST(Scan, PositionIsRotationTimesSlowFast) {
  ScanRecipe scan;
  scan.shape = {3, 2};
  scan.step = {2, 0.5};
  scan.rotation = 30;
  const auto positions = scan_positions(scan, 0);
  ASSERT_EQ(positions.size(), 6u);
  const double c = std::sqrt(3.0) / 2, s = 0.5;
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 2; ++j) {
      const Position p = positions[static_cast<std::size_t>(2 * i + j)];
      EXPECT_NEAR(p.row, c * 2 * i - s * 0.5 * j, 1e-12);
      EXPECT_NEAR(p.col, s * 2 * i + c * 0.5 * j, 1e-12);
    }
}

TEST(Scan, SnakeReversesEverySecondLine) {
  ScanRecipe scan;
  scan.shape = {3, 4};
  scan.step = {1, 1};
  const auto raster = scan_positions(scan, 0);
  scan.snake = true;
  const auto snake = scan_positions(scan, 0);
  for (std::size_t j = 0; j < 4; ++j) {
    EXPECT_EQ(snake[j].col, raster[j].col);
    EXPECT_EQ(snake[4 + j].col, raster[7 - j].col);
    EXPECT_EQ(snake[4 + j].row, raster[4 + j].row);
    EXPECT_EQ(snake[8 + j].col, raster[8 + j].col);
  }
}

TEST(Scan, JitterIsNormalAndTheSeeds) {
  ScanRecipe scan;
  scan.shape = {60, 60};
  const auto nominal = scan_positions(scan, 0);
  scan.jitter = 0.1;
  const auto a = scan_positions(scan, 1), again = scan_positions(scan, 1),
             b = scan_positions(scan, 2);
  double sum = 0, squares = 0;
  const double n = 2.0 * 3600;
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].row, again[i].row);
    EXPECT_NE(a[i].row, b[i].row);
    for (const double d : {a[i].row - nominal[i].row, a[i].col - nominal[i].col})
      sum += d, squares += d * d;
  }
  // Five standard errors: of the mean σ/√n, of the variance σ² √(2/n).
  EXPECT_NEAR(sum / n, 0, 5 * 0.1 / std::sqrt(n));
  EXPECT_NEAR(squares / n, 0.01, 5 * 0.01 * std::sqrt(2 / n));
}

TEST(Scan, TheObjectIsScanPlusWindow) {
  Recipe r;
  r.scan.shape = {63, 66};
  r.detector.window = 256;
  const Plan small = make_plan(r);
  EXPECT_EQ(small.ny, 1169);
  EXPECT_EQ(small.nx, 1213);
  r.scan.shape = {7, 5};
  r.scan.rotation = 33;
  r.scan.jitter = 0.4;
  const Plan plan = make_plan(r);
  for (const Position& p : plan.positions) {
    const Placement at = place({p.row / plan.pixel, p.col / plan.pixel}, plan.window);
    EXPECT_GE(at.row, 0);
    EXPECT_GE(at.col, 0);
    EXPECT_LE(at.row + plan.window, plan.ny);
    EXPECT_LE(at.col + plan.window, plan.nx);
  }
}

TEST(Scan, CellsHoldEveryPositionOnceAndItsWindow) {
  const Plan plan = make_plan(small_recipe());
  for (const double bytes : {1e3, 2e5, 1e9}) {
    const auto cells = make_cells(plan, bytes, false);
    EXPECT_EQ(cells.size() == 1, bytes > 1e8);
    std::vector<int> seen(plan.positions.size());
    for (const Cell& cell : cells)
      for (const i64 i : cell.positions) {
        ++seen[static_cast<std::size_t>(i)];
        const Position& p = plan.positions[static_cast<std::size_t>(i)];
        const Placement at = place({p.row / plan.pixel, p.col / plan.pixel}, plan.window);
        EXPECT_TRUE(at.row >= cell.row && at.row + plan.window <= cell.row + cell.ny);
        EXPECT_TRUE(at.col >= cell.col && at.col + plan.window <= cell.col + cell.nx);
        EXPECT_TRUE(cell.row >= 0 && cell.row + cell.ny <= plan.ny);
        EXPECT_TRUE(cell.col >= 0 && cell.col + cell.nx <= plan.nx);
      }
    for (const int times : seen) EXPECT_EQ(times, 1);
  }
}

struct Mistake {
  const char* says;
  std::function<void(Recipe&)> make;
};

TEST(Recipe, MistakesAreNamed) {
  const Mistake mistakes[] = {
      {"optics.energy", [](Recipe& r) { r.optics.energy = -1; }},
      {"optics.semi_angle", [](Recipe& r) { r.optics.semi_angle = 0; }},
      {"detector.pixel_size", [](Recipe& r) { r.detector.pixel_size = 0.5; }},
      {"optics.mode_power", [](Recipe& r) { r.optics.modes = 5, r.optics.mode_power = 0.3; }},
      {"detector.bin", [](Recipe& r) { r.detector.bin = 5; }},
      {"detector.window", [](Recipe& r) { r.detector.window = 2; }},
      {"detector.band_limit", [](Recipe& r) { r.detector.band_limit = 1.5; }},
      {"scan.shape",
       [](Recipe& r) {
         r.scan.shape = {0, 3};
       }},
      {"scan.shape: more than 100 million",
       [](Recipe& r) {
         r.scan.shape = {20000, 20000};
       }},
      {"scan.step",
       [](Recipe& r) {
         r.scan.step = {1, 0};
       }},
      {"scan.jitter", [](Recipe& r) { r.scan.jitter = -1; }},
      {"specimen.structure", [](Recipe& r) { r.specimen.structure = static_cast<BuiltIn>(7); }},
      {"specimen.zone_axis",
       [](Recipe& r) {
         r.specimen.zone_axis = {0, 0, 0};
       }},
      {"specimen.repeat",
       [](Recipe& r) {
         r.specimen.repeat = {2, 0, 1};
       }},
      {"specimen.potential",
       [](Recipe& r) { r.specimen.potential = static_cast<Parametrization>(7); }},
      {"specimen.slice_thickness", [](Recipe& r) { r.specimen.slice_thickness = 0; }},
      {"no-such.cif", [](Recipe& r) { r.specimen.file = "no-such.cif"; }},
      {"thermal.B", [](Recipe& r) { r.thermal.motion = Motion::debye_waller; }},
      {"thermal.B: the specimen has no Sr",
       [](Recipe& r) {
         r.thermal = {Motion::debye_waller, {"Pb=1", "Ti=1", "O=1", "Sr=1"}, {}, 1};
       }},
      {"\"Pb:1\"",
       [](Recipe& r) {
         r.thermal = {Motion::debye_waller, {"Pb:1"}, {}, 1};
       }},
      {"given twice",
       [](Recipe& r) {
         r.thermal = {Motion::debye_waller, {"Pb=1", "Ti=1", "O=1"}, {"Pb=0.1"}, 1};
       }},
      {"thermal.motion", [](Recipe& r) { r.thermal.B = {"Pb=1"}; }},
      {"dose.type", [](Recipe& r) { r.dose.type = CountType::float32; }},
      {"dose.electrons_per_A2", [](Recipe& r) { r.dose.electrons_per_A2 = -3; }},
      {"precision", [](Recipe& r) { r.precision = static_cast<Precision>(7); }},
  };
  EXPECT_NO_THROW((void)make_plan(small_recipe()));
  for (const Mistake& m : mistakes) {
    Recipe r = small_recipe();
    m.make(r);
    try {
      (void)make_plan(r);
      FAIL() << m.says;
    } catch (const UserError& e) {
      EXPECT_NE(std::string(e.what()).find(m.says), std::string::npos) << e.what();
    }
  }
}

}  // namespace
}  // namespace ptyle
