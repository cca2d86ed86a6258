// Settings of the fit, by a configuration and a measurement.

#include <gtest/gtest.h>

#include "core/units.hpp"
#include "prepare/pattern_store.hpp"
#include "session/settings.hpp"
#include "session/warnings.hpp"

namespace ptyle {
namespace {

constexpr i64 window = 64;

Experiment measured(double counts_per_pixel, bool integers) {
  Experiment e;
  e.patterns = make_pattern_store({}, 0, window, 65535, 0, nullptr);
  e.mean_counts = counts_per_pixel * double(window * window);
  e.integer_counts = integers;
  return e;
}

TEST(Settings, SparseCountsAreFittedByTheirOwnLoss) {
  ReconstructConfig c;
  EXPECT_EQ(loss_of(c, measured(0.5, true)), Loss::poisson);
  EXPECT_EQ(loss_of(c, measured(2, true)), Loss::amplitude);
  EXPECT_EQ(loss_of(c, measured(0.5, false)), Loss::amplitude);  // perhaps no counts
  EXPECT_EQ(loss_of(c, measured(0, true)), Loss::amplitude);     // a plan: not known
  c.solver.loss = Loss::amplitude;
  EXPECT_EQ(loss_of(c, measured(0.5, true)), Loss::amplitude);
  c.solver.loss = Loss::poisson;
  EXPECT_EQ(loss_of(c, measured(50, false)), Loss::poisson);
}

TEST(Settings, PositivityIsForElectrons) {
  ReconstructConfig c;
  c.object.slices = 10;
  c.object.slice_thickness = 10;  // Å: several depths of focus in all
  Experiment e = measured(10, true);
  e.optics.semi_angle = 30;
  e.calibration = {.wavelength = 0.025, .pixel = 0.2, .dk = 1 / (0.2 * window)};
  const Division division;
  EXPECT_EQ(fit_options(c, e, division, 1).phase_min, 0);
  e.optics.xray_energy = 8;
  EXPECT_LT(fit_options(c, e, division, 1).phase_min, -1e20);
  c.object.positivity = Switch::on;
  EXPECT_EQ(fit_options(c, e, division, 1).phase_min, 0);
}

TEST(Settings, PixelsAreHeldOutWherePositionsAreRefined) {
  ReconstructConfig c;
  const Experiment e = measured(10, true);
  Division division;
  EXPECT_EQ(fit_options(c, e, division, 1).hold_out_pixels, 0);
  division.margin = 3;
  EXPECT_EQ(fit_options(c, e, division, 1).hold_out_pixels, 0.02);
  c.solver.hold_out_pixels = 0;
  EXPECT_EQ(fit_options(c, e, division, 1).hold_out_pixels, 0);
  division.margin = 0;
  c.solver.hold_out_pixels = 0.1;
  EXPECT_EQ(fit_options(c, e, division, 1).hold_out_pixels, 0.1);
}

/// Held-out patterns would judge refined positions too harshly.
TEST(Settings, AtALowDoseTheyShowWhenToStop) {
  EXPECT_FALSE(warning_of_few_counts(100, 20, false));
  const auto few = [](bool held_pixels) {
    return warning_of_few_counts(1, 1, held_pixels).value();
  };
  EXPECT_NE(few(false).find("Try solver.hold_out=0.1"), std::string::npos) << few(false);
  EXPECT_EQ(few(true).find("hold_out"), std::string::npos) << few(true);
  EXPECT_NE(few(true).find("R of the held-out pixels"), std::string::npos) << few(true);
}

}  // namespace
}  // namespace ptyle
