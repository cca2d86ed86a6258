// Plans say which exchanges can run: each as a run that asks for it.

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>
#include <string>

#include "core/error.hpp"
#include "exchange/local/team.hpp"
#include "session/memory_scan.hpp"
#include "session/open_experiment.hpp"
#include "session/plan_ranks.hpp"
#include "solver/penalties/quadratic.hpp"

namespace ptyle {
namespace {

using testing::memory_scan;
using testing::MemoryScan;

/// Two slices and counts, so that a penalty smooths by itself; 36 positions, too few to be refined
/// unasked.
ExchangeOutlook outlook(const ReconstructConfig& config, Scheme scheme) {
  const auto patterns = memory_scan().patterns();
  const auto experiment = open_experiment(config.data, config.calibration, config.scan,
                                          config.optics, nullptr, nullptr, &patterns);
  const RanksOutlook plan = plan_ranks(config, experiment, 4, 1, 1e-3);
  EXPECT_EQ(plan.refused, "");
  const auto at = std::find_if(plan.exchanges.begin(), plan.exchanges.end(),
                               [&](const ExchangeOutlook& one) { return one.scheme == scheme; });
  if (at == plan.exchanges.end()) throw std::runtime_error("the plan has not all exchanges");
  return *at;
}

bool runs(ReconstructConfig config, Scheme scheme) {
  config.ranks.exchange = scheme;
  const auto team = make_local_team(4);
  try {
    Reconstruction(config, memory_scan().patterns(), *team).step();
    return true;
  } catch (const UserError&) {
    return false;
  }
}

TEST(PlanRanks, ExchangesRunWhereRunsDo) {
  ReconstructConfig by_itself = memory_scan().config(), refined = by_itself, smoothed = by_itself;
  by_itself.ranks.halo = "1.2";  // 6 px, so that all can
  refined.parts.of<PositionOptions>().refine = Switch::on;
  smoothed.parts.of<PenaltyOptions>().lateral = 5;
  int refused = 0;
  for (const auto& config : {by_itself, refined, smoothed})
    for (const Scheme scheme : all_schemes) {
      const std::string why = outlook(config, scheme).refused;
      EXPECT_EQ(why.empty(), runs(config, scheme)) << name_of(scheme) << ": " << why;
      refused += why.empty() ? 0 : 1;
    }
  EXPECT_GE(refused, 8);  // voxels, with refined positions and with a penalty
  for (const Scheme scheme : {Scheme::voxel_average, Scheme::none})
    EXPECT_EQ(outlook(by_itself, scheme).refused, "") << name_of(scheme);
  EXPECT_GT(outlook(by_itself, Scheme::voxel_average).bytes, 0);
  EXPECT_NE(outlook(refined, Scheme::none).refused.find("ranks.update"), std::string::npos);
  EXPECT_NE(outlook(smoothed, Scheme::none).refused.find("penalty.lateral"), std::string::npos);
}

Experiment the_experiment(const ReconstructConfig& config) {
  const auto patterns = memory_scan().patterns();
  return open_experiment(config.data, config.calibration, config.scan, config.optics, nullptr,
                         nullptr, &patterns);
}

/// A mini-batch waits for its busiest rank; dealt for 18 ranks, of 2 positions each, those of 2
/// mini-batches have one of each rank.
TEST(PlanRanks, ComputingIsThatOfTheBusiestRanks) {
  ReconstructConfig config = memory_scan().config();
  config.parts.of<RuleOptions>().step = 1;  // nothing is estimated
  config.solver.batches = 2;
  const Experiment experiment = the_experiment(config);
  const RanksOutlook dealt = plan_ranks(config, experiment, 18, 1, 1e-3);
  ASSERT_EQ(dealt.refused, "");
  EXPECT_EQ(dealt.division.of, 18);
  EXPECT_EQ(dealt.most, 2);
  EXPECT_EQ(dealt.load.busiest, 2);
  EXPECT_DOUBLE_EQ(dealt.load.share(), 1);
  EXPECT_DOUBLE_EQ(dealt.computing, 2e-3);
  config.ranks.of = 1;
  const RanksOutlook not_dealt = plan_ranks(config, experiment, 18, 1, 1e-3);
  EXPECT_GT(not_dealt.load.busiest, 2);
  EXPECT_DOUBLE_EQ(not_dealt.computing, 1e-3 * double(not_dealt.load.busiest));
  config.solver.batches = 0;
  config.ranks.of = 0;
  EXPECT_EQ(plan_ranks(config, experiment, 18, 1, 1e-3).batches, 2);
  EXPECT_EQ(plan_ranks(config, experiment, 4, 1, 1e-3).batches, 3);  // of 10 positions and more
  config.parts.of<RuleOptions>().rule = RuleChoice::lbfgs;
  EXPECT_EQ(plan_ranks(config, experiment, 4, 1, 1e-3).batches, 1);
}

/// A rule's memory is planned, on the cores of the largest tile.
TEST(PlanRanks, HasWhatARuleRemembers) {
  ReconstructConfig config = memory_scan().config();
  config.solver.batches = 0;
  config.parts.of<RuleOptions>().rule = RuleChoice::lbfgs;
  const Experiment experiment = the_experiment(config);
  const double of_8 = plan_ranks(config, experiment, 4, 1, 1e-3).memory.bytes.at("l-bfgs");
  config.parts.of<RuleOptions>().lbfgs_memory = 17;
  const double of_17 = plan_ranks(config, experiment, 4, 1, 1e-3).memory.bytes.at("l-bfgs");
  EXPECT_GT(of_8, 0);
  EXPECT_DOUBLE_EQ(of_17 / of_8, (2 * 18 + 1) / (2 * 9 + 1.0));
}

/// What mini-batches are dealt by is a matter of ranks.of and the scan alone.
TEST(PlanRanks, GroupsDependOnTheRanksThatTheyAreDealtForAlone) {
  ReconstructConfig config = memory_scan().config();
  const Experiment experiment = the_experiment(config);
  const auto division = [&](int ranks) {
    return divide(config, experiment.positions, MemoryScan::window, experiment.calibration.pixel,
                  ranks);
  };
  for (const int ranks : {1, 2, 16}) {
    EXPECT_EQ(division(ranks).of, 1);
    EXPECT_EQ(division(ranks).group_of, nullptr);
  }
  const Division eighteen = division(18);
  EXPECT_EQ(eighteen.of, 18);
  for (std::size_t rank = 0; rank < 18; ++rank)
    for (const i64 i : eighteen.shares[rank].own)
      EXPECT_EQ((*eighteen.group_of)[static_cast<std::size_t>(i)], int(rank));
  config.ranks.of = 18;
  config.ranks.halo = "1.2";
  config.parts.of<PositionOptions>().refine = Switch::on;
  EXPECT_EQ(*division(1).group_of, *eighteen.group_of);
  config.ranks.mesh = {3, 2};
  EXPECT_EQ(*division(6).group_of, *eighteen.group_of);
  config.ranks.of = 37;
  EXPECT_THROW(division(6), UserError);
}

RanksOutlook plan(const ReconstructConfig& config, int ranks) {
  return plan_ranks(config, the_experiment(config), ranks, 1, 1e-3);
}

/// As many slices as make chunks worth while, and messages that take about as long as they wait.
ReconstructConfig many_slices() {
  ReconstructConfig config = memory_scan().config();
  config.object.slices = 60;
  config.object.slice_thickness = 0.1;
  config.ranks.bandwidth = 1;
  config.ranks.of = 1;
  config.probe.modes = 2;
  return config;
}

/// Whichever is chosen: chunks that suit one would make another many times as slow.
TEST(PlanRanks, EachExchangeHasItsOwnChunks) {
  ReconstructConfig config = many_slices();
  const RanksOutlook chosen = plan(config, 36);
  const Sharing& sharing = chosen.division.sharing;
  ASSERT_EQ(sharing.scheme, Scheme::owner);
  int compared = 0;
  for (const ExchangeOutlook& one : chosen.exchanges) {
    const auto kind = sum_kind(one.scheme);
    if (!kind || !one.refused.empty()) continue;
    SCOPED_TRACE(name_of(one.scheme));
    const i64 planes = exchanged_planes(60, config.object.absorbs());
    const auto of = [&](i64 chunk, i64 in_flight) {
      return cost_of_sum(sharing.mesh, *kind, planes, 4, network_of(config.ranks), chunk, in_flight)
          .seconds;
    };
    EXPECT_EQ(one.seconds, of(0, 0));
    if (one.scheme == Scheme::pipelined) {
      EXPECT_LT(one.seconds, 0.9 * of(sharing.chunk, sharing.in_flight));
    }
    config.ranks.exchange = one.scheme;
    EXPECT_EQ(plan(config, 36).exchanging, 5 * one.seconds);  // of 5 mini-batches
    ++compared;
  }
  EXPECT_GE(compared, 4);
}

TEST(PlanRanks, CountsTheSumOfTheProbesGradientWhereItIsRefined) {
  ReconstructConfig config = many_slices();
  constexpr double bytes = 2 * 32 * 32 * 8;  // modes of complex floats
  EXPECT_EQ(plan(config, 9).summing_probe,
            5 * seconds_of_reduction(9, bytes, network_of(config.ranks)));
  EXPECT_EQ(plan(config, 1).summing_probe, 0);
  config.probe.refine_from = 0;
  EXPECT_EQ(plan(config, 9).summing_probe, 0);
}

TEST(PlanRanks, CountsTheNeighboursRowsOfVoxelExchanges) {
  ReconstructConfig config = memory_scan().config();
  config.ranks.halo = "1.2";
  const auto positions = [&](Scheme scheme) { return outlook(config, scheme).positions; };
  EXPECT_EQ(positions(Scheme::owner), 9);  // of 6 x 6 on 2 x 2 tiles
  config.ranks.extra_rows = 1;
  EXPECT_EQ(positions(Scheme::voxel_average), 16);
  config.ranks.exchange = Scheme::voxel_average;
  EXPECT_EQ(plan(config, 4).most, 16);
}

TEST(PlanRanks, CountsOneExchangeAnIterationAtItsEnd) {
  ReconstructConfig config = memory_scan().config();
  config.ranks.halo = "1.2";
  config.ranks.exchange = Scheme::voxel_average;
  config.solver.batches = 5;
  const double after_each = plan(config, 4).exchanging;
  config.ranks.exchange_at_end = true;
  EXPECT_GT(after_each, 0);
  EXPECT_DOUBLE_EQ(5 * plan(config, 4).exchanging, after_each);
}

TEST(PlanRanks, OfManyNumbersOfRanksAreThoseOfEach) {
  for (const Switch refine : {Switch::off, Switch::on}) {
    ReconstructConfig config = memory_scan().config();
    config.parts.of<PositionOptions>().refine = refine;
    const auto patterns = memory_scan().patterns();
    const auto experiment = open_experiment(config.data, config.calibration, config.scan,
                                            config.optics, nullptr, nullptr, &patterns);
    ScanToPlan scan(experiment);
    for (const int ranks : {4, 1, 6, 37, 4}) {
      const RanksOutlook together = plan_ranks(config, scan, ranks, 1, 1e-3),
                         alone = plan(config, ranks);
      EXPECT_EQ(together.refused, alone.refused);
      EXPECT_EQ(together.memory.total(), alone.memory.total());
      EXPECT_EQ(together.exchanging, alone.exchanging);
      ASSERT_EQ(together.exchanges.size(), alone.exchanges.size());
      for (std::size_t i = 0; i < alone.exchanges.size(); ++i) {
        EXPECT_EQ(together.exchanges[i].refused, alone.exchanges[i].refused);
        EXPECT_EQ(together.exchanges[i].seconds, alone.exchanges[i].seconds);
      }
    }
  }
}

}  // namespace
}  // namespace ptyle
