// The memory that `ptyle plan` states is what ranks allocate, name by name.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <regex>
#include <string>
#include <vector>

#include "e2e/program.hpp"

namespace ptyle {
namespace {

constexpr const char* recipe =
    "specimen: {structure: SrTiO3, thickness: 3.9}\n"
    "optics: {energy: 200, semi_angle: 25, defocus: 80}\n"
    "detector: {window: 64, pixel_size: 0.2}\n"
    "scan: {shape: [8, 6], step: 1.0}\n"
    "output: set.h5\n";
constexpr const char* run_yaml =
    "data: {file: set.h5}\n"
    "object: {slices: 1}\n"
    "probe: {refine_from: 1}\n"
    "solver: {iterations: 2, batches: 4, threads: 1, device: cpu}\n"
    "ranks: {seconds_per_position: 0.1}\n"
    "output: {pictures: false, tiff: false, folder: run}\n";

/// MiB by name, of the largest rank, as a plan prints them to a tenth.
std::map<std::string, double> planned(const std::string& text) {
  std::map<std::string, double> all;
  std::smatch line;
  if (!std::regex_search(text, line, std::regex("of the largest, MiB: (.*)\n"))) return all;
  const std::string names = line[1];
  const std::regex one("([a-z -]+) ([0-9.]+)");
  for (std::sregex_iterator at(names.begin(), names.end(), one), end; at != end; ++at) {
    std::string name = (*at)[1];
    name.erase(0, name.find_first_not_of(' '));
    all[name] = std::stod((*at)[2]);
  }
  return all;
}

/// The same as a run prints it at its end, of the rank that has most under a name.
std::map<std::string, double> allocated(const std::string& text) {
  std::map<std::string, double> all;
  const std::size_t from = text.find("MiB allocated at the peak");
  if (from == std::string::npos) return all;
  const std::string names = text.substr(from);
  const std::regex one("  ([a-z -]*[a-z]) +([0-9.]+) MiB");
  for (std::sregex_iterator at(names.begin(), names.end(), one), end; at != end; ++at)
    all[(*at)[1]] = std::stod((*at)[2]);
  return all;
}

TEST(RankPlans, AreWhatRanksAllocate) {
#ifndef PTYLE_MPIEXEC
  GTEST_SKIP() << "ptyle is built without MPI";
#endif
  const TestFolder folder;
  folder.write("recipe.yaml", recipe);
  folder.write("run.yaml", run_yaml);
  const auto made = run_ptyle({"simulate", "recipe.yaml"}, {.folder = folder.path()});
  ASSERT_EQ(made.status, 0) << made.err;
  for (const std::vector<std::string>& settings :
       {std::vector<std::string>{"probe.modes=64"},
        {"object.states=64"},
        {"optics.source_size=0.4", "probe.modes=16"},
        {"detector.refine=[gain, background]", "detector.gain_start=1"}})
    for (const int ranks : {0, 2}) {
      SCOPED_TRACE(testing::Message() << settings.front() << ", " << ranks << " ranks");
      std::vector<std::string> more;
      for (const auto& setting : settings) more.insert(more.end(), {"--set", setting});
      std::vector<std::string> plan{"plan", "run.yaml", "--ranks",
                                    std::to_string(std::max(1, ranks))},
          run{"reconstruct", "run.yaml", "--overwrite"};
      plan.insert(plan.end(), more.begin(), more.end());
      run.insert(run.end(), more.begin(), more.end());
      const auto said = run_ptyle(plan, {.folder = folder.path()});
      ASSERT_EQ(said.status, 0) << said.err;
      const auto ran = run_ptyle(run, {.folder = folder.path(), .ranks = ranks});
      ASSERT_EQ(ran.status, 0) << ran.err;
      auto foretold = planned(said.out + said.err), had = allocated(ran.out + ran.err);
      ASSERT_GT(foretold["program"], 0) << said.out << said.err;
      ASSERT_GT(had["program"], 0) << ran.out << ran.err;
      // Half of what either prints last, or nothing; the names that a run reports one by one.
      for (const char* name :
           {"gradient", "gradient patches", "object", "patterns", "probe", "transmission", "waves"})
        EXPECT_NEAR(foretold[name], had[name], 0.1001) << name;
    }
}

}  // namespace
}  // namespace ptyle
