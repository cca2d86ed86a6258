#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/random.hpp"
#include "solver/modes.hpp"
#include "solver/shared_fit.hpp"

namespace ptyle {
namespace {

using Value = Complex<double>;

constexpr i64 window = 20;  // not a multiple of what is summed at a time

Array<Complex<double>, 3> random_waves(i64 modes, std::uint64_t seed) {
  Philox random(seed, 0, 0);
  Array<Complex<double>, 3> waves({modes, window, window});
  for (auto& v : waves) v = {random.uniform() - 0.5, random.uniform() - 0.5};
  return waves;
}

/// Σ_m scale_m |Ψ_m|²
Array<double, 2> pattern_of(const Array<Complex<double>, 3>& waves,
                            const std::vector<double>& scale) {
  Array<double, 2> pattern({window, window});
  for (i64 m = 0; m < waves.shape()[0]; ++m)
    for (i64 i = 0; i < pattern.size(); ++i)
      pattern.data()[i] += scale[std::size_t(m)] * std::norm(waves.view()[m].data[i]);
  return pattern;
}

std::vector<double> factors(const Array<Complex<double>, 3>& waves, const Array<double, 2>& pattern,
                            Loss loss, View<const double, 2> valid = {}) {
  ModePowers powers(waves.shape()[0], loss, 0);
  powers.add<double>(waves.view(), pattern.data(), valid);
  return powers.factors();
}

TEST(ModePowers, StayWhereTheyFit) {
  const auto waves = random_waves(4, 1);
  for (const LossFacts& each : losses)
    for (const double factor : factors(waves, pattern_of(waves, {1, 1, 1, 1}), each.loss))
      EXPECT_NEAR(factor, 1, 1e-12);
}

// Repeated, Newton's steps meet the true powers; far from them each only doubles or halves.
TEST(ModePowers, AreFound) {
  const std::vector<double> truth{0.6, 1.3, 7, 0.02};
  for (const LossFacts& each : losses) {
    auto waves = random_waves(4, 2);
    const auto pattern = pattern_of(waves, truth);
    std::vector<double> power(4, 1.0);
    for (int round = 0; round < 30; ++round) {
      const auto factor = factors(waves, pattern, each.loss);
      for (i64 m = 0; m < 4; ++m) {
        EXPECT_GE(factor[std::size_t(m)], 0.5);
        EXPECT_LE(factor[std::size_t(m)], 2);
        power[std::size_t(m)] *= factor[std::size_t(m)];
        for (auto& v : waves.view()[m]) v *= std::sqrt(factor[std::size_t(m)]);
      }
    }
    for (std::size_t m = 0; m < 4; ++m) EXPECT_NEAR(power[m] / truth[m], 1, 1e-6);
  }
}

// s is the derivative, by a mode's power, of the cost that the operator fits.
TEST(ModePowers, SlopeIsTheDerivativeOfTheCost) {
  const auto probe = random_waves(2, 3);
  for (const LossFacts& each : losses) {
    const OperatorSetup setup{.window = window,
                              .modes = 2,
                              .loss = each.loss,
                              .epsilon = 5,
                              .background = 3,
                              .propagator = {}};
    const auto op = make_reference_operator(setup);
    const Array<double, 3> vacuum({1, window, window});
    op->set_object({vacuum.view(), {}});
    const Placement at{0, 0, 0, 0};
    op->set_probe(probe);
    Array<Complex<double>, 3> waves(probe.shape());
    op->forward(at, waves);
    const auto pattern = pattern_of(waves, {0.7, 1.9});
    const Measured<double> measured([&](i64, double* to) {
      std::copy(pattern.begin(), pattern.end(), to);
      std::fill_n(to, 30, 0.0);  // dark pixels, where ε counts
    });
    ModePowers powers(2, each.loss, setup.epsilon, setup.background);
    Array<double, 2> y({window, window});
    measured.load(0, y.data());
    powers.add<double>(waves.view(), y.data(), {});
    for (i64 m = 0; m < 2; ++m) {
      const auto cost = [&](double power) {
        auto changed = converted<Value, Value, 3>(probe.view());
        for (auto& v : changed.view()[m]) v *= std::sqrt(power);
        op->set_probe(changed);
        return op->misfit(std::span(&at, 1), measured).cost;
      };
      constexpr double h = 1e-4;
      const double slope = (cost(1 + h) - cost(1 - h)) / (2 * h);
      // Central differences err by h²/6 of the third derivative, which is of the size of the cost.
      EXPECT_NEAR(powers.sums()[std::size_t(m)] / slope, 1, 1e-6);
    }
  }
}

TEST(ModePowers, KnowNothingOfInvalidPixels) {
  const auto waves = random_waves(2, 4);
  auto pattern = pattern_of(waves, {1.2, 0.8});
  Array<double, 2> valid({window, window});
  for (i64 i = 0; i < valid.size(); ++i) valid.data()[i] = i % 3 == 0 ? 0 : 1;
  const auto clean = factors(waves, pattern, Loss::amplitude, valid);
  for (i64 i = 0; i < valid.size(); i += 3)
    pattern.data()[i] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(factors(waves, pattern, Loss::amplitude, valid), clean);
  for (i64 i = 0; i < valid.size(); i += 3) pattern.data()[i] = -1;  // is not measured
  EXPECT_EQ(factors(waves, pattern, Loss::amplitude), clean);
}

TEST(ModePowers, OfADarkModeStay) {
  auto waves = random_waves(2, 5);
  for (auto& v : waves.view()[1]) v = 0;
  EXPECT_EQ(factors(waves, pattern_of(waves, {1.5, 1}), Loss::amplitude)[1], 1);
}

// Patterns of a coherent probe; object and modes hardly move. Powers at most halve an iteration.
TEST(ModePowers, FadeInAFitThatDoesNotNeedThem) {
  const test::SeveralModes several;
  auto o = test::options(5);
  o.parts.of<RuleOptions>().step = o.probe_step = 1e-9;
  auto fit = test::scene().fit(o, true);
  for (int i = 0; i < 12; ++i) fit.iterate();
  std::vector<double> power(3);
  for (i64 m = 0; m < 3; ++m)
    for (const auto& v : fit.probe()[m]) power[std::size_t(m)] += std::norm(v);
  EXPECT_NEAR(power[0], 1, 1e-3);
  EXPECT_NEAR(power[1] / (0.2 / 4096), 1, 0.1);
  EXPECT_NEAR(power[2] / (0.1 / 4096), 1, 0.1);
}

// The last patterns that an iteration asks for: of all 25 every fourth one.
TEST(ModePowers, AreFittedToPatternsAllOverTheScan) {
  const test::SeveralModes several;
  auto o = test::options(1);
  o.parts.of<RuleOptions>().step = 0.1;
  std::vector<i64> asked;
  test::scene().when_loaded = [&](i64 i) { asked.push_back(i); };
  test::scene().fit(o).iterate();
  test::scene().when_loaded = {};
  ASSERT_EQ(asked.size(), 25u + 7u);
  EXPECT_EQ(std::vector<i64>(asked.end() - 7, asked.end()),
            (std::vector<i64>{0, 4, 8, 12, 16, 20, 24}));
}

}  // namespace
}  // namespace ptyle
