#include <gtest/gtest.h>

#include "analysis/frc.hpp"
#include "analysis/images.hpp"
#include "analysis/similarity.hpp"
#include "core/grid.hpp"

namespace ptyle {
namespace {

using test::noise;
using test::ones;
using test::Waves;

using Mask = Array<unsigned char, 2>;

Mask whole(std::array<i64, 2> shape) {
  Mask mask(shape);
  mask.fill(1);
  return mask;
}

/// Wang's formula as it stands, window by window.
double direct_ssim(View<const double, 2> a, View<const double, 2> b,
                   View<const unsigned char, 2> area) {
  double low = 1e300, high = -1e300;
  for (i64 i = 0; i < b.size(); ++i)
    if (area.data[i]) {
      low = std::min(low, b.data[i]);
      high = std::max(high, b.data[i]);
    }
  const double c1 = std::pow(0.01 * (high - low), 2), c2 = std::pow(0.03 * (high - low), 2);
  double sum = 0;
  int n = 0;
  for (i64 y = 5; y < a.shape[0] - 5; ++y)
    for (i64 x = 5; x < a.shape[1] - 5; ++x) {
      if (!area(y, x)) continue;
      double w = 0, ma = 0, mb = 0, va = 0, vb = 0, ab = 0;
      const auto each = [&](auto&& work) {
        for (i64 v = -5; v <= 5; ++v)
          for (i64 u = -5; u <= 5; ++u)
            work(std::exp(-static_cast<double>(u * u + v * v) / 4.5), a(y + v, x + u),
                 b(y + v, x + u));
      };
      each([&](double g, double p, double q) {
        w += g;
        ma += g * p;
        mb += g * q;
      });
      ma /= w;
      mb /= w;
      each([&](double g, double p, double q) {
        va += g / w * (p - ma) * (p - ma);
        vb += g / w * (q - mb) * (q - mb);
        ab += g / w * (p - ma) * (q - mb);
      });
      sum += (2 * ma * mb + c1) * (2 * ab + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2));
      ++n;
    }
  return sum / n;
}

TEST(Ssim, AgreesWithTheFormulaWindowByWindow) {
  const auto a = Waves(1, 0.2).image({30, 41});
  auto b = Waves(1, 0.2).image({30, 41}, 0.4, 0.2);
  const auto extra = noise(5, {30, 41});
  for (i64 i = 0; i < b.size(); ++i) b.data()[i] += 0.3 * extra.data()[i] + 1;
  Mask area = whole({30, 41});
  for (i64 y = 0; y < 30; ++y)
    for (i64 x = 0; x < 41; ++x) area(y, x) = (x + y > 20) ? 1 : 0;
  const double ssim = structural_similarity(a, b, area);
  // variances as differences of means lose about 3 digits of 16 here
  EXPECT_NEAR(ssim, direct_ssim(a, b, area), 1e-11);
  EXPECT_LT(ssim, 0.9);
}

TEST(Ssim, OfEqualImagesIsOneAndOfUnrelatedOnesAboutZero) {
  const auto a = noise(1, {90, 91}), b = noise(2, {90, 91});
  EXPECT_DOUBLE_EQ(structural_similarity(a, a, whole({90, 91})), 1);
  EXPECT_NEAR(structural_similarity(a, b, whole({90, 91})), 0, 0.1);
  const Array<double, 2> nothing({90, 91});
  EXPECT_EQ(structural_similarity(a, nothing, whole({90, 91})), 0);
}

TEST(Rms, CountsTheAreaOnly) {
  Array<double, 2> a({4, 5}), b({4, 5});
  Mask area({4, 5});
  area(1, 1) = area(2, 3) = 1;
  a(1, 1) = 3;
  b(2, 3) = 4;
  a(0, 0) = 100;
  EXPECT_DOUBLE_EQ(rms_difference(a, b, area), std::sqrt(12.5));
}

TEST(Correlation, IsOneUnderGainAndOffsetAndZeroForAConstant) {
  const auto a = noise(1, {20, 30});
  Array<double, 2> b({20, 30}), c({20, 30});
  for (i64 i = 0; i < a.size(); ++i) b.data()[i] = 3 - 0.2 * a.data()[i];
  c.fill(0.7);
  EXPECT_NEAR(correlation(a, b, whole({20, 30})), -1, 1e-12);
  EXPECT_EQ(correlation(a, c, whole({20, 30})), 0);
}

TEST(Frc, OfEqualImagesIsOneAndOfIndependentNoiseBelowTheThreshold) {
  for (const auto& shape : {std::array<i64, 2>{256, 256}, {201, 300}}) {
    const auto a = noise(7, shape), b = noise(8, shape), w = ones(shape);
    const Frc equal = fourier_ring_correlation(a, a, w);
    for (const double v : equal.correlation) ASSERT_NEAR(v, 1, 1e-12);
    EXPECT_TRUE(resolution_of(equal, 0.2).at_pixel);
    EXPECT_NEAR(resolution_of(equal, 0.2).period, 0.4, 0.01);

    // With n independent pixels in a ring the correlation of noise has σ = 1/√n; where n > 100 the
    // threshold is at least 3 σ away: of some 90 rings none should pass.
    const Frc apart = fourier_ring_correlation(a, b, w);
    double sum = 0;
    for (std::size_t i = 32; i < apart.frequency.size(); ++i) {
      EXPECT_LT(apart.correlation[i], apart.threshold[i]) << "ring " << i;
      sum += apart.correlation[i];
    }
    // about 90 rings, σ below 0.1 each: the mean is below 4 · 0.1/√(90/2)
    EXPECT_NEAR(sum / static_cast<double>(apart.frequency.size() - 32), 0, 0.06);
    EXPECT_GT(resolution_of(apart, 0.2).period, 0.2 / 0.05);
  }
}

TEST(Frc, HalfBitThresholdIsThatOfItsSignalToNoise) {
  // n → ∞: SNR/(1 + SNR) at SNR = 0.2071. The ring of radius 200 has 2π · 200 pixels, half of them
  // independent, give or take 2 % for the square grid: T moves by 1e-3 at most.
  const auto a = noise(7, {512, 512});
  const Frc frc = fourier_ring_correlation(a, a, ones({512, 512}));
  const double root = std::sqrt(pi * 200);
  EXPECT_NEAR(frc.threshold[199], (0.2071 + 1.9102 / root) / (1.2071 + 0.9102 / root), 1e-3);
  EXPECT_GT(frc.threshold.front(), 0.6);
}

TEST(Frc, ResolutionIsWhereTheCommonSignalEnds) {
  // the same waves up to 0.2 cycles a pixel, different noise a tenth as strong everywhere
  const std::array<i64, 2> shape{200, 240};
  auto a = Waves(21, 0.2, 400).image(shape), b = converted<double>(View<const double, 2>(a));
  const auto na = noise(31, shape), nb = noise(32, shape);
  for (i64 i = 0; i < a.size(); ++i) {
    a.data()[i] += 0.1 * na.data()[i];
    b.data()[i] += 0.1 * nb.data()[i];
  }
  const auto w = [&] {  // a Hann window
    Array<double, 2> out(shape);
    for (i64 y = 0; y < shape[0]; ++y)
      for (i64 x = 0; x < shape[1]; ++x)
        out(y, x) = std::pow(std::sin(pi * (static_cast<double>(y) + 0.5) / 200) *
                                 std::sin(pi * (static_cast<double>(x) + 0.5) / 240),
                             2);
    return out;
  }();
  const Resolution resolution = resolution_of(fourier_ring_correlation(a, b, w), 1);
  EXPECT_FALSE(resolution.at_pixel);
  // the Hann window blurs the end over ±2 rings of 1/200
  EXPECT_NEAR(1 / resolution.period, 0.2, 0.0125);
}

/// A square lattice of 12 pixels whose orders end at 3/12 cycles a pixel; its first is ring 20 of
/// 240, below which it has nothing.
Array<double, 2> lattice(double strength = 1, int order = 3) {
  Array<double, 2> image({240, 240});
  for (i64 y = 0; y < 240; ++y)
    for (i64 x = 0; x < 240; ++x)
      for (int h = -order; h <= order; ++h)
        for (int k = 0; k <= order; ++k)
          if (h != 0 || k != 0)
            image(y, x) +=
                strength * std::cos(2 * pi * (h * static_cast<double>(y) + k * double(x)) / 12);
  return image;
}

Array<double, 2> hann() {
  Array<double, 2> window({240, 240});
  for (i64 y = 0; y < 240; ++y)
    for (i64 x = 0; x < 240; ++x)
      window(y, x) = std::pow(std::sin(pi * (static_cast<double>(y) + 0.5) / 240) *
                                  std::sin(pi * (static_cast<double>(x) + 0.5) / 240),
                              2);
  return window;
}

Array<double, 2> with_noise(Array<double, 2> image, double strength) {
  const auto extra = noise(41, image.shape());
  for (i64 i = 0; i < image.size(); ++i) image.data()[i] += strength * extra.data()[i];
  return image;
}

Resolution resolution_beside(const Array<double, 2>& a, const Array<double, 2>& b) {
  return resolution_of(fourier_ring_correlation(a, b, hann()), 1);
}

TEST(Frc, OfACrystalPassesOverRingsWithoutPower) {
  // The outermost order is (3, 3)/12, at sqrt(2)/4 cycles a pixel; the window spreads it over ±2
  // rings of 1/240.
  const auto truth = lattice();
  const Resolution resolution = resolution_beside(with_noise(lattice(), 0.3), truth);
  EXPECT_FALSE(resolution.at_pixel);
  EXPECT_NEAR(1 / resolution.period, std::sqrt(2.0) / 4, 2.5 / 240);
  // The same where low frequencies are wrong, but weaker than the lattice.
  auto uneven = with_noise(lattice(), 0.3);
  for (i64 y = 0; y < 240; ++y)
    for (i64 x = 0; x < 240; ++x) uneven(y, x) += 0.3 * std::cos(2 * pi * 7 * double(y) / 240);
  EXPECT_NEAR(1 / resolution_beside(uneven, truth).period, std::sqrt(2.0) / 4, 2.5 / 240);
}

TEST(Frc, OfACrystalAndWhatIsNotShowsNoOrder) {
  // A ring of a few pixels may agree by chance; that of the first order, 12 px, does not.
  const auto truth = lattice();
  for (const std::uint64_t seed : {45, 46, 47})
    EXPECT_GT(resolution_beside(noise(seed, {240, 240}), truth).period, 15);
  // A lattice that is lost in noise, and in a background stronger than itself.
  EXPECT_GT(resolution_beside(with_noise(lattice(1e-3), 1), truth).period, 15);
  auto background = lattice();
  for (i64 y = 0; y < 240; ++y)
    for (i64 x = 0; x < 240; ++x) background(y, x) += 30 * std::cos(2 * pi * 7 * double(y) / 240);
  EXPECT_TRUE(std::isinf(resolution_beside(background, truth).period));
}

TEST(Frc, OfALowPassedCrystalEndsAtTheLowPass) {
  // Orders up to (1, 1)/12 agree, at sqrt(2)/12; (0, 2)/12 is missing.
  const Resolution resolution = resolution_beside(with_noise(lattice(1, 1), 0.1), lattice());
  EXPECT_GT(1 / resolution.period, std::sqrt(2.0) / 12);
  EXPECT_LT(1 / resolution.period, 2.0 / 12);
}

TEST(Frc, OneStrongRingThatAgreesGivesNoBetterResolution) {
  // A wave of 1/24 that both have, noise elsewhere.
  auto a = noise(43, {240, 240}), b = noise(44, {240, 240});
  for (i64 y = 0; y < 240; ++y)
    for (i64 x = 0; x < 240; ++x)
      for (auto* image : {&a, &b}) (*image)(y, x) += 30 * std::cos(2 * pi * double(y) / 24);
  EXPECT_GT(resolution_beside(a, b).period, 18);
}

TEST(Frc, OfNothingIsZeroAndHasNoResolution) {
  const Array<double, 2> nothing({64, 64});
  const Frc frc = fourier_ring_correlation(nothing, noise(1, {64, 64}), ones({64, 64}));
  for (const double v : frc.correlation) ASSERT_EQ(v, 0);
  EXPECT_TRUE(std::isinf(resolution_of(frc, 1).period));
}

}  // namespace
}  // namespace ptyle
