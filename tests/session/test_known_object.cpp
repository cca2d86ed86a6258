// Knowledge of the object that configurations have beforehand: empty regions, slices beyond the
// specimen, and that it is to be centred along the beam.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "exchange/local/team.hpp"
#include "io/temporary_folder.hpp"
#include "session/memory_scan.hpp"
#include "session/reconstruct.hpp"
#include "solver/vacuum.hpp"
#include "solver/variables/probe_limits.hpp"
#include "solver/variables/recentre.hpp"

namespace ptyle {
namespace {

using testing::memory_scan;
using testing::says;
using testing::TemporaryFolder;

ReconstructConfig config_of(int slices) {
  ReconstructConfig config = memory_scan().config();
  config.object.slices = slices;
  config.solver.precision = Precision::float64;
  config.solver.continuation = Switch::off;
  return config;
}

struct Fitted {
  Result result;
  std::vector<std::string> warnings;
};
Fitted run(const ReconstructConfig& config, int ranks = 1) {
  Fitted all;
  ReconstructCallbacks callbacks;
  callbacks.warn = [&](const std::string& line) { all.warnings.push_back(line); };
  const auto team = make_local_team(ranks);
  Reconstruction one(config, memory_scan().patterns(), *team, callbacks);
  while (!one.finished()) one.step();
  all.result = one.result();
  return all;
}

double apart(const Array<float, 3>& a, const Array<float, 3>& b) {
  double most = 0;
  for (i64 i = 0; i < a.size(); ++i)
    most = std::max(most, std::abs(double(a.data()[i]) - double(b.data()[i])));
  return most;
}

/// Σ φ² of each slice.
std::vector<double> weights_of(const Result& r) {
  std::vector<double> all;
  for (i64 s = 0; s < r.phase.shape()[0]; ++s)
    all.push_back(std::accumulate(r.phase.view()[s].begin(), r.phase.view()[s].end(), 0.0,
                                  [](double sum, float v) { return sum + double(v) * double(v); }));
  return all;
}

TEST(KnownObject, IsEmptyWhereItIsSaidToBe) {
  ReconstructConfig config = config_of(2);
  const Result free = run(config).result;
  const double top = free.origin->row, left = free.origin->col, pixel = free.pixel_size;
  config.parts.of<VacuumOptions>().regions = {top + 14.9 * pixel, left + 9.9 * pixel,
                                              top + 25.1 * pixel, left + 30.1 * pixel};
  const Result r = run(config).result;
  const auto most = [](const Result& of, bool inside) {
    double largest = 0;
    for (i64 s = 0; s < 2; ++s)
      for (i64 y = 0; y < of.phase.shape()[1]; ++y)
        for (i64 x = 0; x < of.phase.shape()[2]; ++x)
          if ((y >= 15 && y <= 25 && x >= 10 && x <= 30) == inside)
            largest = std::max({largest, std::abs(double(of.phase(s, y, x))),
                                std::abs(double(of.absorption(s, y, x)))});
    return largest;
  };
  EXPECT_GT(most(free, true), 0.05);
  EXPECT_EQ(most(r, true), 0);
  EXPECT_GT(most(r, false), 0.05);
  // Float32 files of doubles; on ranks gradients are summed in another order.
  EXPECT_LT(apart(run(config, 4).result.phase, r.phase), 1e-6);
}

TEST(KnownObject, LiesBetweenItsVacuumSlices) {
  const TemporaryFolder folder;
  ReconstructConfig config = config_of(2);
  config.solver.iterations = 12;
  const Result earlier = run(config).result;
  write_result(folder / "earlier.h5", earlier, false);
  config.object.start = folder / "earlier.h5";
  config.solver.iterations = 1;
  const Result two = run(config).result;
  ReconstructConfig more = config;
  more.object.slices = 5;
  more.parts.of<VacuumOptions>().slices = {2, 1};
  const Result five = run(more).result;
  // The same waves reach the specimen: the misfit of the first mini-batches is that of two slices,
  // and a wrong place along the beam would show.
  EXPECT_NEAR(five.history.r_factor[0], two.history.r_factor[0], 0.1 * two.history.r_factor[0]);
  ReconstructConfig displaced = more;
  displaced.optics.defocus = *more.optics.defocus - 2 * 2.5;
  EXPECT_GT(run(displaced).result.history.r_factor[0], 1.1 * five.history.r_factor[0]);
  const auto weights = weights_of(five);
  EXPECT_GT(weights[2] + weights[3], 10 * (weights[0] + weights[1] + weights[4]));
}

TEST(KnownObject, IsCentredAlongTheBeamTheSameOnAnyNumberOfRanks) {
  const TemporaryFolder folder;
  ReconstructConfig config = config_of(2);
  config.solver.iterations = 12;
  write_result(folder / "earlier.h5", run(config).result, false);
  config.object.start = folder / "earlier.h5";
  config.object.slices = 6;
  config.parts.of<VacuumOptions>().slices = {0, 4};
  config.solver.iterations = 2;
  const Fitted still = run(config);
  config.parts.of<RecentreOptions>().every = 1;
  const Fitted moved = run(config);
  const auto told = [](const Fitted& of) {
    return std::count_if(of.warnings.begin(), of.warnings.end(), [](const std::string& line) {
      return says(line, {"object.recentre_z", "2 slices down"});
    });
  };
  EXPECT_EQ(told(still), 0);
  EXPECT_EQ(told(moved), 1);
  const auto weights = weights_of(moved.result);
  EXPECT_GT(weights[2] + weights[3], 5 * (weights[0] + weights[1] + weights[4] + weights[5]));
  // The second iteration starts as well as without, but for what the last slices had.
  EXPECT_NEAR(moved.result.history.r_factor[1], still.result.history.r_factor[1],
              0.1 * still.result.history.r_factor[1]);
  EXPECT_LT(apart(run(config, 4).result.phase, moved.result.phase), 1e-6);
}

/// All keys of what is known of probe and object, resumed from the middle on other ranks.
TEST(KnownObject, ComesFromACheckpointOnOtherRanks) {
  ReconstructConfig config = config_of(4);
  config.solver.iterations = 4;
  config.probe.modes = 3;
  config.optics.source_size = 0.3;
  config.parts.of<ProbeLimitOptions>() = {3, 1.2, ProbePower::fixed};
  config.parts.of<VacuumOptions>().regions = {3, 3, 5, 6};
  config.parts.of<VacuumOptions>().slices = {0, 2};
  config.parts.of<RecentreOptions>().every = 2;
  const Result whole = run(config, 2).result;
  const TemporaryFolder folder;
  config.output.folder = folder / "saved";
  testing::save_in_the_middle(config, 2, 1);
  config.output.resume = true;
  for (const int ranks : {1, 4})
    EXPECT_LT(apart(run(config, ranks).result.phase, whole.phase), 1e-6) << ranks;
  config.optics.source_size = 0.4;
  EXPECT_TRUE(says(testing::message_of<UserError>([&] { (void)run(config); }),
                   {"optics.source_size", "0.3", "0.4"}));
}

}  // namespace
}  // namespace ptyle
