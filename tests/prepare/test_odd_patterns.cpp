// Patterns that are no measurement, in frames of a noisy disc that moves with the scan.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "core/error.hpp"
#include "io/temporary_folder.hpp"
#include "prepare/discs.hpp"
#include "prepare/odd_patterns.hpp"

namespace ptyle {
namespace {

using namespace testing;

TEST(OddPatterns, LeavesOutPatternsThatAreNoMeasurement) {
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

TEST(OddPatterns, LeavesOutPatternsWithoutNumbers) {
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

TEST(OddPatterns, LeavesOutPatternsThatRepeatTheOneBefore) {
  FramesInMemory f = discs();
  for (i64 i = 11; i < f.count; i += 10)
    for (i64 k = 0; k < side * side; ++k)
      f.at(i, k / side, k % side) = f.at(i - 1, k / side, k % side);
  const Experiment e = prepared(f);
  ASSERT_EQ(e.screening.left_out.size(), 11U) << warned(e);
  EXPECT_EQ(e.screening.left_out[0], 11);
}

TEST(OddPatterns, KeepsABrightRegionOfTheSpecimen) {
  FramesInMemory f = discs(10);
  for (i64 i = 0; i < 4 * per_line; ++i)  // the first lines see a hole
    for (i64 k = 0; k < side * side; ++k) f.at(i, k / side, k % side) *= 4;
  EXPECT_TRUE(prepared(f).screening.left_out.empty());
}

TEST(OddPatterns, RefusesWhereMostPatternsWouldGo) {
  FramesInMemory f = discs();
  for (i64 i = 0; i < f.count; ++i)
    if (i % 20 < 9)
      for (i64 k = 0; k < side * side; ++k) f.at(i, k / side, k % side) = 0;
  EXPECT_TRUE(
      says(message_of<UserError>([&] { prepared(f); }), {"54 of 120 patterns", "too many"}));
}

TEST(OddPatterns, AtTheLargestValueAreLeftOut) {
  for (const double saturation : {0.0, 60000.0}) {
    FramesInMemory f = discs();
    for (const i64 i : {5, 6, 77}) change(f, i, [](double, i64, i64) { return 65535; });
    const auto limited = [&](Measurement& m) { m.data.saturation = saturation; };
    const Experiment e = prepared(f, limited);
    EXPECT_EQ(e.screening.left_out, (std::vector<i64>{5, 6, 77})) << warned(e);
    EXPECT_TRUE(says(warned(e), {"3 with most pixels at the largest value (numbers 5-6, 77)"}));
    EXPECT_TRUE(mask_of(e.screening).empty()) << warned(e);
    EXPECT_EQ(std::count(e.valid.begin(), e.valid.end(), 0.0F), 0);
    EXPECT_EQ(e.screening.clipped, 0);
  }
}

TEST(OddPatterns, WithABlankPartAreLeftOut) {
  FramesInMemory f = discs();
  change(f, 11, [](double v, i64 y, i64) { return y < 24 ? 0 : v; });
  change(f, 50, [](double v, i64, i64 x) { return x >= 24 ? 0 : v; });
  change(f, 70, [](double v, i64 y, i64 x) { return y < 24 && x >= 24 ? 0 : v; });
  const Experiment e = prepared(f);
  EXPECT_EQ(e.screening.left_out, (std::vector<i64>{11, 50, 70})) << warned(e);
  EXPECT_TRUE(says(warned(e), {"3 of which a part is blank (numbers 11, 50, 70)"}));
}

// Where the specimen ends, nothing is scattered beyond the disc.
TEST(OddPatterns, WithoutScatteredElectronsAreKept) {
  FramesInMemory f = discs(40, 20);
  for (i64 i = 80; i < f.count; ++i)
    change(f, i, [](double v, i64 y, i64 x) {
      return std::hypot(double(y) - 24, double(x) - 24) < 12 ? v : 0;
    });
  EXPECT_TRUE(prepared(f).screening.left_out.empty());
}

TEST(OddPatterns, ThatMostlyRepeatAreRefused) {
  FramesInMemory f = discs();
  for (i64 i = 1; i < f.count; i += 2) copy_frame(f, i - 1, i);
  EXPECT_TRUE(says(message_of<UserError>([&] { prepared(f); }),
                   {"60 that are the one before once more", "too many"}));
}

TEST(OddPatterns, WhoseDiscJumpsAreToldOf) {
  FramesInMemory f = discs();
  EXPECT_TRUE(prepared(f).screening.jumped.empty());
  const FramesInMemory before = f;
  std::vector<i64> moved;
  for (i64 i = 1; i < f.count; i += 3) {
    moved.push_back(i);
    change(f, i, [&](double, i64 y, i64 x) {
      const i64 from = (y + side - 2) % side * side + (x + 1) % side;
      return before.values[static_cast<std::size_t>(i * side * side + from)];
    });
  }
  const Experiment e = prepared(f);
  EXPECT_EQ(e.screening.jumped, moved);
  EXPECT_NEAR(e.screening.jump.row, 2, 0.2);  // the rim is found to a tenth of a pixel
  EXPECT_NEAR(e.screening.jump.col, -1, 0.2);
  EXPECT_TRUE(e.screening.left_out.empty());
  EXPECT_TRUE(says(warned(e), {"40 of 120 patterns", "(+2.0, -1.0) px", "data.skip"}));
}

// Two kinds of places in a crystal move the centre of mass, and make a part of the disc as dark as
// if it were beyond the rim; but they do not move the disc.
TEST(OddPatterns, WhoseCentreOfMassJumpsAreNone) {
  for (const double dark : {0.7, 0.2}) {
    FramesInMemory f = discs(400);
    for (i64 i = 1; i < f.count; i += 3)
      change(f, i, [&](double v, i64, i64 x) { return std::floor(v * (x < 16 ? dark : 1)); });
    const Experiment e = prepared(f);
    EXPECT_TRUE(e.screening.jumped.empty()) << warned(e);
  }
}

TEST(OddPatterns, ThatAreAllTheSameAreToldOf) {
  FramesInMemory f = discs();
  for (i64 i = 51; i < f.count; ++i) copy_frame(f, 50, i);
  const Experiment e = prepared(f);
  EXPECT_TRUE(e.screening.left_out.empty());
  EXPECT_TRUE(says(warned(e), {"69 of 120 patterns", "the one before once more", "data.skip"}));
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

TEST(OddPatterns, SeesFramesThatComeLate) {
  FramesInMemory f = discs();
  EXPECT_EQ(raster(f, 0).screening.frames_late, 0);
  for (const i64 late : {1, 3, -2}) {
    const Experiment e = raster(f, late);
    EXPECT_EQ(e.screening.frames_late, late);
    EXPECT_TRUE(says(warned(e), {"data.frame_offset=" + std::to_string(late)}));
  }
}

TEST(OddPatterns, ThatAFitCannotExplainAreFound) {
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
