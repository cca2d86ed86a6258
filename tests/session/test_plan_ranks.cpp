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

}  // namespace
}  // namespace ptyle
