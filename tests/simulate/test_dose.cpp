#include <gtest/gtest.h>

#include <cmath>

#include "core/error.hpp"
#include "simulate/detector.hpp"
#include "simulate/in_memory.hpp"
#include "simulate/patterns.hpp"
#include "simulate/small_recipe.hpp"

namespace ptyle {
namespace {

double total(View<const float, 2> frame) {
  double sum = 0;
  for (const float v : frame) sum += v;
  return sum;
}

TEST(Dose, CountsAreConserved) {
  // Without a band limit nothing is absorbed: every pattern sums to dose · step area, for any
  // number of modes and any binning. Float: 1e-7 a pixel, four slices of FFTs, well below 1e-5.
  for (const int bin : {1, 2, 3, 4, 8}) {
    Recipe r = small_recipe();
    r.detector.band_limit = 0;
    r.detector.bin = bin;
    r.optics.modes = 3;
    r.dose.noise = false;
    const MemorySet set = simulate_in_memory(r);
    const double electrons = 1e5 * 0.8 * 1.1;
    ASSERT_EQ(set.patterns.shape(), (std::array<i64, 3>{12, 48 / bin, 48 / bin}));
    EXPECT_NEAR(set.plan.electrons, electrons, 1e-6 * electrons);
    for (i64 i = 0; i < 12; ++i)
      EXPECT_NEAR(total(set.patterns.view()[i]), electrons, 1e-5 * electrons) << bin << ' ' << i;
  }
}

TEST(Dose, WithoutADosePatternsSumToTheirPixels) {
  Recipe r = small_recipe();
  r.detector.band_limit = 0;
  r.dose = {};
  const MemorySet set = simulate_in_memory(r);
  EXPECT_EQ(set.plan.type, CountType::float32);
  for (i64 i = 0; i < 12; ++i) EXPECT_NEAR(total(set.patterns.view()[i]), 48 * 48, 48 * 48 * 1e-5);
}

TEST(Dose, BinsAreSymmetricAboutTheZeroFrequency) {
  // I(k) = I(−k) stays so after binning, and a bin of the mean is the mean.
  const i64 w = 24;
  Array<double, 2> even({w, w});
  for (i64 y = 0; y < w; ++y)
    for (i64 x = 0; x < w; ++x) {
      const double fy = double(frequency_index(y, w)), fx = double(frequency_index(x, w));
      even(y, x) = std::exp(-(fy * fy + 2 * fx * fx + fx * fy) / 40);
    }
  for (const i64 bins : {i64{12}, i64{8}, i64{6}, i64{24}}) {
    Array<double, 2> binned({bins, bins}), flat({bins, bins});
    add_binned<double>(even.view(), binned);
    for (i64 y = 1; y < bins; ++y)
      for (i64 x = 1; x < bins; ++x)
        EXPECT_NEAR(binned(y, x), binned(bins / 2 * 2 - y, bins / 2 * 2 - x), 1e-12);
    EXPECT_EQ(*std::max_element(binned.begin(), binned.end()), binned(bins / 2, bins / 2));
    Array<double, 2> ones({w, w});
    ones.fill(1);
    add_binned<double>(ones.view(), flat);
    for (const double v : flat) EXPECT_NEAR(v, double(w / bins * (w / bins)), 1e-12);
  }
}

TEST(Dose, CountsArePoisson) {
  // n pixels of mean m. Standard errors: of the mean √(m/n); of the variance √((m + 2m²)/n), the
  // fourth central moment of Poisson's law being m + 3m². Five of each.
  const i64 side = 200;
  const double n = double(side * side);
  Array<std::uint32_t, 2> counts({side, side});
  for (const double m : {0.02, 0.7, 5.0, 40.0, 3000.0}) {
    Array<double, 2> expected({side, side});
    expected.fill(m);
    draw_counts<double>(expected.view(), 3, 17, CountType::uint32, counts);
    double sum = 0, squares = 0;
    for (const auto c : counts) sum += c, squares += (c - m) * (c - m);
    EXPECT_NEAR(sum / n, m, 5 * std::sqrt(m / n)) << m;
    EXPECT_NEAR(squares / n, m, 5 * std::sqrt((m + 2 * m * m) / n)) << m;
  }
}

TEST(Dose, CountsDependOnSeedAndPositionAlone) {
  Array<double, 2> expected({16, 16});
  expected.fill(4);
  Array<std::uint32_t, 2> a({16, 16}), b({16, 16});
  const auto same = [&] { return std::equal(a.begin(), a.end(), b.begin()); };
  draw_counts<double>(expected.view(), 1, 5, CountType::uint8, a);
  draw_counts<double>(expected.view(), 1, 5, CountType::uint8, b);
  EXPECT_TRUE(same());
  draw_counts<double>(expected.view(), 1, 6, CountType::uint8, b);
  EXPECT_FALSE(same());
  draw_counts<double>(expected.view(), 2, 5, CountType::uint8, b);
  EXPECT_FALSE(same());
}

TEST(Dose, TheTypeFollowsTheDose) {
  EXPECT_EQ(count_type(100, 100), CountType::uint8);
  EXPECT_EQ(count_type(1e5, 3000), CountType::uint16);
  EXPECT_EQ(count_type(1e9, 3000), CountType::uint32);
  Recipe r = small_recipe();
  r.dose.type = CountType::uint32;
  EXPECT_EQ(make_plan(r).type, CountType::uint32);
  r.dose.noise = false;
  EXPECT_EQ(make_plan(r).type, CountType::float32);
}

TEST(Dose, AFullPixelIsRefused) {
  Array<double, 2> expected({4, 4});
  expected(2, 1) = 400;
  Array<std::uint32_t, 2> counts({4, 4});
  try {
    draw_counts<double>(expected.view(), 0, 9, CountType::uint8, counts);
    FAIL();
  } catch (const UserError& e) {
    EXPECT_NE(std::string(e.what()).find("pattern 9"), std::string::npos) << e.what();
  }
  EXPECT_NO_THROW(draw_counts<double>(expected.view(), 0, 9, CountType::uint16, counts));
}

}  // namespace
}  // namespace ptyle
