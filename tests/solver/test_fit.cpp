#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <tuple>
#include <vector>

#include "solver/batches.hpp"
#include "solver/shared_fit.hpp"

namespace ptyle {
namespace {

using test::FitScene;
using test::scene;

View<const double, 3> phase_of(const Fit<double>& fit) { return fit.state().field("phase").on(0); }

FitOptions options() {
  FitOptions o;
  o.batches = 5;
  o.probe_from = 0;
  return o;
}

TEST(Fit, TheTruthHasNoError) {
  auto fit = scene().fit(options(), true);
  const auto report = fit.iterate();
  // Patterns and model are the same numbers but for the order of sums: R ~ (1e-15)².
  EXPECT_LT(report.fitted.r_factor(), 1e-26);
}

TEST(Fit, BringsTheErrorDown) {
  auto fit = scene().fit(options());
  const double first = fit.iterate().fitted.r_factor();
  double last = first;
  for (int i = 0; i < 30; ++i) last = fit.iterate().fitted.r_factor();
  EXPECT_LT(last, 1e-2 * first);
}

TEST(Fit, IsTheSameForAnyNumberOfThreads) {
  auto o = options();
  o.probe_from = 1;
  auto one = scene().fit(o);
  o.threads = 3;
  auto three = scene().fit(o);
  for (int i = 0; i < 3; ++i) {
    one.iterate();
    three.iterate();
  }
  EXPECT_TRUE(std::equal(phase_of(one).begin(), phase_of(one).end(), phase_of(three).begin()));
  EXPECT_TRUE(std::equal(one.probe().begin(), one.probe().end(), three.probe().begin()));
}

TEST(Fit, DependsOnTheSeed) {
  auto o = options();
  auto a = scene().fit(o);
  o.seed = 1;
  auto b = scene().fit(o);
  a.iterate();
  b.iterate();
  EXPECT_FALSE(std::equal(phase_of(a).begin(), phase_of(a).end(), phase_of(b).begin()));
}

TEST(Fit, KeepsPhasesWithinTheirLimits) {
  auto o = options();
  o.phase_min = 0;
  o.phase_max = 0.2;
  auto fit = scene().fit(o);
  for (int i = 0; i < 3; ++i) fit.iterate();
  const auto [low, high] = std::minmax_element(phase_of(fit).begin(), phase_of(fit).end());
  EXPECT_GE(*low, 0);
  EXPECT_LE(*high, 0.2);
  EXPECT_GT(*high, 0.1);
}

TEST(Fit, TiedSlicesAreEqual) {
  auto o = options();
  o.continuation = Continuation(
      {.aperture_k = 1, .nyquist_k = 1.25, .slices = FitScene::slices, .depths_of_focus = 1});
  auto fit = scene().fit(o);
  const auto report = fit.iterate();
  EXPECT_NE(report.stage, "");
  const auto phase = phase_of(fit);
  EXPECT_TRUE(std::equal(phase[0].begin(), phase[0].end(), phase[1].begin()));
}

TEST(Fit, LeavesTheProbeAloneUntilItsIteration) {
  auto o = options();
  o.probe_from = 2;
  auto fit = scene().fit(o);
  const auto start = converted<Complex<double>, Complex<double>, 3>(fit.probe());
  fit.iterate();
  EXPECT_TRUE(std::equal(start.begin(), start.end(), fit.probe().begin()));
  fit.iterate();
  EXPECT_FALSE(std::equal(start.begin(), start.end(), fit.probe().begin()));
}

TEST(Fit, KnowsSinceWhenTheProbeAndAllOfTheObjectMove) {
  auto o = options();
  o.probe_from = 3;
  auto fit = scene().fit(o);
  EXPECT_EQ(fit.all_moves_from(), 1) << "nothing is known yet";
  for (const int from : {2, 3, 3, 3}) {
    fit.iterate();
    EXPECT_EQ(fit.all_moves_from(), from);
  }
  o.probe_from = 0;  // it is not to be refined
  auto fixed = scene().fit(o);
  fixed.iterate();
  EXPECT_EQ(fixed.all_moves_from(), 1);

  o.continuation = Continuation({.aperture_k = 1, .nyquist_k = 1.25, .slices = 2});
  auto staged = scene().fit(o);
  int last_of_a_stage = 0;
  for (int i = 1; i <= 40; ++i)
    if (!staged.iterate().stage.empty()) last_of_a_stage = i;
  ASSERT_GT(last_of_a_stage, 0);
  ASSERT_LT(last_of_a_stage, 40);
  EXPECT_EQ(staged.all_moves_from(), last_of_a_stage + 1);
}

TEST(Fit, HeldOutPatternsAreNotFitted) {
  auto o = options();
  o.hold_out = 0.2;
  auto fit = scene().fit(o);
  ASSERT_EQ(fit.held_out().size(), 5u);
  const auto report = fit.iterate();
  EXPECT_GT(report.held_out.r_denominator, 0);
  // 20 of 25 patterns of nearly equal power were fitted (electrons scattered off the detector:
  // none).
  EXPECT_NEAR(report.fitted.r_denominator / report.held_out.r_denominator, 4, 1e-9);
}

/// While it is there, held-out pixels of the scene's patterns have other counts.
class SpoiltPixels {
 public:
  explicit SpoiltPixels(const FitOptions& o) {
    scene().spoil = [seed = o.seed, run = one_pixel_in(o.hold_out_pixels)](i64 i, double* counts) {
      const PixelChoice choice{PixelSet::fitted, run, seed, std::uint64_t(i)};
      for (std::uint32_t k = 0; k < FitScene::window * FitScene::window; ++k)
        if (!choice.has(k)) counts[k] = 1e3 + k;
    };
  }
  SpoiltPixels(const SpoiltPixels&) = delete;
  ~SpoiltPixels() { scene().spoil = {}; }
};

void expect_held_out_pixels_are_not_fitted() {
  auto o = options();
  o.hold_out_pixels = 0.05;
  o.probe_from = 1;
  const auto result = [&] {
    auto fit = scene().fit(o);
    IterationReport last;
    for (int i = 0; i < 2; ++i) last = fit.iterate();
    return std::tuple(converted<double>(phase_of(fit)),
                      converted<Complex<double>, Complex<double>, 3>(fit.probe()), last);
  };
  const auto [phase, probe, report] = result();
  const SpoiltPixels spoilt(o);
  const auto [again, probe_again, spoilt_report] = result();
  EXPECT_TRUE(std::equal(phase.begin(), phase.end(), again.begin()));
  EXPECT_TRUE(std::equal(probe.begin(), probe.end(), probe_again.begin()));
  EXPECT_EQ(report.fitted.cost, spoilt_report.fitted.cost);
  EXPECT_LT(report.held_out_pixels.r_factor(), 1);
  // R of counts that the model knows nothing about is nearly 1.
  EXPECT_GT(spoilt_report.held_out_pixels.r_factor(), 0.9);
}

TEST(Fit, HeldOutPixelsAreNotFitted) {
  expect_held_out_pixels_are_not_fitted();
  const test::SeveralModes several;  // whose powers are fitted, too
  expect_held_out_pixels_are_not_fitted();
}

// The truth explains noise-free patterns: held-out pixels of these say what fitted ones do.
TEST(Fit, HeldOutPixelsAreJudgedAfterTheIteration) {
  auto o = options();
  o.hold_out_pixels = 0.1;
  auto fit = scene().fit(o);
  std::vector<double> held;
  for (int i = 0; i < 10; ++i) held.push_back(fit.iterate().held_out_pixels.r_factor());
  EXPECT_LT(held.back(), 0.2 * held.front());
  auto known = scene().fit(o, true);
  EXPECT_LT(known.iterate().held_out_pixels.r_factor(), 1e-26);
  EXPECT_EQ(scene().fit(options()).iterate().held_out_pixels.r_denominator, 0);
}

TEST(Fit, NoticesDivergenceAndHalvesTheStep) {
  auto o = options();
  o.parts.of<RuleOptions>().step = 50;
  auto fit = scene().fit(o);
  fit.iterate();
  bool noticed = false;
  for (int i = 0; i < 4; ++i) noticed = noticed || fit.iterate().diverging;
  EXPECT_TRUE(noticed);
}

TEST(Fit, PoissonLossOfFewCountsComesDown) {
  // Where there is an electron and the model has none, the curvature of a perfect fit says nothing.
  const FitScene few(2000);
  auto fit = few.fit(options());
  const double first = fit.iterate().fitted.cost;
  double last = first;
  for (int i = 0; i < 10; ++i) last = fit.iterate().fitted.cost;
  EXPECT_LT(last, first);
  for (const double v : phase_of(fit))
    ASSERT_LT(std::abs(v), 3.2);  // true phases are below 1.5, π more is a wrong one
}

TEST(Fit, BlursTheObject) {
  auto rough = [](View<const double, 3> v) {
    double sum = 0;
    for (i64 y = 0; y < v.shape[1]; ++y)
      for (i64 x = 1; x < v.shape[2]; ++x) sum += std::pow(v(0, y, x) - v(0, y, x - 1), 2);
    return sum;
  };
  auto o = options();
  auto sharp = scene().fit(o);
  o.parts.of<BlurOptions>().lateral = 1;
  auto blurred = scene().fit(o);
  o.parts.of<BlurOptions>() = {.along_z = 1};
  auto along = scene().fit(o);
  sharp.iterate();
  blurred.iterate();
  along.iterate();
  EXPECT_LT(rough(phase_of(blurred)), 0.8 * rough(phase_of(sharp)));
  const auto spread = [](View<const double, 3> v) {
    double sum = 0;
    for (i64 i = 0; i < v[0].size(); ++i) sum += std::pow(v[0].data[i] - v[1].data[i], 2);
    return sum;
  };
  EXPECT_LT(spread(phase_of(along)), 0.8 * spread(phase_of(sharp)));
}

}  // namespace
}  // namespace ptyle
