// The fit to the images of bright-field pixels, against patterns computed from the wave.

#include <gtest/gtest.h>

#include <cmath>

#include "analysis/beam_fit.hpp"
#include "analysis/parallax.hpp"
#include "weak_scan.hpp"

namespace ptyle {
namespace {

using testing::WeakScan;

/// The one of two equals that is nearer to the truth.
BeamModel nearer(const BeamModel& found, const BeamModel& truth) {
  const auto off = [&](const BeamModel& m) {
    return std::abs(std::remainder(m.rotation - truth.rotation, 2 * pi));
  };
  return off(found) < off(found.opposite()) ? found : found.opposite();
}

/// Within four standard errors, which themselves have to be small: a degree of rotation, and of
/// the aberrations a twentieth of the depth of focus (67 Å), which turns the rim by π/20.
void expect_found(const WeakScan& scan) {
  const BeamFit fit = fit_beam(scan.images(), scan.raster(), WeakScan::frame(), 2);
  ASSERT_EQ(fit.model.mirrored, scan.beam.mirrored);
  const BeamModel found = nearer(fit.model, scan.beam);
  EXPECT_LT(fit.error.rotation, 1 * degree);
  for (const double e : {fit.error.C10, fit.error.a, fit.error.b}) EXPECT_LT(e, 3.4);
  // Errors that are all but 0 are not to be held to: 0.1 degrees, 0.3 Å.
  EXPECT_NEAR(std::remainder(found.rotation - scan.beam.rotation, 2 * pi), 0,
              4 * fit.error.rotation + 0.1 * degree);
  EXPECT_NEAR(found.C10, scan.beam.C10, 4 * fit.error.C10 + 0.3);
  EXPECT_NEAR(found.a, scan.beam.a, 4 * fit.error.a + 0.3);
  EXPECT_NEAR(found.b, scan.beam.b, 4 * fit.error.b + 0.3);
  EXPECT_GT(fit.certainty, told_apart);
  EXPECT_GT(fit.handedness, told_apart);
  EXPECT_GT(fit.explained, 4 * fit.by_chance);
}

TEST(BeamFit, DefocusAstigmatismAndRotation) {
  expect_found({.beam = {40 * degree, false, -200, 25, -15}});
}

TEST(BeamFit, AMirroredDetectorAndOverfocus) {
  expect_found({.beam = {-75 * degree, true, 150, 0, 20}, .shape = {27, 31}});
}

TEST(BeamFit, InFocusTheSideBandsTellTheRotation) {
  expect_found({.beam = {-20 * degree, false, 0, 10, 0}});
}

TEST(BeamFit, AstigmatismLargerThanTheDefocus) {
  expect_found({.beam = {10 * degree, false, -40, 90, 30}});
}

TEST(BeamFit, NoiseIsNoHindrance) {
  // 1000 electrons a pattern are three a pixel of the disc
  expect_found({.beam = {40 * degree, false, -200, 25, -15}, .phase = 0.1, .electrons = 1000});
}

TEST(BeamFit, StepsLongerThanTheDetail) {
  // Frequencies up to 0.7 1/Å, by steps that tell 0.42 apart
  expect_found({.beam = {40 * degree, false, -200, 25, -15}, .shape = {36, 36}, .step = 1.2});
}

TEST(BeamFit, OfNothingNothingIsFound) {
  const WeakScan flat{.beam = {}, .phase = 1e-30};
  const BeamFit none = fit_beam(flat.images(), flat.raster(), WeakScan::frame(), 2);
  const WeakScan noise{.beam = {}, .phase = 1e-6, .electrons = 100};
  const BeamFit nothing = fit_beam(noise.images(), noise.raster(), WeakScan::frame(), 2);
  // by_chance holds for a model that is not fitted; four numbers that are add little to forty
  // frequencies of two amplitudes.
  for (const BeamFit& fit : {none, nothing})
    EXPECT_TRUE(fit.explained < 4 * fit.by_chance || !(fit.certainty > told_apart));
  EXPECT_LT(nothing.explained, 4 * nothing.by_chance);
}

TEST(BeamFit, TheSameForAnyNumberOfThreads) {
  const WeakScan scan{.beam = {40 * degree, false, -200, 25, -15}, .shape = {16, 16}};
  const auto images = scan.images();
  const BeamFit one = fit_beam(images, scan.raster(), WeakScan::frame(), 1);
  const BeamFit three = fit_beam(images, scan.raster(), WeakScan::frame(), 3);
  EXPECT_EQ(one.model.rotation, three.model.rotation);
  EXPECT_EQ(one.model.C10, three.model.C10);
  EXPECT_EQ(one.error.b, three.error.b);
}

TEST(Parallax, ShiftsOfAKnownMatrix) {
  // The grid's last step is 0.03 depths of focus (2 Å); tables are read at the nearest of 4 places
  // within the width of a peak, 1/8 of which is 67 / (8 · 0.6) Å for frequencies up to the
  // aperture.
  const WeakScan scan{.beam = {40 * degree, false, -200, 25, -15}};
  const SideBands bands(scan.images(), strongest_frequencies(scan.images(), scan.raster(), 40, 2),
                        WeakScan::frame());
  const auto shifts = find_shifts(bands, 2, 2);
  ASSERT_FALSE(shifts.empty());
  const BeamModel found = models_of(shifts[0])[0];
  EXPECT_NEAR(found.C10, -200, 16);
  EXPECT_NEAR(found.rotation, 40 * degree, 16.0 / 200);
}

TEST(Parallax, AMatrixMeansTwoModels) {
  // Both have the same slopes at every frequency.
  const ShiftMatrix shifts{{-120, 70}, {30, -45}, 0};
  const auto [straight, mirrored] = models_of(shifts);
  for (const Position q : {Position{0.3, 0.1}, Position{-0.2, 0.4}}) {
    const Complex<double> z{q.col, q.row}, s = 0.04 * (shifts.u * z + shifts.v * std::conj(z));
    for (const BeamModel& model : {straight, mirrored}) {
      const Position slope = seen(model, q, 0.04).slope;
      EXPECT_NEAR(slope.col, s.real(), 1e-12);
      EXPECT_NEAR(slope.row, s.imag(), 1e-12);
    }
  }
}

}  // namespace
}  // namespace ptyle
