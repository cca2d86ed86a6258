// Pixels and patterns that are no measurement, in frames of a noisy disc that moves with the scan.

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <random>

#include "core/error.hpp"
#include "io/temporary_folder.hpp"
#include "prepare/frames_in_memory.hpp"
#include "prepare/screening.hpp"
#include "prepare/sequence.hpp"

namespace ptyle {
namespace {

using testing::FramesInMemory;
using testing::measurement;
using testing::message_of;
using testing::says;

constexpr i64 side = 48, lines = 12, per_line = 10;

/// A disc of 12 px radius whose counts shift with the position, on a dim background; Poisson noise.
FramesInMemory discs(double level = 40, double dark = 0.5, double limit = 65535) {
  FramesInMemory f(lines * per_line, side, side, true, limit);
  std::mt19937 random(1);
  for (i64 i = 0; i < f.count; ++i) {
    const double a = 0.5 * double(i % per_line), b = 0.5 * double(i / per_line);
    for (i64 y = 0; y < side; ++y)
      for (i64 x = 0; x < side; ++x) {
        const double v = double(y) - 24, u = double(x) - 24, r = std::hypot(v, u);
        const double inside = 1 / (1 + std::exp((r - 12) / 0.4));
        const double mean = dark * std::exp(-r / 12) +
                            level * inside * (1 + 0.3 * std::sin(a + u / 4) * std::cos(b + v / 5));
        f.at(i, y, x) = std::poisson_distribution<int>(mean)(random);
      }
  }
  return f;
}

Experiment prepared(FramesInMemory& frames, const std::function<void(Measurement&)>& change = {}) {
  Measurement m = measurement(frames);
  if (change) change(m);
  return prepare(m);
}

std::string warned(const Experiment& e) {
  std::string all;
  for (const auto& w : e.warnings) all += w + "\n";
  return all;
}

void fill(FramesInMemory& f, i64 row, i64 rows, i64 col, i64 cols,
          const std::function<double(double)>& value) {
  for (i64 i = 0; i < f.count; ++i)
    for (i64 y = row; y < row + rows; ++y)
      for (i64 x = col; x < col + cols; ++x) f.at(i, y, x) = value(f.at(i, y, x));
}

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

TEST(Screening, LeavesOutPatternsThatAreNoMeasurement) {
  for (const i64 every : {100, 10, 3}) {
    for (const int kind : {0, 1, 2}) {
      FramesInMemory f = discs();
      std::vector<i64> odd;
      for (i64 i = every / 2; i < f.count; i += every) {
        odd.push_back(i);
        for (i64 k = 0; k < side * side; ++k) {
          double& v = f.at(i, k / side, k % side);
          v = kind == 0 ? 0 : kind == 1 ? (k % 997 == 0 ? 1 : 0) : 14 * v;
        }
      }
      const Experiment e = prepared(f);
      EXPECT_EQ(e.screening.left_out, odd) << every << ", " << kind << ": " << warned(e);
      const Experiment kept = prepared(f, [](Measurement& m) { m.data.outliers = Outliers::keep; });
      EXPECT_TRUE(kept.screening.left_out.empty());
      EXPECT_NE(kept.mean_counts, e.mean_counts);
      // what is left is as if they had never been
      EXPECT_LT(e.spread_of_counts, 0.1);
    }
  }
}

TEST(Screening, LeavesOutPatternsWithoutNumbers) {
  FramesInMemory f = discs();
  f.is_integer = false;
  f.largest = 0;
  for (i64 i : {5, 6, 77})
    for (i64 k = 0; k < side * side; ++k) f.at(i, k / side, k % side) = std::nan("");
  f.at(9, 3, 3) = std::nan("");
  const Experiment e = prepared(f);
  EXPECT_EQ(e.screening.left_out, (std::vector<i64>{5, 6, 77}));
  EXPECT_TRUE(std::isfinite(e.mean_counts));
  for (double& v : f.values) v = std::nan("");
  EXPECT_TRUE(says(message_of<UserError>([&] { prepared(f); }), {"no numbers"}));
}

TEST(Screening, LeavesOutPatternsThatRepeatTheOneBefore) {
  FramesInMemory f = discs();
  for (i64 i = 11; i < f.count; i += 10)
    for (i64 k = 0; k < side * side; ++k)
      f.at(i, k / side, k % side) = f.at(i - 1, k / side, k % side);
  const Experiment e = prepared(f);
  ASSERT_EQ(e.screening.left_out.size(), 11U) << warned(e);
  EXPECT_EQ(e.screening.left_out[0], 11);
}

TEST(Screening, KeepsABrightRegionOfTheSpecimen) {
  FramesInMemory f = discs(10);
  for (i64 i = 0; i < 4 * per_line; ++i)  // the first lines see a hole
    for (i64 k = 0; k < side * side; ++k) f.at(i, k / side, k % side) *= 4;
  EXPECT_TRUE(prepared(f).screening.left_out.empty());
}

TEST(Screening, RefusesWhereMostPatternsWouldGo) {
  FramesInMemory f = discs();
  for (i64 i = 0; i < f.count; ++i)
    if (i % 20 < 9)
      for (i64 k = 0; k < side * side; ++k) f.at(i, k / side, k % side) = 0;
  EXPECT_TRUE(
      says(message_of<UserError>([&] { prepared(f); }), {"54 of 120 patterns", "too many"}));
}

/// The same frames as a raster, the i-th of them that of position i − late.
Experiment raster(FramesInMemory& frames, i64 late) {
  FramesInMemory moved = frames;
  const i64 n = frames.count;
  for (i64 i = 0; i < n; ++i)
    for (i64 k = 0; k < side * side; ++k)
      moved.at(i, k / side, k % side) = frames.at((i - late + n) % n, k / side, k % side);
  Measurement m = measurement(moved);
  m.positions.reset();
  m.scan.positions.clear();
  m.scan.step = {1, 1};
  m.data.scan_shape = {lines, per_line};
  return prepare(m);
}

TEST(Screening, SeesFramesThatComeLate) {
  FramesInMemory f = discs();
  EXPECT_EQ(raster(f, 0).screening.frames_late, 0);
  for (const i64 late : {1, 3, -2}) {
    const Experiment e = raster(f, late);
    EXPECT_EQ(e.screening.frames_late, late);
    EXPECT_TRUE(says(warned(e), {"data.frame_offset=" + std::to_string(late)}));
  }
}

TEST(Screening, TellsPatternsThatAFitCannotExplain) {
  std::vector<double> r(100, 0.05);
  for (std::size_t i = 0; i < r.size(); ++i) r[i] += 0.001 * double(i % 7);
  r[3] = -1;
  EXPECT_TRUE(unexplained_patterns(r).patterns.empty());
  r[40] = 0.4;
  const Unexplained found = unexplained_patterns(r);
  EXPECT_EQ(found.patterns, std::vector<i64>{40});
  EXPECT_EQ(found.worst, 0.4);
  EXPECT_TRUE(unexplained_patterns({0.1, 5}).patterns.empty());
}

}  // namespace
}  // namespace ptyle
