#include <gtest/gtest.h>

#include "analysis/area.hpp"
#include "analysis/images.hpp"
#include "analysis/registration.hpp"

namespace ptyle {
namespace {

using test::noise;
using test::ones;
using test::Waves;

TEST(Plane, IsRecoveredExactlyFromAPartOfTheImage) {
  const Plane truth{0.7, -0.03, 0.011};
  Array<double, 2> image({31, 46}), weight({31, 46});
  for (i64 y = 0; y < 31; ++y)
    for (i64 x = 0; x < 46; ++x) {
      image(y, x) = truth.at(static_cast<double>(y), static_cast<double>(x), image.shape());
      weight(y, x) = (y > 4 && x > 20) ? 1 : 0;
    }
  for (i64 x = 0; x < 10; ++x) image(2, x) = 1e3;  // weight 0: must not count
  const Plane plane = fit_plane(image, weight);
  EXPECT_NEAR(plane.constant, truth.constant, 1e-12);
  EXPECT_NEAR(plane.row, truth.row, 1e-13);
  EXPECT_NEAR(plane.col, truth.col, 1e-13);
  subtract(plane, image);
  EXPECT_NEAR(image(20, 30), 0, 1e-12);
}

TEST(FourierShift, MovesAPeriodicImageExactlyForOddAndEvenSizes) {
  for (const auto& shape : {std::array<i64, 2>{24, 35}, {35, 24}, {21, 21}, {16, 40}}) {
    const auto wave = [&](double y, double x) {
      return std::cos(
          2 * pi * (3 * y / static_cast<double>(shape[0]) - 5 * x / static_cast<double>(shape[1])) +
          0.3);
    };
    Array<double, 2> image(shape);
    for (i64 y = 0; y < shape[0]; ++y)
      for (i64 x = 0; x < shape[1]; ++x)
        image(y, x) = wave(static_cast<double>(y), static_cast<double>(x));
    const auto moved = fourier_shifted(image, {1.37, -2.6});
    for (i64 y = 0; y < shape[0]; ++y)
      for (i64 x = 0; x < shape[1]; ++x)
        ASSERT_NEAR(moved(y, x), wave(static_cast<double>(y) - 1.37, static_cast<double>(x) + 2.6),
                    1e-12);
  }
}

TEST(Box, BetweenPixelsAgreesWithTheImageThere) {
  // Waves up to 0.25 cycles a pixel under a rim that fades over 24 px: the fade's spectrum has
  // fallen below 1e-4 where it would meet Nyquist, 0.25 away.
  const Waves waves(3, 0.25);
  const auto image = waves.image({131, 160});
  const auto box = box_at(image, 40.3, 50.75, {50, 61});
  for (i64 y = 0; y < 50; ++y)
    for (i64 x = 0; x < 61; ++x)
      ASSERT_NEAR(box(y, x),
                  waves.at(40.3 + static_cast<double>(y), 50.75 + static_cast<double>(x)), 1e-4);
}

TEST(Box, AtWholePixelsIsACopyThatGoesOnBeyondTheEdge) {
  const auto image = Waves(4, 0.2).image({20, 22});
  const auto box = box_at(image, -3, 15, {10, 12});
  for (i64 y = 0; y < 10; ++y)
    for (i64 x = 0; x < 12; ++x)
      ASSERT_EQ(box(y, x), image(std::max<i64>(0, y - 3), std::min<i64>(21, x + 15)));
}

class FindShift : public testing::TestWithParam<std::tuple<std::array<i64, 2>, Position>> {};

TEST_P(FindShift, IsRecoveredUnderGainRampAndConstant) {
  const auto [shape, truth] = GetParam();
  const Waves waves(11, 0.12);
  const auto fixed = waves.image(shape);
  // moving(r) = 0.8 fixed(r − s) + plane
  auto moving = waves.image(shape, -truth.row, -truth.col);
  const Plane plane{2.5, 0.02, -0.015};
  for (i64 y = 0; y < shape[0]; ++y)
    for (i64 x = 0; x < shape[1]; ++x)
      moving(y, x) =
          0.8 * moving(y, x) + plane.at(static_cast<double>(y), static_cast<double>(x), shape);
  // the scanned area, a margin of 30 px inside
  const double bottom = static_cast<double>(shape[0] - 31),
               right = static_cast<double>(shape[1] - 31);
  const std::vector<Position> corners{{30, 30}, {30, right}, {bottom, 30}, {bottom, right}};
  const ScanArea area = scan_area(corners, shape);
  Array<double, 2> weight(shape);
  const auto taper = area.taper(6);
  for (i64 y = 0; y < taper.shape()[0]; ++y)
    for (i64 x = 0; x < taper.shape()[1]; ++x)
      weight(area.first_row + y, area.first_col + x) = taper(y, x);
  const Position found = find_shift(moving, fixed, weight, 20);
  // the last Gauss–Newton step is below 1e-4 px; interpolation errs by less than 1e-4 of the image
  EXPECT_NEAR(found.row, truth.row, 5e-4);
  EXPECT_NEAR(found.col, truth.col, 5e-4);
}

INSTANTIATE_TEST_SUITE_P(
    Sizes, FindShift,
    testing::Combine(testing::Values(std::array<i64, 2>{128, 128}, std::array<i64, 2>{131, 150},
                                     std::array<i64, 2>{160, 117}),
                     testing::Values(Position{0, 0}, Position{0.37, -0.81}, Position{-6.5, 4.25},
                                     Position{11.02, 9.98})));

TEST(FindShift, OfUnrelatedImagesStaysWithinReach) {
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    const auto a = noise(2 * seed, {60, 71}), b = noise(2 * seed + 1, {60, 71});
    const Position found = find_shift(a, b, ones({60, 71}), 8);
    EXPECT_LE(std::abs(found.row), 8);
    EXPECT_LE(std::abs(found.col), 8);
  }
  const Array<double, 2> nothing({40, 40});
  const Position none = find_shift(nothing, noise(1, {40, 40}), ones({40, 40}), 8);
  EXPECT_EQ(none.row, 0);
  EXPECT_EQ(none.col, 0);
}

TEST(ScanArea, IsTheConvexHullOfTheScan) {
  std::vector<Position> raster;
  for (int i = 0; i < 5; ++i)
    for (int j = 0; j < 7; ++j) raster.push_back({10.5 + 4 * i, 3 + 5.0 * j});
  EXPECT_EQ(convex_hull(raster).size(), 4U);
  const ScanArea area = scan_area(raster, {100, 100});
  EXPECT_EQ(area.first_row, 11);
  EXPECT_EQ(area.first_col, 3);
  EXPECT_EQ(area.depth.shape(), (std::array<i64, 2>{16, 31}));  // 11 … 26, 3 … 33
  EXPECT_NEAR(area.depth(7, 2), 2, 1e-12);                      // nearest edge: column 3
  EXPECT_NEAR(area.depth(0, 15), 0.5, 1e-12);

  // turned by 45°: half of its box is outside
  const std::vector<Position> diamond{{50, 10}, {50, 90}, {10, 50}, {90, 50}};
  const ScanArea turned = scan_area(diamond, {100, 100});
  double inside = 0;
  for (const unsigned char v : turned.mask()) inside += v;
  EXPECT_NEAR(inside / static_cast<double>(turned.depth.size()), 0.5, 0.01);
  EXPECT_NEAR(turned.depth(40, 40), 40 / std::sqrt(2.0), 1e-9);
}

TEST(ScanArea, OfALineIsEmpty) {
  const std::vector<Position> line{{1, 1}, {2, 2}, {3, 3}, {9, 9}};
  EXPECT_TRUE(scan_area(line, {20, 20}).depth.empty());
  EXPECT_TRUE(scan_area({}, {20, 20}).depth.empty());
}

}  // namespace
}  // namespace ptyle
