#include <gtest/gtest.h>

#include <cmath>

#include "core/error.hpp"
#include "io/temporary_folder.hpp"
#include "simulate/detector.hpp"
#include "simulate/object.hpp"
#include "simulate/patterns.hpp"
#include "simulate/small_recipe.hpp"

namespace ptyle {
namespace {

using testing::message_of;
using testing::says;

Plan detector(double electrons_noise = 0) {
  Plan plan;
  plan.noise = true;
  plan.readout.noise = electrons_noise;
  return plan;
}

TEST(Detector, BlurIsAGaussianOverPixels) {
  // A point becomes a Gaussian integrated over pixels: variance σ² + 1/12 along each axis. Beyond
  // 6σ nothing is taken along: 2e-9.
  const i64 n = 41;
  for (const double sigma : {0.3, 0.8, 2.0}) {
    Array<double, 2> frame({n, n});
    frame(20, 20) = 100;
    blur(frame.view(), sigma);
    double sum = 0, row = 0, col = 0;
    for (i64 y = 0; y < n; ++y)
      for (i64 x = 0; x < n; ++x) {
        sum += frame(y, x);
        row += frame(y, x) * double((y - 20) * (y - 20));
        col += frame(y, x) * double((x - 20) * (x - 20));
      }
    EXPECT_NEAR(sum, 100, 1e-6);
    // Σ d² of the pixels' shares; of narrow Gaussians it is not yet σ² + 1/12
    double expected = 0;
    for (int d = -20; d <= 20; ++d)
      expected += d * d *
                  (std::erf((d + 0.5) / (std::sqrt(2.0) * sigma)) -
                   std::erf((d - 0.5) / (std::sqrt(2.0) * sigma))) /
                  2;
    EXPECT_NEAR(row / sum, expected, 1e-5);
    EXPECT_NEAR(col / sum, expected, 1e-5);
    if (sigma >= 0.8) {
      EXPECT_NEAR(expected, sigma * sigma + 1.0 / 12, 1e-4);
    }
  }
}

TEST(Detector, WhatLeavesItIsLost) {
  Array<double, 2> frame({9, 9});
  frame(0, 4) = 100;
  blur(frame.view(), 0.7);
  double sum = 0;
  for (const double v : frame) sum += v;
  const double outside = 0.5 * std::erfc(0.5 / (std::sqrt(2.0) * 0.7));
  EXPECT_NEAR(sum, 100 * (1 - outside), 1e-4);
}

TEST(Detector, GainOffsetAndNoiseHaveTheirStatistics) {
  // Mean g·m + o, variance g²·m + s²; five standard errors, the fourth moment being that of a
  // normal law plus Poisson's g⁴ m.
  const i64 side = 200;
  const double n = double(side * side), m = 6, g = 12.5, o = 30, s = 4;
  Plan plan = detector(s);
  plan.readout.gain = g, plan.readout.offset = o;
  for (const bool noise : {true, false}) {
    plan.noise = noise;
    Array<double, 2> frame({side, side});
    frame.fill(m);
    record(plan, 5, 3, frame.view());
    double sum = 0, squares = 0;
    for (const double v : frame) sum += v, squares += (v - g * m - o) * (v - g * m - o);
    const double variance = (noise ? g * g * m : 0) + s * s;
    EXPECT_NEAR(sum / n, g * m + o, 5 * std::sqrt(variance / n));
    EXPECT_NEAR(squares / n, variance,
                5 * std::sqrt((2 * variance * variance + (noise ? std::pow(g, 4) * m : 0)) / n));
  }
}

TEST(Detector, IntegersAreRoundedAndNeverNegative) {
  const i64 side = 60;
  Plan plan = detector(3);
  plan.type = CountType::uint16;
  Array<double, 2> expected({side, side}), real({side, side});
  expected.fill(1), real.fill(1);
  Array<std::uint32_t, 2> counts({side, side});
  record(plan, 5, 3, expected.view(), counts.view());
  record(plan, 5, 3, real.view());
  bool clipped = false;
  for (i64 k = 0; k < counts.size(); ++k) {
    EXPECT_EQ(counts.data()[k], std::max(std::round(real.data()[k]), 0.0));
    clipped = clipped || real.data()[k] < -0.5;
  }
  EXPECT_TRUE(clipped);
  plan.type = CountType::uint8;
  plan.readout.gain = 200;
  expected.fill(4);
  EXPECT_TRUE(
      says(message_of<UserError>([&] { record(plan, 5, 17, expected.view(), counts.view()); }),
           {"dose.type", "pattern 17", "uint8"}));
}

/// The gains' mean is 1 as they are made; their spread is known to √(1/2n) of it, five of these. A
/// pattern is the waves' with the background, each pixel by its own gain.
TEST(Detector, BackgroundAndGainsAreThereBeforeElectronsAreCounted) {
  Recipe r = small_recipe();
  r.detector.background = 3, r.detector.gain_spread = 0.05;
  const Plan plan = make_plan(r);
  EXPECT_EQ(plan.type, CountType::uint16);  // they are counts still
  ASSERT_EQ(plan.gains.shape(), (std::array<i64, 2>{48, 48}));
  const double n = 48 * 48;
  double mean = 0, squares = 0;
  for (const double gain : plan.gains) mean += gain / n, squares += (gain - 1) * (gain - 1) / n;
  EXPECT_NEAR(mean, 1, 1e-12);
  EXPECT_NEAR(std::sqrt(squares) / 0.05, 1, 5 * std::sqrt(0.5 / n));
  Array<double, 2> frame({48, 48});
  frame.fill(20);
  expose(plan, frame.view());
  for (i64 k = 0; k < frame.size(); ++k)
    EXPECT_DOUBLE_EQ(frame.data()[k], 23 * plan.gains.data()[k]);
  EXPECT_TRUE(make_plan(small_recipe()).gains.empty());
}

TEST(Detector, DeadPixelsReadZeroInEveryPattern) {
  Recipe r = small_recipe();
  r.detector.dead_pixels = 0.1;
  r.detector.readout_noise = 2, r.detector.offset = 100;
  const Plan plan = make_plan(r);
  ASSERT_EQ(plan.dead.shape(), (std::array<i64, 2>{48, 48}));
  double dead = 0;
  for (const auto d : plan.dead) dead += d;
  const double n = 48 * 48;
  EXPECT_NEAR(dead / n, 0.1, 5 * std::sqrt(0.1 * 0.9 / n));
  for (const i64 i : {0, 7}) {
    Array<float, 2> frame({48, 48});
    record(plan, r.seed, i, frame.view());
    for (i64 k = 0; k < frame.size(); ++k)
      EXPECT_EQ(frame.data()[k] == 0, plan.dead.data()[k] == 1);  // 100 are 50 standard deviations
  }
}

TEST(Detector, TheTypeIsAFloatWhereCountsAreNone) {
  Recipe r = small_recipe();
  EXPECT_EQ(make_plan(r).type, CountType::uint16);
  r.detector.gain = 3;
  EXPECT_EQ(make_plan(r).type, CountType::float32);
  r.dose.type = CountType::uint32;
  EXPECT_EQ(make_plan(r).type, CountType::uint32);
}

TEST(Detector, DescanShiftsPatterns) {
  // By whole pixels it is a roll of the far field's array, to rounding.
  Recipe r = small_recipe();
  r.dose.noise = false;
  Plan plan = make_plan(r);
  Array<float, 3> phase({plan.slices, plan.ny, plan.nx});
  make_slices(plan, plan.atoms, [&](i64 z, View<const float, 2> p) {
    std::copy(p.begin(), p.end(), phase.view()[z].begin());
  });
  const auto pattern = [&] {
    PatternMaker<double> maker(plan);
    maker.set_object(phase, 0, 0);
    Array<double, 2> frame({48, 48});
    maker.add(5, frame);
    return frame;
  };
  const auto still = pattern();
  plan.descan.assign(plan.positions.size(), {3, -2});
  const auto moved = pattern();
  for (i64 y = 0; y < 48; ++y)
    for (i64 x = 0; x < 48; ++x)
      EXPECT_NEAR(moved((y + 3) % 48, (x + 46) % 48), still(y, x), 1e-9 * plan.electrons);
}

TEST(Detector, DescanIsLinearInTheScan) {
  Recipe r = small_recipe();
  r.detector.descan_row = {0.1, 0.02}, r.detector.descan_col = {-0.03, 0.2};
  const Plan plan = make_plan(r);
  for (std::size_t i = 0; i < plan.positions.size(); ++i) {
    const double row = plan.positions[i].row - plan.middle.row,
                 col = plan.positions[i].col - plan.middle.col;
    EXPECT_NEAR(plan.descan[i].row, 0.1 * row + 0.02 * col, 1e-12);
    EXPECT_NEAR(plan.descan[i].col, -0.03 * row + 0.2 * col, 1e-12);
  }
}

TEST(Detector, ATiltIsThePropagators) {
  Recipe r = small_recipe();
  r.specimen.tilt_row = 8, r.specimen.tilt_col = -3;
  const auto setup = make_plan(r).operator_setup();
  const auto expected =
      propagator(48, 0.15, electron_wavelength(200), 1.25, {8e-3, -3e-3}, 2.0 / 3);
  for (std::size_t k = 0; k < expected.size(); ++k)
    EXPECT_LT(std::abs(setup.propagator[k] - expected[k]), 1e-12);
}

}  // namespace
}  // namespace ptyle
