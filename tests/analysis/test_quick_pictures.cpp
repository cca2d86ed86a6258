#include <gtest/gtest.h>

#include <cmath>

#include "analysis/quick_pictures.hpp"
#include "weak_scan.hpp"

namespace ptyle {
namespace {

using testing::WeakScan;

double norm(View<const double, 2> image) {
  double sum = 0;
  for (const double v : image) sum += v * v;
  return std::sqrt(sum);
}

TEST(QuickPictures, SideBandsGiveThePhaseBack) {
  // The scan is as large as the period, so that frequencies are exact, and each of the object's is
  // passed (finest 0.3 1/Å) by brackets that exceed ε by far but at the lowest.
  const WeakScan scan{.beam = {0, false, -120, 20, 10}, .shape = {32, 32}, .finest = 0.3};
  const auto pictures =
      quick_pictures(scan.images(), scan.raster(), scan.beam, WeakScan::frame(), 2);
  const auto object = scan.object();
  Array<double, 2> rest({32, 32}), truth({32, 32});
  for (i64 y = 0; y < 32; ++y)
    for (i64 x = 0; x < 32; ++x) {
      truth(y, x) = object(2 * y, 2 * x);
      rest(y, x) = pictures.side_bands(y, x) - truth(y, x);
    }
  // Second-order terms: φ = 0.03; the rim, a pixel wide beside a radius of 9.6: 1/20 of the bands'
  // areas; ε of the brackets: 0.02 of up to 4, more where they are small.
  EXPECT_LT(norm(rest.view()), 0.12 * norm(truth.view()));
}

TEST(QuickPictures, TheOppositeModelTurnsThePhaseOver) {
  const WeakScan scan{.beam = {0.3, true, -120, 20, 10}, .shape = {15, 18}};
  const auto images = scan.images();
  const auto one = quick_pictures(images, scan.raster(), scan.beam, WeakScan::frame(), 1);
  const auto other =
      quick_pictures(images, scan.raster(), scan.beam.opposite(), WeakScan::frame(), 3);
  for (i64 i = 0; i < one.side_bands.size(); ++i) {
    // float images in double arithmetic: 1e-6 of 0.1 rad
    EXPECT_NEAR(one.side_bands.data()[i], -other.side_bands.data()[i], 1e-7);
    EXPECT_NEAR(one.tilt_corrected.data()[i], other.tilt_corrected.data()[i], 1e-7);
  }
}

TEST(QuickPictures, CentresOfMassAreIntegrated) {
  // φ = cos 2πq·R of whole periods; 2π⟨k⟩ = ∇φ, turned and mirrored as a detector would record it.
  const BeamModel model{35 * degree, true, 0, 0, 0};
  const ScanRaster raster = *scan_raster(positions_of(Raster{{12, 15}, {0.5, 0.4}}));
  const Position q{2 / (12 * 0.5), -3 / (15 * 0.4)};
  const double c = std::cos(model.rotation), s = std::sin(model.rotation);
  std::vector<Position> centres;
  std::vector<double> phase;
  for (const Position& at : positions_of(Raster{{12, 15}, {0.5, 0.4}})) {
    const double x = 2 * pi * (q.row * at.row + q.col * at.col);
    phase.push_back(std::cos(x));
    const Position k{-std::sin(x) * q.row, -std::sin(x) * q.col};
    centres.push_back({c * k.row - s * k.col, -(s * k.row + c * k.col)});
  }
  const auto found =
      integrated_centres(centres, std::vector<bool>(centres.size(), true), raster, model);
  for (std::size_t i = 0; i < phase.size(); ++i)
    EXPECT_NEAR(found.data()[i], phase[i], 1e-5);  // gradients are held in float
}

TEST(QuickPictures, SquarePixelsByFourier) {
  const ScanRaster raster = *scan_raster(positions_of(Raster{{10, 8}, {2, 1}}));
  Array<double, 2> image({10, 8});
  for (i64 y = 0; y < 10; ++y)
    for (i64 x = 0; x < 8; ++x)
      image(y, x) = std::cos(2 * pi * (0.1 * double(y) + 0.25 * double(x)));
  const SquareImage square = in_square_pixels(image.view(), raster, 40);
  ASSERT_EQ(square.image.shape(), (std::array<i64, 2>{40, 16}));
  EXPECT_DOUBLE_EQ(square.pixel, 0.5);
  for (i64 y = 0; y < 40; ++y)
    for (i64 x = 0; x < 16; ++x)
      EXPECT_NEAR(square.image(y, x),
                  std::cos(2 * pi * (0.1 * double(y) / 4 + 0.25 * double(x) / 2)), 1e-12);
}

TEST(QuickPictures, SkewnessTellsPeaksFromPits) {
  Array<double, 2> image({5, 5});
  EXPECT_EQ(skewness(image.view()), 0);
  image(2, 2) = 1;  // one of n = 25: (n − 2) / √(n − 1)
  EXPECT_NEAR(skewness(image.view()), 23 / std::sqrt(24.0), 1e-12);
  image(2, 2) = -1;
  EXPECT_NEAR(skewness(image.view()), -23 / std::sqrt(24.0), 1e-12);
}

}  // namespace

TEST(BrightField, PlacesWithoutAPatternAreTheirNeighboursMean) {
  Array<float, 3> images({1, 3, 4});
  std::vector<bool> there(12, true);
  for (i64 i = 0; i < 12; ++i) images.data()[i] = static_cast<float>(i);
  images(0, 1, 1) = 99;
  images(0, 0, 3) = 99;
  there[5] = there[3] = false;
  fill_missing(images.view(), there);
  EXPECT_FLOAT_EQ(images(0, 1, 1), (0 + 1 + 2 + 4 + 6 + 8 + 9 + 10) / 8.0F);
  EXPECT_FLOAT_EQ(images(0, 0, 3), (2 + 6 + 7) / 3.0F);
}

TEST(BrightField, BlocksFitTheMemory) {
  const BrightFieldDisc disc{128, 128, 60};
  EXPECT_EQ(block_for(disc, 64 * 64, std::size_t{256} << 20), 5);  // 120 / 26
  // 1 MB for 4096 places: 64 blocks, 9 across
  EXPECT_EQ(block_for(disc, 64 * 64, std::size_t{1} << 20), 13);
  EXPECT_EQ(block_for(disc, 64 * 64, std::size_t{1} << 18), 0);
  EXPECT_EQ(block_for({16, 16, 2}, 100, std::size_t{1} << 28), 0);
}

}  // namespace ptyle
