// Mask, saturation, background, types, the part of a scan, and what is refused.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <tuple>
#include <utility>

#include "core/error.hpp"
#include "io/temporary_folder.hpp"
#include "prepare/frames_in_memory.hpp"

namespace ptyle {
namespace {

using testing::FramesInMemory;
using testing::measurement;
using testing::message_of;
using testing::numbered;
using testing::pattern;
using testing::says;
using testing::valid;

TEST(Patterns, AreHeldInTheNarrowestIntegerAndBookedInTheLedger) {
  struct Case {
    double limit;
    int bin;
    const char* type;
    std::size_t bytes;
  };
  for (const auto& [limit, bin, type, bytes] :
       {Case{255, 1, "uint8", 1}, Case{255, 2, "uint16", 2}, Case{127, 1, "uint8", 1},
        Case{65535, 1, "uint16", 2}, Case{65535, 2, "uint32", 4},
        Case{4294967295.0, 1, "uint32", 4}, Case{4294967295.0, 2, "float32", 4},
        Case{0, 1, "float32", 4}}) {
    FramesInMemory frames(5, 8, 8, limit > 0, limit);
    for (double& v : frames.values) v = 3;
    Measurement m = measurement(frames);
    m.data.bin = bin;
    Ledger ledger;
    const Experiment e = prepare(m, &ledger);
    EXPECT_EQ(e.patterns->type(), type);
    EXPECT_EQ(ledger.now(), 5 * 64 / (bin * bin) * bytes);
    EXPECT_EQ(ledger.entries().front().name, "patterns");
    EXPECT_EQ(pattern(e, 4)(0, 0), 3 * bin * bin);
  }
}

TEST(Patterns, LargeCountsOfAUint32AreKeptExactlyInDouble) {
  FramesInMemory frames(1, 2, 2, true, 4294967295.0);
  frames.values = {4294967295.0, 16777217, 1, 0};  // 2^24 + 1 is no float
  const Experiment e = prepare(measurement(frames));
  double got[4];
  e.patterns->load(0, got);  // DC at [0,0]: of 2 pixels, each changes place
  EXPECT_EQ(got[3], 4294967295.0);
  EXPECT_EQ(got[2], 16777217);
}

TEST(Patterns, MaskedAndSaturatedPixelsAreNotValidAndBadPixelsSpoilTheirBin) {
  FramesInMemory frames(2, 6, 6);
  for (double& v : frames.values) v = 5;
  frames.at(1, 4, 5) = 200;  // saturated in one of them
  Measurement m = measurement(frames);
  m.mask = RawMask{std::vector<std::uint8_t>(36, 0), {6, 6}, "the test's mask"};
  m.mask->bad[0 * 6 + 1] = 7;
  m.data.saturation = 200;
  m.data.bin = 2;
  const Experiment e = prepare(m);
  const auto ok = valid(e);
  for (i64 y = 0; y < 3; ++y)
    for (i64 x = 0; x < 3; ++x) {
      const bool bad = (y == 0 && x == 0) || (y == 2 && x == 2);
      EXPECT_EQ(ok(y, x), bad ? 0 : 1) << y << ", " << x;
    }
  EXPECT_EQ(e.mean_counts, 7 * 20);  // seven bins of 4 · 5 are left
}

TEST(Patterns, TheBackgroundIsTakenFromEveryDetectorPixel) {
  FramesInMemory frames(1, 4, 4);
  for (double& v : frames.values) v = 5;
  frames.at(0, 0, 0) = 0;
  frames.at(0, 1, 1) = 0;
  frames.at(0, 0, 1) = 0;
  frames.at(0, 1, 0) = 1;
  Measurement m = measurement(frames);
  m.data.bin = 2;
  m.data.background = 1.5;
  const Experiment e = prepare(m);
  EXPECT_EQ(e.patterns->type(), "uint16");  // integers stay so
  EXPECT_EQ(pattern(e, 0)(1, 1), 4 * 5 - 6);
  EXPECT_EQ(pattern(e, 0)(0, 0), 0);  // 1 − 6 is below 0
  EXPECT_EQ(e.mean_pattern(0, 0), 0);
  EXPECT_EQ(e.mean_counts, 3 * 14);
}

TEST(Patterns, OfAPartOfTheScanKeepTheirPositions) {
  FramesInMemory frames = numbered(20, 4, 4);
  Measurement m = measurement(frames);
  m.data.positions = {3, 14, 4};
  const Experiment e = prepare(m);
  ASSERT_EQ(e.patterns->count(), 3);
  ASSERT_EQ(e.positions.size(), 3u);
  for (i64 i = 0; i < 3; ++i) {
    const i64 number = 3 + 4 * i;
    EXPECT_EQ(e.positions[i].row, 2 * number);
    EXPECT_EQ(e.positions[i].col, 2 * number + 1);
    EXPECT_EQ(pattern(e, i)(0, 0), frames.at(number, 0, 0));
  }
}

TEST(Patterns, TheMeanIsThatOfAll) {
  FramesInMemory frames = numbered(7, 5, 5);
  const Experiment e = prepare(measurement(frames));
  double whole = 0;
  for (i64 y = 0; y < 5; ++y)
    for (i64 x = 0; x < 5; ++x) {
      double sum = 0;
      for (i64 i = 0; i < 7; ++i) sum += frames.at(i, y, x);
      EXPECT_DOUBLE_EQ(e.mean_pattern(y, x), sum / 7);
      whole += sum / 7;
    }
  EXPECT_NEAR(e.mean_counts, whole, 1e-9);  // 25 sums of values up to 251 in double
}

TEST(Patterns, NegativeValuesAreZeroWithAWarning) {
  FramesInMemory frames = numbered(1, 3, 3);
  frames.at(0, 1, 2) = -4;
  const Experiment e = prepare(measurement(frames));
  EXPECT_EQ(pattern(e, 0)(1, 2), 0);
  ASSERT_EQ(e.warnings.size(), 1u);
  EXPECT_TRUE(says(e.warnings[0], {"1 negative value", "4 r.m.s.", "data.readout_noise=4"}));
}

// The offset is σ², at least 3σ; figures are without it.
TEST(Patterns, NegativeValuesOfAReadoutStayBesideAnOffset) {
  for (const auto& [limit, type] :
       {std::pair{0.0, "float32"}, {255.0, "uint8"}, {32767.0, "float32"}})
    for (const auto& [noise, bin, offset] :
         {std::tuple{4.0, 1, 16.0}, {0.5, 1, 1.5}, {2.0, 2, 16.0}}) {
      FramesInMemory frames(2, 4, 4, limit > 0, limit);
      for (double& v : frames.values) v = 5;
      if (limit != 255) frames.at(0, 1, 2) = -1;
      frames.at(1, 0, 0) = 0;
      Measurement m = measurement(frames);
      m.data.readout_noise = noise;
      m.data.bin = bin;
      m.data.background = 0.25;
      const Experiment e = prepare(m);
      EXPECT_EQ(e.offset, offset);
      if (bin == 1) {
        EXPECT_EQ(e.patterns->type(), type);
        EXPECT_EQ(pattern(e, 0)(1, 2), (limit != 255 ? -1 : 5) - 0.25 + offset);
      }
      const double read = 32 * 5 - 5 - (limit != 255 ? 6 : 0);
      EXPECT_DOUBLE_EQ(e.mean_counts, (read - 32 * 0.25) / 2);
      for (const auto& warning : e.warnings)
        EXPECT_EQ(warning.find("negative"), std::string::npos) << warning;
    }
}

TEST(Patterns, WhatIsFarBelowTheNoiseOfAReadoutIsZero) {
  FramesInMemory frames(1, 3, 3, false);
  for (double& v : frames.values) v = 5;
  frames.at(0, 1, 2) = -100;
  Measurement m = measurement(frames);
  m.data.readout_noise = 2;
  EXPECT_EQ(pattern(prepare(m), 0)(1, 2), 0);
}

TEST(Patterns, TheirTotalsSpreadIsKnown) {
  FramesInMemory frames(4, 5, 5);
  for (i64 i = 0; i < 4; ++i) frames.at(i, 2, 2) = i < 2 ? 10 : 30;
  EXPECT_DOUBLE_EQ(prepare(measurement(frames)).spread_of_counts, 0.5);
}

TEST(Patterns, APixelThatIsNoNumberIsLeftOut) {
  for (const double value : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    FramesInMemory frames(4, 5, 6, false);
    for (double& v : frames.values) v = 1;
    frames.at(2, 3, 4) = value;
    Measurement m = measurement(frames);
    m.data.find_bad_pixels = false;  // there is no keeping it
    const Experiment e = prepare(m);
    EXPECT_EQ(e.mean_counts, 29);
    EXPECT_TRUE(e.screening.left_out.empty());
    ASSERT_FALSE(e.warnings.empty());
    EXPECT_TRUE(says(e.warnings[0], {"1 no numbers (NaN): (3, 4)"}));
  }
}

TEST(Patterns, NumbersThatNothingLooksAtDoNotMatter) {
  FramesInMemory frames(3, 6, 4, false);
  for (double& v : frames.values) v = 1;
  for (i64 i = 0; i < 3; ++i)
    for (i64 x = 0; x < 4; ++x) frames.at(i, 5, x) = x == 0 ? std::nan("") : -1e20;
  Measurement m = measurement(frames);
  m.data.crop = 4;
  m.data.centre = std::array{2.0, 2.0};
  const Experiment e = prepare(m);
  EXPECT_EQ(e.mean_counts, 16);
  EXPECT_TRUE(e.warnings.empty()) << e.warnings[0];
}

TEST(Patterns, WhatCannotBeUsedIsRefusedInWords) {
  const auto fault = [](auto&& change) {
    FramesInMemory frames = numbered(6, 4, 4);
    Measurement m = measurement(frames);
    change(frames, m);
    return message_of<UserError>([&] { prepare(m); });
  };
  using F = FramesInMemory;
  EXPECT_TRUE(
      says(fault([](F& f, Measurement&) { std::fill(f.values.begin(), f.values.end(), 0.0); }),
           {"all 6 patterns", "the test's frames", "zero"}));
  EXPECT_TRUE(says(fault([](F&, Measurement& m) {
                     m.mask = RawMask{std::vector<std::uint8_t>(12, 0), {3, 4}, "/mask"};
                   }),
                   {"/mask", "3 x 4", "4 x 4"}));
  EXPECT_TRUE(says(fault([](F&, Measurement& m) {
                     m.mask = RawMask{std::vector<std::uint8_t>(16, 1), {4, 4}, "/mask"};
                   }),
                   {"/mask", "leaves no pixel"}));
  EXPECT_TRUE(says(fault([](F&, Measurement& m) {
                     m.data.positions = {4, 9};
                   }),
                   {"data.positions [4, 9]", "6 patterns"}));
  EXPECT_TRUE(says(fault([](F&, Measurement& m) {
                     m.data.positions = {4, 4};
                   }),
                   {"data.positions"}));
  EXPECT_TRUE(says(fault([](F&, Measurement& m) {
                     m.data.positions = {0, 4, 0};
                   }),
                   {"data.positions"}));
  EXPECT_TRUE(says(fault([](F& f, Measurement&) { f.count = 0; }), {"holds no patterns"}));
  EXPECT_TRUE(
      says(fault([](F&, Measurement& m) { m.data.saturation = 1; }), {"no pixel", "saturation"}));
}

TEST(Centres, OfMassAreCountedFromDcOverValidPixels) {
  for (const i64 n : {6, 7}) {
    FramesInMemory frames(3, n, n);
    const i64 middle = n / 2;
    const auto at = [&](i64 i, i64 row, i64 col) -> double& {
      return frames.at(i, middle + row, middle + col);
    };
    for (i64 i = 0; i < 3; ++i) {
      at(i, 0, 1) = 100;  // masked
      at(i, 0, 2) = 3;
      at(i, -1, -2) = i == 0 ? 1 : 3;
    }
    Measurement m = measurement(frames);
    RawMask mask{std::vector<std::uint8_t>(static_cast<std::size_t>(n * n)), {n, n}, "the test's"};
    mask.bad[static_cast<std::size_t>(middle * n + middle + 1)] = 1;
    m.mask = mask;
    m.data.find_bad_pixels = false;
    m.data.outliers = Outliers::keep;
    const Experiment e = prepare(m);
    ASSERT_EQ(e.centres.size(), 3U);
    EXPECT_DOUBLE_EQ(e.centres[0].row, -0.25) << n;
    EXPECT_DOUBLE_EQ(e.centres[0].col, 1) << n;
    EXPECT_DOUBLE_EQ(e.centres[1].row, -0.5) << n;
    EXPECT_DOUBLE_EQ(e.centres[1].col, 0) << n;
  }
}

}  // namespace
}  // namespace ptyle
