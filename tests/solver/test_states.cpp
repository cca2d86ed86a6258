// Objects of several states, found by fits of a simulated set.

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>

#include "io/temporary_folder.hpp"
#include "solver/on_gpu.hpp"
#include "solver/penalties/quadratic.hpp"
#include "solver/regularisers/blur.hpp"
#include "solver/rules/rule_options.hpp"
#include "solver/shared_fit.hpp"
#include "solver/states.hpp"
#include "solver/variables/geometry_options.hpp"
#include "solver/variables/position_options.hpp"
#include "solver/variables/recentre.hpp"
#include "solver/variables/variable_probe_options.hpp"

namespace ptyle {
namespace {

using test::end_of_fit;
using test::EndOfFit;
using test::FitScene;
using test::reader_of;

const std::vector<double> shares{0.6, 0.4};

FitOptions options_of(int states) {
  FitOptions o;
  o.batches = 5;
  o.probe_from = 0;
  o.verify = true;
  o.parts.of<StatesOptions>() = {states, states == 2 ? shares : std::vector<double>()};
  return o;
}

/// Σ over slices and states by their shares.
Array<double, 2> mean(View<const double, 3> planes) {
  Array<double, 2> sum({planes.shape[1], planes.shape[2]});
  const auto states = planes.shape[0] / FitScene::slices;
  for (i64 z = 0; z < planes.shape[0]; ++z)
    for (i64 i = 0; i < sum.size(); ++i)
      sum.data()[i] += (states == 1 ? 1 : shares[static_cast<std::size_t>(z / FitScene::slices)]) *
                       planes[z].data[i];
  return sum;
}

/// r.m.s. of what two means differ by, but for a constant, where the scan is.
double error(View<const double, 3> object, View<const double, 3> truth) {
  const Array<double, 2> a = mean(object), b = mean(truth);
  const i64 n = a.shape()[0], rim = FitScene::window / 2;
  double sum = 0, squares = 0, count = 0;
  for (i64 y = rim; y < n - rim; ++y)
    for (i64 x = rim; x < n - rim; ++x) {
      const double off = a(y, x) - b(y, x);
      sum += off, squares += off * off, count += 1;
    }
  return std::sqrt(squares / count - std::pow(sum / count, 2));
}

/// 25 patterns do not tell each slice of each state, but their mean. Half is of a cost that still
/// falls, and which one object cannot lower.
TEST(States, ExplainWhatOneObjectCannot) {
  const FitScene scene(0, {.states = shares});
  const EndOfFit one = end_of_fit(scene, options_of(1), 60),
                 two = end_of_fit(scene, options_of(2), 60);
  EXPECT_LT(two.cost, 0.5 * one.cost);  // it still falls
  EXPECT_LT(error(two.object.view(), scene.truth()), 0.7 * error(one.object.view(), scene.truth()));
}

TEST(States, AreTheSameOnAnyNumberOfRanks) {
  const FitScene scene(0, {.states = shares});
  auto options = options_of(2);
  options.probe_from = 2;
  options.parts.of<PenaltyOptions>().lateral = 1;
  options.parts.of<PenaltyOptions>().along_z = 1;
  for (const auto rule : {RuleChoice::descent, RuleChoice::momentum, RuleChoice::lbfgs}) {
    options.parts.of<RuleOptions>().rule = rule;
    options.batches = rule == RuleChoice::lbfgs ? 1 : 5;
    const EndOfFit alone = end_of_fit(scene, options, 4);
    for (const int ranks : {2, 4, 9}) {
      const EndOfFit together = end_of_fit(scene, options, 4, ranks);
      EXPECT_LT(test::apart(together.object, alone.object), 1000 * test::rounding_of_operators)
          << int(rule) << " on " << ranks;
    }
  }
}

/// Slices are blurred and penalised within their state alone: one whose states are alike, and stay
/// so, is an object without. So it is where ranks take steps of their own between sums.
TEST(States, KeepTheirSlicesApart) {
  const FitScene scene;
  auto one = options_of(1), two = options_of(2);
  for (FitOptions* o : {&one, &two}) {
    o->parts.of<BlurOptions>().along_z = 0.5;
    o->parts.of<RuleOptions>().rule = RuleChoice::descent;
    o->parts.of<RuleOptions>().step = 0.1;  // else it is estimated, per state
    o->continuation = test::coarse_to_fine();
  }
  one.parts.of<PenaltyOptions>().along_z = 10;
  two.parts.of<PenaltyOptions>().along_z = 5;  // of each, which has half of the data
  two.parts.of<StatesOptions>().occupancy = {};
  const auto team = make_local_team();
  auto fit = scene.fit(one, *team, {scene.mesh(1)}, scene.vacuum(), scene.probe());
  auto both = scene.fit(two, *team, {scene.mesh(1)},
                        Array<double, 3>({2 * FitScene::slices, scene.object().rows.size(),
                                          scene.object().cols.size()}),
                        scene.probe());
  for (int i = 0; i < 3; ++i) fit.iterate(), both.iterate();
  const auto alone = test::stitched(fit, scene.object()),
             pair = test::stitched(both, scene.object());
  double most = 0, apart = 0;
  for (i64 i = 0; i < alone.size(); ++i) {
    most = std::max(most, std::abs(alone.data()[i]));
    for (const i64 state : {0, 1})
      apart = std::max(apart, std::abs(pair.data()[state * alone.size() + i] - alone.data()[i]));
  }
  EXPECT_GT(most, 0.01);
  EXPECT_LT(apart, 1e-9 * most);
}

/// In the paper's schemes too, where ranks take steps of their own between sums: states that start
/// alike stay alike, and move.
TEST(States, MoveAllWhereRanksStepBetweenSums) {
  for (const bool behind : {false, true}) {
    auto options = options_of(2);
    options.parts.of<StatesOptions>().occupancy = {};
    options.parts.of<RuleOptions>().rule = RuleChoice::descent;
    options.exchange_behind = behind;
    options.local_positions = behind ? 0 : 2;
    options.verify = false;  // copies differ
    const FitScene& scene = test::scene();
    const auto team = make_local_team(2);
    auto fit = scene.fit(options, *team, {scene.mesh(2)},
                         Array<double, 3>({2 * FitScene::slices, scene.object().rows.size(),
                                           scene.object().cols.size()}),
                         scene.probe());
    for (int i = 0; i < 2; ++i) fit.iterate();
    const auto pair = test::stitched(fit, scene.object());
    double most = 0, apart = 0;
    for (i64 i = 0; i < pair.size() / 2; ++i) {
      most = std::max(most, std::abs(pair.data()[i]));
      apart = std::max(apart, std::abs(pair.data()[i] - pair.data()[pair.size() / 2 + i]));
    }
    EXPECT_GT(most, 0.01);
    EXPECT_LT(apart, 1e-9 * most) << behind;
  }
}

/// The gradient by the propagator is that of all states, and positions move with them.
TEST(States, GoWithPositionsAndGeometry) {
  const FitScene scene(0, {.thickness = 11, .states = shares});
  auto options = options_of(2);
  auto& geometry = options.parts.of<GeometryOptions>();
  geometry.refine = {"defocus", "thickness"};
  geometry.wavelength = FitScene::wavelength;
  geometry.given.C10 = -80;
  geometry.slice_thickness = 10;
  options.parts.of<PositionOptions>() = {.refine = Switch::on, .start = 2, .largest_move = 1};
  const EndOfFit alone = end_of_fit(scene, options, 5), together = end_of_fit(scene, options, 5, 4);
  EXPECT_NE(alone.numbers.at("geometry.thickness"), 0);
  // As test_geometry's, whose numbers are quotients of sums.
  EXPECT_NEAR(together.numbers.at("geometry.thickness"), alone.numbers.at("geometry.thickness"),
              1e-7);
  EXPECT_LT(test::apart(together.object, alone.object), 1e-6);
}

TEST(States, OnAnEmulatedGpuAreThoseOfTheHost) {
  const FitScene scene(0, {.states = shares});
  auto options = options_of(2);
  options.probe_from = 2;
  const EndOfFit host = end_of_fit(scene, options, 3);
  const test::OnGpu gpu(true, {.guarded = true, .order = emulated::Order::as_needed}, scene);
  const EndOfFit there = end_of_fit(scene, options, 3);
  EXPECT_LT(test::apart(there.object, host.object), 100 * test::rounding_of_operators);
}

/// Modes of the probe are balanced over all states.
TEST(States, SeeAllModesOfTheProbe) {
  const FitScene scene(0, {.states = shares});
  scene.shares = {0.7, 0.3};
  auto options = options_of(2);
  options.probe_from = 1;
  const auto team = make_local_team();
  auto fit = scene.fit(options, *team, {scene.mesh(1)});
  for (int i = 0; i < 20; ++i) fit.iterate();
  ASSERT_EQ(fit.probe().shape[0], 2);
  double powers[2] = {};
  for (const int m : {0, 1})
    for (const auto& v : fit.probe()[m]) powers[m] += std::norm(v);
  EXPECT_LT(powers[1], 0.9 * (0.3 / 0.7) * powers[0]);  // the patterns are of one mode
}

TEST(States, GoOnAsIfNothingHadBeen) {
  const FitScene scene(0, {.states = shares});
  const auto options = options_of(2);
  test::expect_goes_on(scene, options, 2, 4);
}

TEST(States, SharesAreOneTogether) {
  EXPECT_TRUE(StatesOptions{}.shares().empty());
  EXPECT_EQ((StatesOptions{4, {}}.shares()), (std::vector<double>{0.25, 0.25, 0.25, 0.25}));
  EXPECT_EQ((StatesOptions{2, {3, 1}}.shares()), (std::vector<double>{0.75, 0.25}));
  EXPECT_FALSE(fault_of_occupancy({2, {3, 1}}));
  EXPECT_TRUE(fault_of_occupancy({3, {3, 1}}));
  EXPECT_TRUE(fault_of_occupancy({2, {1, 0}}));
  EXPECT_TRUE(fault_of_occupancy({1, {1, 1}}));
  EXPECT_TRUE(fault_of_occupancy({2, {1e308, 1e308}}));
  EXPECT_TRUE(fault_of_occupancy({2, {1, 1e-9}}));
}

std::string refusal(const FitOptions& options) {
  return testing::message_of<UserError>([&] {
    const FitScene scene(0, {.states = shares});
    const auto team = make_local_team();
    (void)scene.fit(options, *team, {scene.mesh(1)});
  });
}

TEST(States, AreRefusedWhereOneIsLookedAt) {
  auto options = options_of(2);
  options.parts.of<RecentreOptions>().every = 1;
  EXPECT_TRUE(testing::says(refusal(options), {"object.recentre_z", "object.states"}));
  options = options_of(2);
  options.parts.of<VariableProbeOptions>().modes = 1;
  options.probe_from = 2;
  EXPECT_TRUE(testing::says(refusal(options), {"probe.variable", "object.states"}));
  options = options_of(2);
  options.parts.of<RuleOptions>().preconditioner = PreconditionerChoice::transfer;
  EXPECT_TRUE(testing::says(refusal(options), {"solver.preconditioner", "object.states"}));
  options = options_of(2);
  options.parts.of<RuleOptions>().rule = RuleChoice::pie;
  options.batches = 1;
  EXPECT_TRUE(testing::says(refusal(options), {"solver.rule", "object.states"}));
}

}  // namespace
}  // namespace ptyle
