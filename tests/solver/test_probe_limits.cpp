// Knowledge of the probe beside the data: its support, its aperture, its power.

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/error.hpp"
#include "core/waves.hpp"
#include "device/cpu/fft.hpp"
#include "solver/on_gpu.hpp"
#include "solver/shared_fit.hpp"
#include "solver/variables/probe_limits.hpp"
#include "solver/variables/probe_moves.hpp"

namespace ptyle {
namespace {

using test::FitScene;
using test::reader_of;
using test::scene;

constexpr double radius = 4.5, factor = 1.1;  // Å; of the aperture, 1 /Å

FitOptions limited(const ProbeLimitOptions& limits) {
  FitOptions o = test::options(5);
  o.parts.of<ProbeLimitOptions>() = limits;
  return o;
}
const ProbeLimitOptions all_limits{radius, factor, ProbePower::fixed};

using Waves = Array<Complex<double>, 3>;

/// All waves of a fit, those by which the probe varies too.
Waves waves_of(const Fit<double>& fit) {
  const auto here =
      fit.arithmetic().on_host(std::as_const(fit.state().field("probe").waves).view());
  return converted<Complex<double>, Complex<double>, 3>(here.view);
}
Waves fitted(const FitOptions& o, int ranks, int iterations = 3) {
  const auto team = make_local_team(ranks);
  auto fit = scene().fit(o, *team, {scene().mesh(ranks)});
  for (int i = 0; i < iterations; ++i) fit.iterate();
  return waves_of(fit);
}
double apart(const Waves& a, const Waves& b) {
  double most = 0, largest = 0;
  for (i64 i = 0; i < a.size(); ++i) {
    most = std::max(most, std::abs(a.data()[i] - b.data()[i]));
    largest = std::max(largest, std::abs(b.data()[i]));
  }
  return most / largest;
}

/// The fractions of the power beyond the radius, and beyond the aperture.
std::array<double, 2> beyond(const Waves& waves) {
  const i64 w = FitScene::window;
  const Fft2<double> fft(w, w, FftRigor::estimate);
  double all = 0, outside = 0, high = 0;
  Array<Complex<double>, 2> spectrum({w, w});
  for (i64 m = 0; m < waves.shape()[0]; ++m) {
    fft.forward(waves.view()[m].data, spectrum.data());
    for (i64 y = 0; y < w; ++y)
      for (i64 x = 0; x < w; ++x) {
        const double here = std::norm(waves(m, y, x));
        all += here;
        if (FitScene::pixel * std::hypot(y - w / 2, x - w / 2) > radius) outside += here;
        const double k = std::hypot(frequency_index(y, w), frequency_index(x, w)) /
                         (double(w) * FitScene::pixel);
        if (k > factor) high += std::norm(spectrum(y, x)) / double(w * w);
      }
  }
  return {outside / all, high / all};
}

TEST(ProbeLimits, TakeAwayWhatLiesBeyondAndNothingElse) {
  const i64 w = 15;
  Waves given({2, w, w});
  Philox random(3, 0, 0);
  for (auto& v : given) v = {random.uniform() - 0.5, random.uniform() - 0.5};
  Waves waves = converted<Complex<double>, Complex<double>, 3>(given.view());
  limit_to_support<double>(waves, 0.2, 0.9);
  for (i64 m = 0; m < 2; ++m)
    for (i64 y = 0; y < w; ++y)
      for (i64 x = 0; x < w; ++x)
        EXPECT_EQ(waves(m, y, x),
                  std::hypot(y - 7, x - 7) <= 4.5 ? given(m, y, x) : Complex<double>(0));
  const std::array<double, 2> centre{0.4, -0.3};
  waves = converted<Complex<double>, Complex<double>, 3>(given.view());
  limit_to_aperture<double>(waves, 0.2, 1.5, centre);  // 4.5 px of 1/3 /Å
  const Fft2<double> fft(w, w, FftRigor::estimate);
  for (i64 m = 0; m < 2; ++m) {
    fft.forward(waves.view()[m].data);
    fft.forward(given.view()[m].data);
    for (i64 y = 0; y < w; ++y)
      for (i64 x = 0; x < w; ++x) {
        const double r = std::hypot(double(frequency_index(y, w)) - centre[0],
                                    double(frequency_index(x, w)) - centre[1]);
        // Values of up to 15, two transforms.
        EXPECT_NEAR(std::abs(waves(m, y, x) - (r <= 4.5 ? given(m, y, x) : 0)), 0, 1e-12);
      }
  }
}

TEST(ProbeLimits, HoldInAFit) {
  const auto free = beyond(fitted(limited({}), 1));
  EXPECT_GT(free[0], 1e-3);
  EXPECT_GT(free[1], 1e-6);
  EXPECT_EQ(beyond(fitted(limited({.support = radius}), 1))[0], 0);
  const auto in_aperture = beyond(fitted(limited({.aperture = factor}), 1));
  EXPECT_LT(in_aperture[1], 1e-28);  // squares of rounding
  // The aperture comes last, and lets out what the support's edge scatters back into it.
  const auto both = beyond(fitted(limited(all_limits), 1));
  EXPECT_LT(both[0], 0.1 * free[0]);
  EXPECT_LT(both[1], 1e-28);
}

TEST(ProbeLimits, KeepThePowerOfTheStart) {
  const double start = power_of<double>(scene().probe());
  const auto now = [](const FitOptions& o) {
    const Waves waves = fitted(o, 1);
    return power_of<double>(waves.view());
  };
  EXPECT_NEAR(now(limited(all_limits)) / start, 1, 1e-12);  // rounding
  EXPECT_GT(std::abs(now(limited({})) / start - 1), 1e-4);
  const test::SeveralModes several;
  EXPECT_NEAR(now(limited({.power = ProbePower::fixed})) / start, 1, 1e-12);
  FitOptions varies = limited({.power = ProbePower::fixed});
  varies.parts.of<VariableProbeOptions>() = {.modes = 1, .start = 1};
  const Waves waves = fitted(varies, 1);
  ASSERT_EQ(waves.shape()[0], 4);
  EXPECT_NEAR(power_of<double>({waves.data(), {3, FitScene::window, FitScene::window}}) / start, 1,
              1e-12);
}

TEST(ProbeLimits, AreTheSameOnAnyNumberOfRanksAndOnAGpu) {
  // Sums over ranks are in another order: some 1e-16 of the largest amplitude each step.
  FitOptions o = limited(all_limits);
  const test::SeveralModes several;
  const Waves alone = fitted(o, 1);
  for (const int ranks : {4, 6}) EXPECT_LT(apart(fitted(o, ranks), alone), 1e-9) << ranks;
  o.exchange_behind = true;
  const Waves behind = fitted(o, 4);
  EXPECT_LT(beyond(behind)[1], 1e-28);
  o.exchange_behind = false;
  for (const int ranks : {1, 4}) {
    const test::OnGpu there(true);
    EXPECT_LT(apart(fitted(o, ranks), alone), test::rounding_of_operators) << ranks;
  }
}

TEST(ProbeLimits, GoOnBitByBit) {
  const FitOptions o = limited(all_limits);
  const auto team = make_local_team();
  auto first = scene().fit(o, *team, {scene().mesh(1)});
  for (int i = 0; i < 2; ++i) first.iterate();
  const auto object = test::stitched(first, scene().object());
  auto second = scene().fit(o, *team, {scene().mesh(1)}, object, waves_of(first));
  second.restore(first.numbers(), reader_of(first));
  first.iterate(), second.iterate();
  EXPECT_EQ(apart(waves_of(second), waves_of(first)), 0);
}

TEST(ProbeLimits, HoldAtTheEndOfAnIterationOfSequentialUpdates) {
  FitOptions o = limited(all_limits);
  o.parts.of<RuleOptions>().rule = RuleChoice::pie;
  o.batches = 1;
  const Waves waves = fitted(o, 1);
  EXPECT_LT(beyond(waves)[1], 1e-28);
  EXPECT_NEAR(power_of<double>(waves.view()) / power_of<double>(scene().probe()), 1, 1e-12);
}

TEST(ProbeLimits, WarnOfAStartThatLiesBeyond) {
  const auto warnings = [](const ProbeLimitOptions& limits) {
    const auto team = make_local_team();
    auto fit = scene().fit(limited(limits), *team, {scene().mesh(1)});
    const auto all = fit.iterate().warnings;
    return std::count_if(all.begin(), all.end(), [](const std::string& line) {
      return line.find("of the probe that the fit starts with") != std::string::npos;
    });
  };
  EXPECT_EQ(warnings(all_limits), 0);
  EXPECT_EQ(warnings({.support = 1}), 1);
  EXPECT_EQ(warnings({.support = 1, .aperture = 0.5}), 2);
}

}  // namespace
}  // namespace ptyle
