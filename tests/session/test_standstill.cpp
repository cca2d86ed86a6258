// When a run ends by solver.until: the criterion by itself, and runs that end by it.

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.hpp"
#include "exchange/local/team.hpp"
#include "io/temporary_folder.hpp"
#include "session/memory_scan.hpp"
#include "session/reconstruct.hpp"
#include "session/standstill.hpp"

namespace ptyle {
namespace {

using testing::memory_scan;
using testing::says;
using testing::TemporaryFolder;

constexpr Until two_percent{0.02, 2};

History of_fit(std::vector<double> r) { return {std::move(r), {}, {}, {}, {}, {}}; }

TEST(Standstill, FallsFromTheLeastBeforeToTheLeastOfTheLast) {
  const Standstill now = standstill_of(of_fit({0.4, 0.2, 0.25, 0.15, 0.18}), 1, two_percent);
  ASSERT_TRUE(now.fall);
  EXPECT_DOUBLE_EQ(*now.fall, 1 - 0.15 / 0.2);
  EXPECT_FALSE(now.reached());
  EXPECT_EQ(now.of, "R");
}

TEST(Standstill, IsReachedBelowTheShareAndNotAtIt) {
  // Powers of two: 1 − 0.75/1 is 0.25 without rounding.
  EXPECT_FALSE(standstill_of(of_fit({1, 0.875, 0.75}), 1, {0.25, 2}).reached());
  EXPECT_TRUE(standstill_of(of_fit({1, 0.875, 0.75}), 1, {0.2500001, 2}).reached());
  EXPECT_TRUE(standstill_of(of_fit({0.5, 0.6, 0.7}), 1, two_percent).reached()) << "R rises";
  EXPECT_TRUE(standstill_of(of_fit({0, 0, 0}), 1, two_percent).reached()) << "nothing is left";
  EXPECT_FALSE(standstill_of(of_fit({1, 1, 1, 1}), 1, {0, 2}).reached()) << "not asked for";
}

TEST(Standstill, NeedsOneIterationMoreThanItLooksBack) {
  EXPECT_FALSE(standstill_of(of_fit({1, 1}), 1, two_percent).fall);
  EXPECT_TRUE(standstill_of(of_fit({1, 1, 1}), 1, two_percent).reached());
}

TEST(Standstill, CountsOnlyOnceEverythingMoves) {
  // Something is freed in the third iteration: R rises, and is above what it was before.
  const std::vector<double> r{0.2, 0.2, 0.5, 0.4, 0.3};
  EXPECT_TRUE(standstill_of(of_fit(r), 1, two_percent).reached());
  EXPECT_FALSE(standstill_of(of_fit({r.begin(), r.end() - 1}), 3, two_percent).fall);
  const Standstill now = standstill_of(of_fit(r), 3, two_percent);
  ASSERT_TRUE(now.fall);
  EXPECT_DOUBLE_EQ(*now.fall, 1 - 0.3 / 0.5);
}

TEST(Standstill, LooksAtHeldOutPixelsThenPatternsThenTheFit) {
  const std::vector<double> falls{1, 0.5, 0.2}, rises{0.1, 0.2, 0.3};
  EXPECT_FALSE(standstill_of({falls, {}, {}, {}, {}, {}}, 1, two_percent).reached());
  const Standstill patterns = standstill_of({falls, {}, {}, rises, {}, {}}, 1, two_percent);
  EXPECT_TRUE(patterns.reached());
  EXPECT_EQ(patterns.of, "held-out R");
  const Standstill pixels = standstill_of({falls, {}, {}, rises, falls, {}}, 1, two_percent);
  EXPECT_FALSE(pixels.reached());
  EXPECT_EQ(pixels.of, "held-out pixels R");
}

TEST(Standstill, SaysWhatIsWaitedForAndWhyTheRunEnded) {
  EXPECT_EQ(describe(standstill_of(of_fit({1, 1}), 1, {0.005, 5})),
            "until R falls < 0.5 % in 5: too early");
  const Standstill waits = standstill_of(of_fit({1, 0.9, 0.5}), 1, two_percent);
  EXPECT_EQ(describe(waits), "until R falls < 2 % in 2: 50 %");
  EXPECT_EQ(reason_of_end(waits, 3),
            "ended after 3 iterations, the limit (solver.iterations), before solver.until: R fell "
            "by 50 % in the last 2");
  EXPECT_EQ(reason_of_end(standstill_of(of_fit({1, 0.995, 0.99}), 1, two_percent), 3),
            "ended after 3 iterations: R fell by 1 % in the last 2, less than 2 % (solver.until)");
  EXPECT_EQ(reason_of_end({}, 20), "ended after 20 iterations, the limit (solver.iterations)");
  EXPECT_EQ(reason_of_end(standstill_of(of_fit({1}), 1, two_percent), 1),
            "ended after 1 iteration, the limit (solver.iterations), too early for solver.until to "
            "judge R");
}

// ---------------------------------------------------------------------------------- whole runs

/// Everything free from the third iteration on, when the probe begins to be refined.
ReconstructConfig ending_early() {
  ReconstructConfig config = memory_scan().config();
  config.solver.iterations = 60;
  config.solver.continuation = Switch::off;
  config.solver.hold_out = 0.1;
  config.solver.until = 0.2;
  config.solver.until_over = 2;
  config.probe.refine_from = 3;
  return config;
}

Result run_to_its_end(const ReconstructConfig& config, int ranks,
                      const ReconstructCallbacks& callbacks = {}) {
  const auto team = make_local_team(ranks);
  Reconstruction run(config, memory_scan().patterns(), *team, callbacks);
  while (!run.finished()) run.step();
  return run.result();
}

TEST(Until, EndsARunWhereItSaysThatItWould) {
  std::vector<std::string> said;
  std::vector<Progress> progress;
  ReconstructCallbacks callbacks;
  callbacks.log = [&](const std::string& line) { said.push_back(line); };
  callbacks.progress = [&](const Progress& now) { progress.push_back(now); };
  const Result result = run_to_its_end(ending_early(), 1, callbacks);
  const auto& r = result.history.r_held_out;
  const auto done = r.size();
  ASSERT_LT(done, 60U);
  ASSERT_GE(done, 5U) << "three that count: the third to the fifth";
  // All before did not end it, by the definition in standstill.hpp, written out once more.
  for (std::size_t n = 5; n <= done; ++n) {
    double before = INFINITY;
    for (std::size_t i = 2; i < n - 2; ++i) before = std::min(before, r[i]);
    const double fall = 1 - std::min(r[n - 2], r[n - 1]) / before;
    EXPECT_EQ(fall < 0.2, n == done) << n;
    EXPECT_DOUBLE_EQ(progress[n - 1].standstill.fall.value(), fall);
  }
  EXPECT_FALSE(progress[3].standstill.fall) << "too early";
  EXPECT_TRUE(says(result.ended, {"held-out R ", " 20 % (solver.until)"}));
  EXPECT_EQ(said.back(), result.ended);
}

TEST(Until, IsTheSameOnFourRanks) {
  ReconstructConfig config = ending_early();
  config.solver.precision = Precision::float64;
  const Result one = run_to_its_end(config, 1), four = run_to_its_end(config, 4);
  EXPECT_EQ(one.history.cost.size(), four.history.cost.size());
  EXPECT_LT(one.history.cost.size(), 60U);
}

TEST(Until, DoesNotEndTheMultiResolutionScheduleEarly) {
  ReconstructConfig config = ending_early();
  config.solver.continuation = Switch::on;
  config.solver.until = 1;  // at once, once it counts: R never falls by all of itself
  std::vector<Progress> progress;
  ReconstructCallbacks callbacks;
  callbacks.progress = [&](const Progress& now) { progress.push_back(now); };
  run_to_its_end(config, 1, callbacks);
  // The first iteration with everything free, and two more.
  ASSERT_GE(progress.size(), 4U);
  EXPECT_FALSE(progress[progress.size() - 4].stage.empty());
  EXPECT_TRUE(progress[progress.size() - 3].stage.empty());
}

class UntilOnRanks : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(OneAndFour, UntilOnRanks, ::testing::Values(1, 4));

TEST_P(UntilOnRanks, EndsAResumedRunAtTheSameIteration) {
  const TemporaryFolder folder;
  const Result whole = run_to_its_end(ending_early(), GetParam());
  // One stopped while something still waits, and one after that.
  for (const int stop : {1, 4}) {
    ReconstructConfig config = ending_early();
    config.output.folder = folder / std::to_string(stop);
    {
      const auto team = make_local_team(GetParam());
      Reconstruction run(config, memory_scan().patterns(), *team);
      for (int i = 0; i < stop; ++i) run.step();
      run.save(config.output.folder);
    }
    config.output.resume = true;
    const Result resumed = run_to_its_end(config, GetParam());
    EXPECT_EQ(resumed.history.r_held_out, whole.history.r_held_out);
    EXPECT_EQ(resumed.history.passes, whole.history.passes);
    EXPECT_EQ(resumed.ended, whole.ended);
  }
}

TEST_P(UntilOnRanks, LetsAFinishedRunGoOnOnceItAsksForMore) {
  const TemporaryFolder folder;
  ReconstructConfig config = ending_early();
  config.output.folder = folder / "ended";
  std::size_t ended_after = 0;
  {
    const auto team = make_local_team(GetParam());
    Reconstruction run(config, memory_scan().patterns(), *team);
    while (!run.finished()) run.step();
    ended_after = run.history().cost.size();
    run.save(config.output.folder);
  }
  config.output.resume = true;
  EXPECT_EQ(run_to_its_end(config, GetParam()).history.cost.size(), ended_after);
  config.solver.until = 0;
  config.solver.iterations = static_cast<int>(ended_after) + 2;
  const Result result = run_to_its_end(config, GetParam());
  EXPECT_EQ(result.history.cost.size(), ended_after + 2);
  EXPECT_TRUE(says(result.ended, {"the limit (solver.iterations)"}));
}

}  // namespace
}  // namespace ptyle
