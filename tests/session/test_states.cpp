// Objects of several states, as configurations ask for them, and as results have them.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "exchange/local/team.hpp"
#include "io/hdf5.hpp"
#include "io/temporary_folder.hpp"
#include "session/inspect.hpp"
#include "session/memory_scan.hpp"
#include "session/reconstruct.hpp"
#include "session/start.hpp"
#include "solver/rules/rule_options.hpp"
#include "solver/states.hpp"
#include "solver/variables/recentre.hpp"
#include "solver/variables/variable_probe_options.hpp"

namespace ptyle {
namespace {

using testing::memory_scan;
using testing::message_of;
using testing::result_of;
using testing::says;
using testing::TemporaryFolder;

ReconstructConfig of_states(int states, std::vector<double> occupancy = {}) {
  ReconstructConfig config = memory_scan().config();
  config.solver.precision = Precision::float64;
  config.solver.iterations = 4;
  config.object.type = ObjectType::complex;
  config.parts.of<StatesOptions>() = {states, std::move(occupancy)};
  return config;
}

void expect_mean(const Array<float, 3>& mean, const Array<float, 3>& states,
                 const std::vector<double>& shares) {
  ASSERT_EQ(states.size(), mean.size() * std::ssize(shares));
  double apart = 0, most = 0, between = 0;
  for (i64 i = 0; i < mean.size(); ++i) {
    double sum = 0;
    for (std::size_t k = 0; k < shares.size(); ++k)
      sum += shares[k] * static_cast<double>(states.data()[static_cast<i64>(k) * mean.size() + i]);
    apart = std::max(apart, std::abs(sum - static_cast<double>(mean.data()[i])));
    most = std::max(most, std::abs(sum));
    between = std::max(
        between, std::abs(static_cast<double>(states.data()[i] - states.data()[mean.size() + i])));
  }
  EXPECT_LT(apart, 1e-6 * most);
  EXPECT_GT(between, 0);
}

/// Written by one rank or several: the states, and their mean as the object.
TEST(States, AreInTheResultWithTheirMean) {
  for (const int ranks : {1, 3}) {
    const TemporaryFolder folder;
    const auto team = make_local_team(ranks);
    std::vector<std::string> log;
    ReconstructCallbacks callbacks;
    callbacks.log = [&](const std::string& line) { log.push_back(line); };
    Reconstruction run(of_states(2, {3, 1}), memory_scan().patterns(), *team, callbacks);
    while (!run.finished()) run.step();
    const Result told = run.result();
    run.write(folder / "out", {.pictures = true, .tiff = true});
    const Result result = read_result(folder / "out/result.h5");
    EXPECT_EQ(result.occupancy, (std::vector<double>{0.75, 0.25}));
    EXPECT_EQ(result.phase.shape(), told.phase.shape());
    EXPECT_TRUE(std::equal(result.phase.begin(), result.phase.end(), told.phase.begin()));
    EXPECT_TRUE(std::equal(result.states_absorption.begin(), result.states_absorption.end(),
                           told.states_absorption.begin(), told.states_absorption.end()));
    expect_mean(result.phase, result.states_phase, result.occupancy);
    expect_mean(result.absorption, result.states_absorption, result.occupancy);
    const h5::File file = h5::File::open(folder / "out/result.h5");
    EXPECT_EQ(file.text("/states/phase", "units"), "rad");
    EXPECT_EQ(std::count(log.begin(), log.end(),
                         "the object has 2 states, with fractions 0.75, 0.25 of the dose"),
              1);
    // The same by what Python saves.
    write_result(folder / "again.h5", told, false);
    const Result again = read_result(folder / "again.h5");
    EXPECT_TRUE(std::equal(result.states_phase.begin(), result.states_phase.end(),
                           again.states_phase.begin(), again.states_phase.end()));
  }
}

TEST(States, ThatNobodyAskedForAreNotWritten) {
  const Result result = result_of(of_states(1));
  EXPECT_TRUE(result.occupancy.empty());
  EXPECT_TRUE(result.states_phase.empty());
}

TEST(States, AreTheSameOnAnyNumberOfRanks) {
  const Result alone = result_of(of_states(2));
  for (const int ranks : {2, 4}) {
    const Result together = result_of(of_states(2), ranks);
    ASSERT_EQ(together.states_phase.shape(), alone.states_phase.shape());
    for (i64 i = 0; i < alone.states_phase.size(); ++i)
      ASSERT_NEAR(together.states_phase.data()[i], alone.states_phase.data()[i], 1e-6);
  }
}

TEST(States, ComeFromACheckpointOnOtherRanks) {
  const Result whole = result_of(of_states(2), 2);
  const TemporaryFolder folder;
  ReconstructConfig config = of_states(2);
  config.output.folder = folder / "saved";
  testing::save_in_the_middle(config, 2, 2);
  config.output.resume = true;
  for (const int ranks : {1, 4}) {
    const Result resumed = result_of(config, ranks);
    ASSERT_EQ(resumed.states_phase.shape(), whole.states_phase.shape());
    for (i64 i = 0; i < whole.states_phase.size(); ++i)
      ASSERT_NEAR(resumed.states_phase.data()[i], whole.states_phase.data()[i], 1e-6);
  }
  config.parts.of<StatesOptions>().states = 3;
  EXPECT_TRUE(says(message_of<UserError>([&] { (void)result_of(config); }), {"object.states"}));
}

/// Noise by voxel of the whole object: whatever the part that is asked for.
TEST(States, PartByNoiseOfTheWholeObject) {
  const auto start_of = [](const Box& box) {
    ObjectStart start;
    start.phase = Array<float, 3>({2, box.rows.size(), box.cols.size()});
    start.phase.fill(1);
    part_states(start, 3, box);
    return start;
  };
  const ObjectStart whole = start_of({{0, 20}, {0, 30}}), part = start_of({{5, 12}, {7, 30}});
  ASSERT_EQ(part.phase.shape(), (std::array<i64, 3>{6, 7, 23}));
  EXPECT_TRUE(part.absorption.empty());
  double square = 0;
  for (i64 z = 0; z < 6; ++z)
    for (i64 y = 0; y < 7; ++y)
      for (i64 x = 0; x < 23; ++x) {
        EXPECT_EQ(part.phase(z, y, x), whole.phase(z, y + 5, x + 7));
        EXPECT_NEAR(part.phase(z, y, x), 1, 0.0101);
        square += std::pow(part.phase(z, y, x) - 1, 2);
      }
  EXPECT_NEAR(std::sqrt(square / double(part.phase.size())), 0.01 / std::sqrt(3.0), 0.001);
}

/// A result has no patterns, and its states are none.
TEST(States, AreReportedByInspect) {
  const TemporaryFolder folder;
  const std::string file = folder / "result.h5";
  Result result = result_of(of_states(2, {3, 1}));
  result.history.r_held_out = {0.1, 0.1, 0.1, 0.1};
  result.history.r_held_out_pixels = {0.2, 0.2, 0.2, 0.2};
  const auto lines_of = [&](const Result& written) {
    write_result(file, written, true);
    InspectConfig config;
    config.data.file = file;
    config.folder = folder / "pictures";
    std::string lines;
    const Inspection found = inspect(config, [&](const auto& line) { lines += line + "\n"; });
    EXPECT_TRUE(found.of_result);
    return lines;
  };
  const auto [slices, rows, cols] = result.phase.shape();
  const std::string lines = lines_of(result);
  EXPECT_TRUE(
      says(lines, {fmt::format("/states/phase: 2 x {} x {} x {}, float32", slices, rows, cols),
                   fmt::format("object: 2 slices, 2.5 Å thick, of {} x {} px of 0.2 Å, phase and "
                               "absorption\n",
                               rows, cols),
                   "states of the object: 2, with fractions 0.75, 0.25 of the dose; /states holds",
                   "probe: 1 mode of 32 x 32 px\n", "positions: 36 over ",
                   "after 4 iterations, 0.1 of patterns held out, 0.2 of pixels held out\n"}));
  EXPECT_EQ(lines.find("warning"), std::string::npos) << lines;
  EXPECT_FALSE(std::filesystem::exists(folder / "pictures"));
  const std::string of_one = lines_of(result_of(of_states(1)));
  EXPECT_EQ(of_one.find("states"), std::string::npos) << of_one;
  std::string quick;
  EXPECT_TRUE(says(message_of<UserError>([&] {
                     InspectConfig config;
                     config.data.file = file;
                     config.quick = true;
                     (void)inspect(config, [&](const auto& line) { quick += line; });
                   }),
                   {file + " is a result, without patterns: a quick look is of a measurement"}));
  EXPECT_EQ(quick, "");
  ReconstructConfig config = of_states(1);
  config.data.file = file;
  EXPECT_TRUE(says(message_of<UserError>([&] {
                     const auto team = make_local_team();
                     Reconstruction(config, *team);
                   }),
                   {"is a result of a reconstruction, without patterns"}));
}

/// The start of one rank's run or of several, which logs as much once.
Result start_from(const std::string& file, int states, int ranks, std::vector<std::string>& log) {
  ReconstructConfig config = of_states(states);
  config.object.start = file;
  const auto team = make_local_team(ranks);
  ReconstructCallbacks callbacks;
  callbacks.log = [&](const std::string& line) {
    if (line.starts_with("object.start")) log.push_back(line);
  };
  Reconstruction run(config, memory_scan().patterns(), *team, callbacks);
  return run.result();
}

TEST(States, StartEachFromItsOwnInAResultOfAsMany) {
  const TemporaryFolder folder;
  const std::string file = folder / "earlier.h5";
  const Result earlier = result_of(of_states(2, {3, 1}));
  write_result(file, earlier, false);
  for (const int ranks : {1, 3}) {
    std::vector<std::string> log;
    const Result start = start_from(file, 2, ranks, log);
    EXPECT_TRUE(std::equal(start.states_phase.begin(), start.states_phase.end(),
                           earlier.states_phase.begin(), earlier.states_phase.end()));
    EXPECT_TRUE(std::equal(start.states_absorption.begin(), start.states_absorption.end(),
                           earlier.states_absorption.begin(), earlier.states_absorption.end()));
    EXPECT_EQ(
        log,
        (std::vector<std::string>{"object.start: each of the 2 states starts from its own in '" +
                                  file + "', which had fractions 0.75, 0.25 of the dose"}));
  }
}

TEST(States, StartFromTheMeanOfAnotherNumberOfThem) {
  const TemporaryFolder folder;
  const std::string file = folder / "earlier.h5";
  const Result earlier = result_of(of_states(2));
  write_result(file, earlier, false);
  for (const int ranks : {1, 3}) {
    std::vector<std::string> log;
    const Result one = start_from(file, 1, ranks, log), three = start_from(file, 3, ranks, log);
    EXPECT_TRUE(std::equal(one.phase.begin(), one.phase.end(), earlier.phase.begin()));
    ASSERT_EQ(three.states_phase.size(), 3 * earlier.phase.size());
    for (i64 i = 0; i < three.states_phase.size(); ++i)
      ASSERT_NEAR(three.states_phase.data()[i], earlier.phase.data()[i % earlier.phase.size()],
                  0.0101);
    EXPECT_EQ(log, (std::vector<std::string>{
                       "object.start: '" + file +
                           "' has 2 states, object.states is 1: the object starts from their mean",
                       "object.start: '" + file +
                           "' has 2 states, object.states is 3: all start from their mean"}));
  }
}

TEST(States, AreRefusedWithAReason) {
  const auto fault = [](auto&& change) {
    ReconstructConfig config = of_states(2);
    change(config);
    return message_of<UserError>([&] { (void)result_of(config); });
  };
  EXPECT_TRUE(says(fault([](auto& c) { c.parts.template of<StatesOptions>().occupancy = {1}; }),
                   {"object.occupancy", "has 1 number, but object.states is 2"}));
  EXPECT_TRUE(says(fault([](auto& c) { c.parts.template of<VariableProbeOptions>().modes = 1; }),
                   {"probe.variable", "does not go with object.states"}));
  EXPECT_TRUE(says(fault([](auto& c) { c.parts.template of<RecentreOptions>().every = 2; }),
                   {"object.recentre_z", "does not go with object.states"}));
  EXPECT_TRUE(
      says(fault([](auto& c) { c.parts.template of<RuleOptions>().rule = RuleChoice::pie; }),
           {"solver.rule", "does not go with object.states"}));
}

}  // namespace
}  // namespace ptyle
