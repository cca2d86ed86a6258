// Settings of the fit, by a configuration and a measurement.

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "core/units.hpp"
#include "prepare/pattern_store.hpp"
#include "session/settings.hpp"
#include "session/warnings.hpp"
#include "solver/rules/rule_options.hpp"
#include "solver/states.hpp"
#include "solver/variables/position_options.hpp"

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

/// A scan of 16 × 16 positions, one Å apart, of 32 px windows of 0.2 Å: 256 positions.
Cut cut_of(const ReconstructConfig& c) {
  std::vector<Position> positions;
  for (int y = 0; y < 16; ++y)
    for (int x = 0; x < 16; ++x) positions.push_back({double(y), double(x)});
  return divide(c, positions, 32, 0.2, c.ranks.of > 1 ? c.ranks.of : 1);
}

struct Choice {
  std::string name;
  std::function<void(ReconstructConfig&)> set;
  RuleChoice rule;
  PreconditionerChoice preconditioner;
};

TEST(Settings, TheRuleIsChosenByBatchesRanksAndSlices) {
  using enum RuleChoice;
  constexpr auto illumination = PreconditionerChoice::illumination;
  constexpr auto transfer = PreconditionerChoice::transfer;
  const auto slices = [](ReconstructConfig& c) { c.object.slices = 4; };
  const auto on_slices = [&](int ranks) {
    return [&, ranks](ReconstructConfig& c) {
      slices(c);
      c.ranks.of = ranks;
    };
  };
  const auto on = [](int ranks) { return [ranks](ReconstructConfig& c) { c.ranks.of = ranks; }; };
  const std::vector<Choice> choices{
      {"one slice", [](auto&) {}, momentum, illumination},
      {"slices", slices, momentum, illumination},
      {"one mini-batch",
       [&](auto& c) {
         slices(c);
         c.solver.batches = 1;
       },
       momentum, illumination},
      {"28 positions a rank", on(9), momentum, illumination},
      {"25 positions a rank", on(10), lbfgs, illumination},
      {"the same and slices", on_slices(10), lbfgs, transfer},
      {"few, but mini-batches are given",
       [&](auto& c) {
         on_slices(10)(c);
         c.solver.batches = 4;
       },
       momentum, illumination},
      {"a step",
       [&](auto& c) {
         on_slices(10)(c);
         c.parts.template of<RuleOptions>().step = 0.5;
       },
       descent, illumination},
      {"voxels are exchanged",
       [&](auto& c) {
         on_slices(4)(c);
         c.ranks.exchange = Scheme::voxel;
       },
       descent, illumination},
      {"a halo that has the reach",
       [&](auto& c) {
         on_slices(10)(c);
         c.ranks.halo = "2.2";
       },
       lbfgs, transfer},
      {"a shorter halo",
       [&](auto& c) {
         on_slices(10)(c);
         c.ranks.halo = "1.8";
       },
       lbfgs, illumination},
      {"an aperture that the file may say, and an exact halo",
       [&](auto& c) {
         on_slices(10)(c);
         c.optics.semi_angle = 0;
       },
       lbfgs, transfer},
      {"the same, and another halo",
       [&](auto& c) {
         on_slices(10)(c);
         c.optics.semi_angle = 0;
         c.ranks.halo = "2.4";
       },
       lbfgs, illumination},
      {"gauss_newton",
       [&](auto& c) {
         slices(c);
         c.parts.template of<RuleOptions>().rule = gauss_newton;
       },
       gauss_newton, transfer},
      {"adam",
       [&](auto& c) {
         slices(c);
         c.parts.template of<RuleOptions>().rule = adam;
       },
       adam, illumination},
      {"the transfer is asked for",
       [&](auto& c) { c.parts.template of<RuleOptions>().preconditioner = transfer; }, momentum,
       transfer},
  };
  for (const Choice& choice : choices) {
    ReconstructConfig c;
    c.optics = {.energy = 200, .semi_angle = 30};  // k_α 1.2 per Å: the transfer reaches 10 px
    c.object.slice_thickness = 5;
    c.parts.of<PositionOptions>().refine = Switch::off;
    choice.set(c);
    const Cut cut = cut_of(c);
    EXPECT_EQ(word_of(cut.rule), word_of(choice.rule)) << choice.name;
    EXPECT_EQ(word_of(cut.preconditioner), word_of(choice.preconditioner)) << choice.name;
  }
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

/// The state that is seen most takes it: gradients are divided by a mean over states.
TEST(Settings, TheStepOfSeveralStatesIsThatOfTheLargestShare) {
  const Experiment e = measured(10, true);
  const Division division;
  const auto step = [&](int states, std::vector<double> occupancy) {
    ReconstructConfig c;
    c.parts.of<RuleOptions>().step = 0.6;
    c.parts.of<StatesOptions>() = {states, std::move(occupancy)};
    return fit_options(c, e, division, 1).parts.of<RuleOptions>().step;
  };
  EXPECT_EQ(step(1, {}), 0.6);
  EXPECT_DOUBLE_EQ(step(3, {}), 0.6);
  EXPECT_DOUBLE_EQ(step(2, {3, 1}), 0.4);
}

}  // namespace
}  // namespace ptyle
