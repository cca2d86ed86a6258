// Pixels and patterns that are no measurement, in frames of a noisy disc that moves with the scan.

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <random>

#include "core/error.hpp"
#include "io/temporary_folder.hpp"
#include "prepare/discs.hpp"
#include "prepare/screening.hpp"

namespace ptyle {
namespace {

using namespace testing;

/// The pixels that are left out are exactly this box.
void expect_box(const Experiment& e, PixelFault fault, i64 row, i64 rows, i64 col, i64 cols) {
  EXPECT_EQ(e.screening.count(fault), rows * cols) << warned(e);
  i64 others = 0;
  for (i64 k = 0; k < side * side; ++k) {
    const i64 y = k / side, x = k % side;
    const bool in = y >= row && y < row + rows && x >= col && x < col + cols;
    if (e.screening.bad(k) != in) ++others;
  }
  EXPECT_EQ(others, 0) << warned(e);
}

TEST(Screening, FindsNothingInWhatIsWhole) {
  for (const auto& [level, dark] :
       {std::pair{40.0, 0.5}, {3.0, 0.02}, {0.1, 0.001}, {2000.0, 50.0}}) {
    FramesInMemory f = discs(level, dark);
    const Experiment e = prepared(f);
    EXPECT_TRUE(mask_of(e.screening).empty()) << level << ": " << warned(e);
    EXPECT_TRUE(e.screening.left_out.empty()) << level << ": " << warned(e);
    EXPECT_EQ(e.screening.clipped, 0) << level;
  }
}

TEST(Screening, KnowsCountsByTheirVarianceWhateverTheGainAndOffset) {
  for (const double gain : {1.0, 30.0, 200.0})
    for (const double offset : {-1.0, 0.0, 10.0}) {
      FramesInMemory f = discs(3, 0.02);
      for (double& v : f.values) v = gain * v + offset;
      const Experiment e = prepared(f);
      EXPECT_TRUE(mask_of(e.screening).empty()) << gain << ", " << offset << ": " << warned(e);
      EXPECT_TRUE(e.screening.left_out.empty()) << gain << ", " << offset << ": " << warned(e);
    }
}

TEST(Screening, TakesNoLineForDeadBetweenTwoWithAFlash) {
  FramesInMemory f = discs(40, 0);  // nothing beyond the disc
  for (const i64 row : {2, 6})
    for (const i64 col : {5, 20, 33}) f.at(row + col, row, col) += 5000;
  const Experiment e = prepared(f);
  EXPECT_EQ(e.screening.count(PixelFault::dead), 0) << warned(e);
}

TEST(Screening, TakesPixelsThatAreNeverNumbersForTheFault) {
  FramesInMemory f = discs();
  f.is_integer = false;
  f.largest = 0;
  fill(f, 20, 3, 0, 48, [](double) { return std::nan(""); });  // 6 % of every frame
  const Experiment e = prepared(f);
  expect_box(e, PixelFault::missing, 20, 3, 0, 48);
  EXPECT_TRUE(e.screening.left_out.empty());
}

TEST(Screening, KeepsWhatAbsorbsAndWhatOneFrameSpoils) {
  FramesInMemory f = discs();
  for (i64 i = 30; i < 60; ++i)
    for (i64 k = 0; k < side * side; ++k)
      f.at(i, k / side, k % side) = std::floor(0.06 * f.at(i, k / side, k % side) + 0.5);
  EXPECT_TRUE(prepared(f).screening.left_out.empty());
  f = discs(400);
  std::mt19937 random(4);
  std::shuffle(f.values.begin() + 90 * side * side, f.values.begin() + 91 * side * side, random);
  const Experiment e = prepared(f);
  EXPECT_TRUE(mask_of(e.screening).empty()) << warned(e);
}

TEST(Screening, FindsPixelsThatAreDead) {
  const std::array<std::array<i64, 4>, 5> boxes{
      {{22, 1, 25, 1}, {22, 1, 25, 2}, {20, 3, 20, 3}, {22, 1, 0, 48}, {0, 48, 26, 2}}};
  for (const auto& [row, rows, col, cols] : boxes) {
    FramesInMemory f = discs();
    fill(f, row, rows, col, cols, [](double) { return 0; });
    expect_box(prepared(f), PixelFault::dead, row, rows, col, cols);
  }
}

TEST(Screening, FindsPixelsThatAreHot) {
  const std::array<std::array<i64, 4>, 5> boxes{
      {{8, 1, 9, 1}, {8, 1, 9, 2}, {8, 2, 9, 2}, {8, 1, 0, 48}, {0, 48, 40, 1}}};
  std::mt19937 random(2);
  for (const auto& [row, rows, col, cols] : boxes) {
    FramesInMemory f = discs();
    fill(f, row, rows, col, cols,
         [&](double) { return std::poisson_distribution<int>(5000)(random); });
    expect_box(prepared(f), PixelFault::hot, row, rows, col, cols);
  }
}

TEST(Screening, FindsGapsMarkedByTheLargestValueWhateverTheBin) {
  for (const double limit : {255.0, 65535.0, 4294967295.0})
    for (const int bin : {1, 2, 4}) {
      FramesInMemory f = discs(40, 0.5, limit);
      fill(f, 20, 4, 0, 48, [&](double) { return limit; });
      const Experiment e = prepared(f, [&](Measurement& m) { m.data.bin = bin; });
      expect_box(e, PixelFault::full, 20, 4, 0, 48);
      EXPECT_LT(e.mean_counts, 48 * 48 * 40);
      EXPECT_TRUE(says(warned(e), {"192 full in every frame", "rows 20-23"}));
    }
}

TEST(Screening, FindsAFlashInASingleFrame) {
  FramesInMemory f = discs();
  f.at(7, 9, 40) = 4000;
  expect_box(prepared(f), PixelFault::flashed, 9, 1, 40, 1);
}

TEST(Screening, FindsGapsMarkedByMinusOne) {
  FramesInMemory f = discs();
  fill(f, 20, 4, 0, 48, [](double) { return -1; });
  const Experiment e = prepared(f);
  expect_box(e, PixelFault::dead, 20, 4, 0, 48);
  EXPECT_EQ(warned(e).find("negative"), std::string::npos) << warned(e);
}

TEST(Screening, KeepsADiscThatIsCutOff) {
  FramesInMemory f = discs(400, 0.5, 255);
  for (double& v : f.values) v = std::min(v, 255.0);
  const Experiment e = prepared(f);
  EXPECT_TRUE(mask_of(e.screening).empty()) << warned(e);
  EXPECT_GT(e.screening.clipped, 100);
  EXPECT_EQ(e.screening.clipped_at, 255);
}

TEST(Screening, IsOffWhereAsked) {
  FramesInMemory f = discs();
  fill(f, 22, 1, 25, 2, [](double) { return 0; });
  const Experiment e = prepared(f, [](Measurement& m) { m.data.find_bad_pixels = false; });
  EXPECT_TRUE(mask_of(e.screening).empty());
  EXPECT_EQ(std::count(e.valid.begin(), e.valid.end(), 0.0F), 0);
}

TEST(Screening, FindsDeadModulesAndBlocks) {
  const std::array<std::array<i64, 4>, 6> boxes{{{0, 6, 0, 48},     // along an edge
                                                 {0, 48, 47, 1},    // the last column
                                                 {38, 10, 0, 10},   // a corner
                                                 {0, 24, 24, 24},   // a quadrant
                                                 {17, 9, 20, 11},   // within the disc
                                                 {7, 12, 0, 48}}};  // a quarter of all rows
  for (const auto& [row, rows, col, cols] : boxes) {
    FramesInMemory f = discs(40, 5);
    fill(f, row, rows, col, cols, [](double) { return 0; });
    expect_box(prepared(f), PixelFault::dead, row, rows, col, cols);
  }
}

// Where the detector has no counts in any case, modules are found as far as the opposite side has.
TEST(Screening, FindsDeadModulesOfWhichAPartIsDark) {
  const std::array<std::array<i64, 4>, 3> boxes{
      {{0, 24, 0, 24}, {0, 48, 28, 20}, {28, 20, 10, 38}}};
  for (const auto& [row, rows, col, cols] : boxes) {
    FramesInMemory f = discs();
    for (i64 i = 0; i < f.count; ++i)
      change(f, i, [&](double v, i64 y, i64 x) {
        const bool dead = y >= row && y < row + rows && x >= col && x < col + cols;
        return dead || std::hypot(double(y) - 24, double(x) - 24) > 20 ? 0 : v;
      });
    const Experiment e = prepared(f);
    i64 missed = 0, too_many = 0;
    for (i64 y = 0; y < side; ++y)
      for (i64 x = 0; x < side; ++x) {
        const bool dead = y >= row && y < row + rows && x >= col && x < col + cols,
                   bad = e.screening.bad(y * side + x),
                   lit = std::hypot(double(y) - 24, double(x) - 24) < 19;
        if (dead && lit && !bad) ++missed;
        if (!dead && bad) ++too_many;
      }
    // The beam's place is its own opposite, and the corner of a module has few pixels about it.
    EXPECT_LE(missed, 25) << row << ": " << warned(e);
    EXPECT_EQ(too_many, 0) << row << ": " << warned(e);
  }
}

// In focus a hard aperture's disc ends between two pixels, and there is nothing beyond it.
TEST(Screening, KeepsTheDarkAroundAHardDisc) {
  for (const auto& [radius, off] :
       {std::pair{6.0, 0}, {12.0, 0}, {20.0, 0}, {23.5, 0}, {12.0, 7}}) {
    FramesInMemory f(lines * per_line, side, side, true, 65535);
    std::mt19937 random(3);
    for (i64 i = 0; i < f.count; ++i)
      change(f, i, [&](double, i64 y, i64 x) {
        const bool in = std::hypot(double(y) - 24, double(x) - 24 - off) < radius;
        return in ? double(std::poisson_distribution<int>(40)(random)) : 0.0;
      });
    const Experiment e = prepared(f);
    EXPECT_TRUE(mask_of(e.screening).empty()) << radius << ": " << warned(e);
  }
}

TEST(Screening, FindsAHotCorner) {
  std::mt19937 random(2);
  FramesInMemory f = discs();
  fill(f, 45, 3, 0, 3, [&](double) { return std::poisson_distribution<int>(5000)(random); });
  expect_box(prepared(f), PixelFault::hot, 45, 3, 0, 3);
}

TEST(Screening, FindsPixelsThatAreStuckWhateverTheirValue) {
  for (const double value : {20.0, 45.0, 400.0, 30000.0})  // the last two above all others
    for (const i64 size : {1, 3}) {
      FramesInMemory f = discs();
      fill(f, 25, size, 23, size, [&](double) { return value; });
      expect_box(prepared(f), PixelFault::stuck, 25, size, 23, size);
    }
}

TEST(Screening, FindsPixelsThatFlicker) {
  FramesInMemory f = discs();
  std::mt19937 random(6);
  for (const auto& [y, x] : {std::pair<i64, i64>{18, 30}, {5, 40}}) {
    std::bernoulli_distribution on(0.3);
    for (i64 i = 0; i < f.count; ++i) f.at(i, y, x) += on(random) ? 300 : 0;
  }
  const Experiment e = prepared(f);
  EXPECT_EQ(e.screening.count(PixelFault::flickering), 2) << warned(e);
  EXPECT_TRUE(e.screening.bad(18 * side + 30) && e.screening.bad(5 * side + 40)) << warned(e);
  EXPECT_TRUE(says(warned(e), {"2 that flicker: (5, 40), (18, 30)"}));
}

// Without the frames that are left out a hot pixel varies as counts do, and nothing is cut off.
TEST(Screening, TakesPixelsByTheFramesThatAreLeft) {
  for (const int kind : {0, 1, 2}) {
    FramesInMemory f = discs(400, 0.5, 4095);
    std::mt19937 random(2);
    fill(f, 8, 1, 9, 2, [&](double) { return std::poisson_distribution<int>(3000)(random); });
    for (i64 i = 2; i < f.count; i += 4)
      change(f, i, [&](double v, i64, i64) {
        return kind == 0 ? 0 : kind == 1 ? std::min(4095.0, 14 * v) : 4095;
      });
    const Experiment e = prepared(f);
    EXPECT_EQ(e.screening.left_out.size(), 30U) << kind << ": " << warned(e);
    expect_box(e, PixelFault::hot, 8, 1, 9, 2);
    EXPECT_EQ(e.screening.clipped, 0) << kind << ": " << warned(e);
  }
}

}  // namespace
}  // namespace ptyle
