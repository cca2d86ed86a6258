#include <gtest/gtest.h>

#include <cmath>

#include "core/error.hpp"
#include "core/units.hpp"
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

TEST(Scan, TrueAndNominalDifferByTheAffineModel) {
  // Steps of the true raster, about the middle of the nominal one: lengths scale (1 ± a/2), turned,
  // the slow one leaning.
  ScanRecipe scan;
  scan.shape = {5, 7};
  scan.step = {2, 0.5};
  scan.rotation = 30;
  scan.turn = -1.2, scan.scale = 0.993, scan.asymmetry = 0.02, scan.shear = 0.7;
  const auto positions = scan_positions(scan, 0), nominal = nominal_positions(scan);
  const double angle = 28.8 * degree, lean = std::tan(0.7 * degree);
  const double slow = 0.993 * 1.01 * 2, fast = 0.993 * 0.99 * 0.5;
  const double c = std::cos(angle), s = std::sin(angle);
  const Position middle = scan_middle(scan);
  EXPECT_NEAR(middle.row, nominal[17].row, 1e-12);
  EXPECT_NEAR(middle.col, nominal[17].col, 1e-12);
  const auto affine = scan_affine(scan);
  for (int i = 0; i < 5; ++i)
    for (int j = 0; j < 7; ++j) {
      const auto n = static_cast<std::size_t>(7 * i + j);
      const double down = (i - 2) * slow, along = (j - 3) * fast + (i - 2) * slow * lean;
      EXPECT_NEAR(positions[n].row, middle.row + c * down - s * along, 1e-12);
      EXPECT_NEAR(positions[n].col, middle.col + s * down + c * along, 1e-12);
      const double row = nominal[n].row - middle.row, col = nominal[n].col - middle.col;
      EXPECT_NEAR(positions[n].row, middle.row + affine[0] * row + affine[1] * col, 1e-12);
      EXPECT_NEAR(positions[n].col, middle.col + affine[2] * row + affine[3] * col, 1e-12);
    }
}

TEST(Scan, DriftGrowsInTheOrderOfTheScan) {
  ScanRecipe scan;
  scan.shape = {3, 4};
  scan.snake = true;
  scan.rotation = 10;
  const auto still = scan_positions(scan, 0);
  scan.drift = {-0.4, 0.3};
  const auto moved = scan_positions(scan, 0);
  for (std::size_t i = 0; i < 12; ++i) {
    EXPECT_NEAR(moved[i].row - still[i].row, -0.4 * (double(i) / 11 - 0.5), 1e-12);
    EXPECT_NEAR(moved[i].col - still[i].col, 0.3 * (double(i) / 11 - 0.5), 1e-12);
  }
  scan.shape = {1, 1};
  EXPECT_EQ(scan_positions(scan, 0)[0].row, 0);
}

TEST(Scan, ALinesJitterIsOneOffset) {
  ScanRecipe scan;
  scan.shape = {2000, 3};
  const auto still = scan_positions(scan, 1);
  scan.line_jitter = 0.2;
  const auto moved = scan_positions(scan, 1);
  double squares = 0, before = 0;
  for (std::size_t i = 0; i < 2000; ++i) {
    const double row = moved[3 * i].row - still[3 * i].row,
                 col = moved[3 * i].col - still[3 * i].col;
    for (std::size_t j = 1; j < 3; ++j) {
      EXPECT_NEAR(moved[3 * i + j].row - still[3 * i + j].row, row, 1e-9);
      EXPECT_NEAR(moved[3 * i + j].col - still[3 * i + j].col, col, 1e-9);
    }
    EXPECT_NE(row, before);
    before = row;
    squares += row * row + col * col;
  }
  EXPECT_NEAR(squares / 4000, 0.04, 5 * 0.04 * std::sqrt(2.0 / 4000));
}

TEST(Scan, ReportsNominalPositionsWhereItIsDistorted) {
  Recipe r = small_recipe();
  Plan plan = make_plan(r);
  for (std::size_t i = 0; i < 12; ++i) EXPECT_EQ(plan.reported[i].row, plan.positions[i].row);
  r.scan.turn = 2, r.scan.drift = {0.3, 0};
  plan = make_plan(r);
  const auto nominal = nominal_positions(r.scan);
  for (std::size_t i = 0; i < 12; ++i) {
    EXPECT_NEAR(plan.reported[i].row - plan.reported[0].row, nominal[i].row, 1e-9);
    EXPECT_NEAR(plan.reported[i].col - plan.reported[0].col, nominal[i].col, 1e-9);
    EXPECT_NE(plan.reported[i].row, plan.positions[i].row);
    EXPECT_LT(distance(plan.reported[i], plan.positions[i]), 0.5);
  }
  r.scan.reported = Reported::actual;
  plan = make_plan(r);
  for (std::size_t i = 0; i < 12; ++i) EXPECT_EQ(plan.reported[i].row, plan.positions[i].row);
  r = small_recipe();
  r.scan.reported = Reported::nominal;  // without its jitter
  plan = make_plan(r);
  EXPECT_NEAR(plan.reported[3].col - plan.reported[0].col, 3 * 1.1 * std::cos(20 * degree), 1e-9);
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
      {"scan.line_jitter: 3 Å is more than a step", [](Recipe& r) { r.scan.line_jitter = 3; }},
      {"scan.scale", [](Recipe& r) { r.scan.scale = 0; }},
      {"scan.asymmetry", [](Recipe& r) { r.scan.asymmetry = 2; }},
      {"scan.shear", [](Recipe& r) { r.scan.shear = 90; }},
      {"optics.source_size", [](Recipe& r) { r.optics.source_size = -0.1; }},
      {"optics.focal_spread", [](Recipe& r) { r.optics.focal_spread = -1; }},
      {"optics.left_out", [](Recipe& r) { r.optics.left_out = 0.5; }},
      {"detector.blur", [](Recipe& r) { r.detector.blur = -1; }},
      {"detector.gain", [](Recipe& r) { r.detector.gain = 0; }},
      {"detector.readout_noise", [](Recipe& r) { r.detector.readout_noise = -1; }},
      {"detector.dead_pixels: 1 is out of its limits",
       [](Recipe& r) { r.detector.dead_pixels = 1; }},
      {"detector.descan_col: patterns shift by up to",
       [](Recipe& r) {
         r.detector.descan_col = {0, 20};
       }},
      {"\"Ti=Sr at=(0 0 90) radius=2\" finds no Ti",
       [](Recipe& r) {
         r.specimen.substitutions = {"Ti=Sr at=(0 0) radius=20", "Ti=Sr at=(0 0 90) radius=2"};
       }},
      {"\"at=(0 300) turn=1\" holds no atom",
       [](Recipe& r) { r.specimen.regions = {"at=(0 300) turn=1"}; }},
      {"specimen.tilt_row", [](Recipe& r) { r.specimen.tilt_row = 600; }},
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

/// Whether anything is replaced is drawn by the seed, but no seed makes a recipe wrong.
TEST(Recipe, MayGiveFactorsOfWhatIsNotDrawn) {
  Recipe r = small_recipe();
  r.thermal = {Motion::debye_waller, {"Pb=1", "Ti=1", "O=1", "Sr=1"}, {}, 1};
  for (const std::string share : {"0", "1"}) {
    r.specimen.substitutions = {"Pb=Sr share=" + share + " at=(0 0) radius=100"};
    EXPECT_EQ(make_plan(r).B.size(), 4U) << share;
  }
}

TEST(Recipe, ItsTextNamesLaterKeysOnlyWhereTheyAreUsed) {
  // Sets that were begun with an earlier ptyle are resumed: their texts must be what they were.
  Recipe r = small_recipe();
  const std::string before = describe(r);
  EXPECT_NE(before.find("scan:\n  shape: [3, 4]\n  step: [0.8, 1.1]\n  rotation: 20\n"
                        "  snake: false\n  jitter: 0.05\ndose:\n"),
            std::string::npos)
      << before;
  EXPECT_NE(before.find("  mode_power: 0.02\ndetector:\n"), std::string::npos) << before;
  EXPECT_NE(before.find("  band_limit: 0.6666666666666666\nscan:\n"), std::string::npos) << before;
  EXPECT_NE(before.find("  potential: lobato\nthermal:\n"), std::string::npos) << before;
  r.scan.drift = {0.1, 0};
  EXPECT_NE(describe(r).find("  drift: [0.1, 0]\n"), std::string::npos);
  r.scan.drift = {};
  r.scan.reported = Reported::nominal;
  EXPECT_NE(describe(r).find("  reported: nominal\n"), std::string::npos);
}

}  // namespace
}  // namespace ptyle
