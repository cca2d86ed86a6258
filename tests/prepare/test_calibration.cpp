// The bright-field disc, and every calibration against every other.

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.hpp"
#include "core/units.hpp"
#include "io/temporary_folder.hpp"
#include "physics/electron.hpp"
#include "prepare/disc.hpp"
#include "prepare/frames_in_memory.hpp"

namespace ptyle {
namespace {

using testing::FramesInMemory;
using testing::measurement;
using testing::message_of;
using testing::says;

/// Share of pixel (y, x) inside a disc, by 16×16 samples.
double coverage(double y, double x, double row, double col, double radius) {
  int inside = 0;
  for (int i = 0; i < 16; ++i)
    for (int j = 0; j < 16; ++j)
      inside += std::hypot(y + (i + 0.5) / 16 - 0.5 - row, x + (j + 0.5) / 16 - 0.5 - col) < radius;
  return inside / 256.0;
}

FramesInMemory disc_frames(i64 side, double row, double col, double radius, double level) {
  FramesInMemory frames(4, side, side, false);
  for (i64 i = 0; i < 4; ++i)
    for (i64 y = 0; y < side; ++y)
      for (i64 x = 0; x < side; ++x)
        frames.at(i, y, x) = level * (0.01 + coverage(double(y), double(x), row, col, radius));
  return frames;
}

TEST(Disc, IsFittedToAFractionOfAPixel) {
  for (const auto& [side, row, col, radius] :
       {std::array{64.0, 31.3, 33.8, 12.4}, std::array{65.0, 28.1, 36.5, 20.7},
        std::array{48.0, 24.0, 24.0, 5.5}, std::array{96.0, 51.2, 40.9, 33.3}}) {
    const auto n = static_cast<i64>(side);
    Array<double, 2> pattern({n, n});
    for (i64 y = 0; y < n; ++y)
      for (i64 x = 0; x < n; ++x)
        pattern(y, x) = 3 + 100 * coverage(double(y), double(x), row, col, radius);
    const auto disc = fit_disc(pattern);
    ASSERT_TRUE(disc);
    // A rim point is off by at most about 0.15 px (linear interpolation across a rim one pixel
    // wide, seen at 45°); a mean of 180 rays scatters by 0.15/sqrt(180) = 0.011, and the radius may
    // have a common offset of r.m.s. 0.03 from the rim's curvature, 1/(8 r) px.
    EXPECT_NEAR(disc->row, row, 0.05);
    EXPECT_NEAR(disc->col, col, 0.05);
    EXPECT_NEAR(disc->radius, radius, 0.05);
    EXPECT_NEAR(disc->level, 103, 1e-9);
  }
}

TEST(Disc, IsFoundUnderPoissonNoiseABeamStopAndAHotPixel) {
  const i64 n = 80;
  Array<double, 2> pattern({n, n});
  Array<float, 2> ok({n, n});
  ok.fill(1);
  for (i64 y = 0; y < n; ++y)
    for (i64 x = 0; x < n; ++x) {
      // Noise of the mean of many patterns: 3 % of the level, deterministic.
      const double noise = 3 * std::sin(12.9898 * double(y) + 78.233 * double(x) * double(y + 1));
      pattern(y, x) = 5 + 100 * coverage(double(y), double(x), 41.5, 38.2, 22.6) + noise;
      if (y > 38 && y < 44 && x < 40) ok(y, x) = 0;  // the stop's shadow is masked
    }
  pattern(10, 70) = 1e4;
  const auto disc = fit_disc(pattern, ok);
  ASSERT_TRUE(disc);
  // 3 % noise moves a rim point (slope 100 a pixel) by 0.03 px; the rest is as above.
  EXPECT_NEAR(disc->row, 41.5, 0.08);
  EXPECT_NEAR(disc->col, 38.2, 0.08);
  EXPECT_NEAR(disc->radius, 22.6, 0.08);
}

/// A disc of radius 14 px about the middle of 96² px, without its middle up to `hole` of the
/// radius.
Array<double, 2> ring(double hole) {
  Array<double, 2> pattern({96, 96});
  for (i64 y = 0; y < 96; ++y)
    for (i64 x = 0; x < 96; ++x)
      pattern(y, x) = 0.5 + 100 * (coverage(double(y), double(x), 48, 48, 14) -
                                   coverage(double(y), double(x), 48, 48, 14 * hole));
  return pattern;
}

TEST(Disc, MayBeARing) {
  for (const double hole : {0.3, 0.5, 0.6, 0.7, 0.8}) {
    const auto disc = fit_disc(ring(hole));
    ASSERT_TRUE(disc) << hole;
    EXPECT_NEAR(disc->row, 48, 0.05) << hole;
    // As of a disc; a level that is taken from pixels at the rim puts that off by 0.2 px.
    EXPECT_NEAR(disc->radius, 14, 0.3) << hole;
    EXPECT_TRUE(has_rim_at(ring(hole), {}, 14)) << hole;
    EXPECT_FALSE(has_rim_at(ring(hole), {}, 18)) << hole;
  }
}

TEST(Disc, BehindABeamStopOrADeadModuleIsLeftOutOrToldOf) {
  const auto prepared = [](i64 first, i64 last, bool keep = false) {
    FramesInMemory frames = disc_frames(96, 48, 48, 14, 50);
    for (i64 i = 0; i < 4; ++i)
      for (i64 y = first; y < last; ++y)
        for (i64 x = 43; x < 54; ++x) frames.at(i, y, x) = 0;
    Measurement m = measurement(frames);
    m.data.find_bad_pixels = !keep;
    return prepare(m);
  };
  const auto warnings = [](const Experiment& e) {
    std::string all;
    for (const std::string& warning : e.warnings) all += warning + "\n";
    return all;
  };
  const Experiment module = prepared(38, 49), alike = prepared(43, 54),
                   kept = prepared(38, 49, true), whole = prepared(48, 48);
  EXPECT_TRUE(says(warnings(module), {"121 dead", "(38, 43-53)"}));
  EXPECT_EQ(module.screening.count(PixelFault::dead), 121);
  EXPECT_EQ(std::count(module.valid.begin(), module.valid.end(), 0.0F), 121);
  // On both sides of the centre it may be the hole of an annular aperture.
  for (const Experiment* e : {&alike, &kept}) {
    EXPECT_TRUE(
        says(warnings(*e), {"121 pixels of the bright-field disc have no count", "data.mask"}));
    EXPECT_EQ(std::count(e->valid.begin(), e->valid.end(), 0.0F), 0);
  }
  EXPECT_EQ(warnings(whole).find("disc have no count"), std::string::npos);
}

TEST(Disc, IsSeenAboveADetectorsOffset) {
  FramesInMemory frames = disc_frames(96, 48, 48, 11, 600);
  for (double& value : frames.values) value += 200;
  const Experiment e = prepare(measurement(frames));
  ASSERT_TRUE(e.disc);
  EXPECT_NEAR(e.disc->radius, 11, 0.05);  // as above
  EXPECT_TRUE(std::any_of(e.warnings.begin(), e.warnings.end(), [](const std::string& w) {
    return says(w, {"detector offset", "data.background=206"});
  }));
}

TEST(Disc, AmongBraggDiscsIsNotTakenForAnother) {
  // Discs of 3 px that overlap with their neighbours, all about as bright: together they are one of
  // 8 px, more or less.
  FramesInMemory frames(16, 96, 96, true, 65535);
  for (i64 i = 0; i < 16; ++i)
    for (i64 y = 0; y < 96; ++y)
      for (i64 x = 0; x < 96; ++x)
        for (const double row : {-1.0, 0.0, 1.0})
          for (const double col : {-1.0, 0.0, 1.0})
            frames.at(i, y, x) +=
                std::round(1000 * std::exp(-std::hypot(row, col) / 2) *
                           coverage(double(y), double(x), 48 + 3.6 * row, 48 + 3.6 * col, 3));
  Measurement m = measurement(frames);
  m.optics.energy = 300;
  m.optics.semi_angle = 9;
  m.calibration.mrad_per_pixel = 3;
  Experiment e = prepare(m);
  EXPECT_EQ(std::count_if(e.warnings.begin(), e.warnings.end(),
                          [](const std::string& w) { return says(w, {"semi_angle"}); }),
            0)
      << e.warnings.front();
  m.calibration.mrad_per_pixel = 1;  // a disc of 9 px: there is none
  e = prepare(m);
  EXPECT_EQ(std::count_if(e.warnings.begin(), e.warnings.end(),
                          [](const std::string& w) { return says(w, {"semi_angle"}); }),
            1);
}

TEST(Disc, IsNotFoundWhereThereIsNone) {
  Array<double, 2> flat({32, 32}), slope({32, 32});
  flat.fill(7);
  for (i64 y = 0; y < 32; ++y)
    for (i64 x = 0; x < 32; ++x) slope(y, x) = double(x);
  EXPECT_FALSE(fit_disc(flat));
  EXPECT_FALSE(fit_disc(slope));
  EXPECT_FALSE(fit_disc(Array<double, 2>({32, 32})));
}

TEST(Disc, FoundCentreIsShiftedToTheMiddleForEveryTurn) {
  for (int turn = 0; turn < 8; ++turn)
    for (i64 side : {64, 65}) {
      FramesInMemory frames = disc_frames(side, 27.2, 35.9, 14, 50);
      Measurement m = measurement(frames);
      m.data.flip_rows = turn & 1;
      m.data.flip_cols = turn & 2;
      m.data.transpose = turn & 4;
      m.data.find_centre = true;
      const Experiment e = prepare(m);
      ASSERT_TRUE(e.disc);
      const double middle = double(side / 2);
      // The integer shift leaves what is said to be left, to the fit's own 0.05 px.
      EXPECT_NEAR(e.disc->row - middle, e.residual_shift[0], 0.05);
      EXPECT_NEAR(e.disc->col - middle, e.residual_shift[1], 0.05);
      EXPECT_LE(std::abs(e.residual_shift[0]), 0.5);
      EXPECT_LE(std::abs(e.residual_shift[1]), 0.5);
    }
}

TEST(Disc, WhereItLiesTheZeroFrequencyIsTakenToLieUnlessTheCentreIsKnown) {
  const auto left = [](double row, double col, auto&& change) {
    FramesInMemory frames = disc_frames(64, row, col, 14, 50);
    Measurement m = measurement(frames);
    change(m.data);
    return prepare(m).residual_shift;
  };
  const auto nothing = [](DataConfig&) {};
  const auto seen = left(32.4, 31.3, nothing);
  EXPECT_NEAR(seen[0], 0.4, 0.05);  // the fit's own accuracy, as above
  EXPECT_NEAR(seen[1], -0.7, 0.05);
  const std::array<double, 2> none{};
  EXPECT_EQ(left(32, 32, nothing), none);
  // The disc may lie there for another reason than the centre, where that is given.
  const auto given = [](DataConfig& d) { d.centre = {{32, 32}}; };
  EXPECT_EQ(left(32.4, 31.3, given), none);
  // The disc's centre on the frame's [32, 32] is a quarter of a bin off the bin [16, 16]'s middle.
  const auto binned = left(32, 32, [](DataConfig& d) { d.bin = 2; });
  EXPECT_NEAR(binned[0], -0.25, 1e-12);
  EXPECT_NEAR(binned[1], -0.25, 1e-12);
}

TEST(Disc, ADetectorOffsetBesideItIsWarnedOf) {
  const auto warnings = [](double dark, int bin = 1, double background = 0) {
    FramesInMemory frames = disc_frames(64, 32, 32, 14, 100);
    for (double& v : frames.values) v += dark;
    Measurement m = measurement(frames);
    m.data.bin = bin;
    m.data.background = background;
    return prepare(m).warnings;
  };
  // The disc covers 0.15 of the window: 15 counts per pixel in the mean, and 1 beside it.
  EXPECT_TRUE(warnings(0).empty());
  EXPECT_TRUE(says(warnings(5)[0], {"data.background=6"}));
  ASSERT_EQ(warnings(10).size(), 1u);
  EXPECT_TRUE(says(warnings(10)[0], {"11 counts", "data.background=11"}));
  EXPECT_TRUE(says(warnings(10, 2)[0], {"44 counts", "data.background=11"}));
  EXPECT_TRUE(says(warnings(20, 2, 6)[0], {"60 counts", "data.background=21"}));
  EXPECT_TRUE(warnings(20, 2, 21).empty());
}

TEST(Calibration, IsTheSameFromAnyOneOfThem) {
  // 300 kV, dα = 0.5 mrad a pixel of 64: semi-angle 7 mrad is a disc of 14 px.
  const double wavelength = electron_wavelength(300), dk = 0.5e-3 / wavelength;
  FramesInMemory frames = disc_frames(64, 32, 32, 14, 50);
  const auto calibrated = [&](CalibrationConfig c, int bin = 1) {
    Measurement m = measurement(frames);
    m.optics.energy = 300;
    m.optics.semi_angle = 7;
    m.calibration = c;
    m.data.bin = bin;
    Experiment e = prepare(m);
    EXPECT_TRUE(e.warnings.empty()) << e.warnings.front();
    EXPECT_DOUBLE_EQ(e.calibration.wavelength, wavelength);
    EXPECT_DOUBLE_EQ(e.calibration.pixel, 1 / (e.calibration.dk * double(e.patterns->window())));
    return e.calibration.dk;
  };
  // Relative 1e-12: a few roundings. The fitted radius has 0.05 px of 14.
  EXPECT_NEAR(calibrated({.pixel_size = 1 / (64 * dk)}) / dk, 1, 1e-12);
  EXPECT_NEAR(calibrated({.dk = dk}) / dk, 1, 1e-12);
  EXPECT_NEAR(calibrated({.mrad_per_pixel = 0.5}) / dk, 1, 1e-12);
  EXPECT_NEAR(calibrated({.max_angle = 16}) / dk, 1, 1e-12);
  EXPECT_NEAR(calibrated({.disc_radius = 14}) / dk, 1, 1e-12);
  EXPECT_NEAR(calibrated({.fit_disc = true}) / dk, 1, 0.05 / 14);
  // After binning a detector pixel is twice as large; the object's pixel is the same.
  EXPECT_NEAR(calibrated({.pixel_size = 1 / (64 * dk)}, 2) / dk, 2, 1e-12);
  EXPECT_NEAR(calibrated({.max_angle = 16}, 2) / dk, 2, 1e-12);
}

TEST(Calibration, OfTheFileHoldsForTheWholeFrameAlsoWhenItIsCroppedBinnedAndPadded) {
  FramesInMemory frames = disc_frames(64, 32, 32, 14, 50);
  Measurement m = measurement(frames);
  m.optics.energy = 300;
  m.file.pixel_size = 0.25;
  m.data.crop = 48;
  m.data.bin = 2;
  m.data.window = 40;
  const Experiment e = prepare(m);
  EXPECT_DOUBLE_EQ(e.calibration.dk, 2 / (64 * 0.25));
  EXPECT_DOUBLE_EQ(e.calibration.pixel, 1 / (40 * e.calibration.dk));
}

TEST(Calibration, ThatDisagreesWithTheConvergenceAngleIsWarnedOf) {
  FramesInMemory frames = disc_frames(64, 32, 32, 14, 50);
  Measurement m = measurement(frames);
  m.optics.energy = 300;
  m.calibration.mrad_per_pixel = 0.5;
  for (const auto& [angle, warnings] : {std::pair{7.0, 0u}, {6.75, 0u}, {6.5, 1u}, {8.0, 1u}}) {
    m.optics.semi_angle = angle;
    const Experiment e = prepare(m);
    ASSERT_EQ(e.warnings.size(), warnings) << angle;
    if (warnings == 1) {
      EXPECT_TRUE(says(e.warnings[0], {"optics.semi_angle"}));
    }
  }
}

TEST(Calibration, ThatIsMissingDoubleOrImpossibleIsRefused) {
  FramesInMemory frames = disc_frames(32, 16, 16, 7, 50);
  const auto fault = [&](CalibrationConfig c, OpticsConfig o) {
    Measurement m = measurement(frames);
    m.calibration = c;
    m.optics = o;
    return message_of<UserError>([&] { prepare(m); });
  };
  const OpticsConfig energy{.energy = 300};
  EXPECT_TRUE(says(fault({}, energy), {"no calibration", "pixel_size", "fit_disc"}));
  EXPECT_TRUE(says(fault({.pixel_size = 1, .dk = 1}, energy), {"pixel_size", "dk", "exactly one"}));
  EXPECT_TRUE(says(fault({.fit_disc = true}, energy), {"fit_disc", "optics.semi_angle"}));
  EXPECT_TRUE(says(fault({.max_angle = 3}, {}), {"max_angle", "optics.energy"}));
  EXPECT_TRUE(says(fault({.dk = 1}, {.energy = 300, .xray_energy = 8}), {"energy", "xray_energy"}));
  std::fill(frames.values.begin(), frames.values.end(), 1.0);
  EXPECT_TRUE(
      says(fault({.fit_disc = true}, {.energy = 300, .semi_angle = 7}), {"no bright-field disc"}));
}

TEST(Calibration, WithoutEnergyEverythingIsInPixels) {
  FramesInMemory frames = disc_frames(32, 16, 16, 7, 50);
  const Experiment e = prepare(measurement(frames));
  EXPECT_EQ(e.calibration.wavelength, 0);
  EXPECT_EQ(e.calibration.pixel, 1);
  EXPECT_TRUE(e.calibration.in_pixels());
  Measurement m = measurement(frames);
  m.calibration.pixel_size = 0.5;  // a wavelength is still not known, but lengths are in Å
  EXPECT_FALSE(prepare(m).calibration.in_pixels());
}

TEST(Optics, ThatTheUserLeftOutAreTakenFromTheFile) {
  FramesInMemory frames = disc_frames(64, 32, 32, 14, 50);
  Measurement m = measurement(frames);
  m.file = {.pixel_size = 0.6, .energy = 200, .semi_angle = 20, .defocus = 250};
  Experiment e = prepare(m);
  EXPECT_EQ(e.optics.energy, 200);
  EXPECT_EQ(e.optics.semi_angle, 20);
  EXPECT_EQ(e.optics.defocus, 250);
  m.optics = {.energy = 200, .semi_angle = 25};
  e = prepare(m);
  EXPECT_EQ(e.optics.semi_angle, 25);
  EXPECT_EQ(e.optics.defocus, 250);
  m.optics.defocus = 0;  // said, and so not the file's
  e = prepare(m);
  EXPECT_EQ(e.optics.defocus, 0);
}

}  // namespace
}  // namespace ptyle
