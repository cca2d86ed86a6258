// The geometry of the microscope as configurations ask for it, and as results have it.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "exchange/local/team.hpp"
#include "io/hdf5.hpp"
#include "io/temporary_folder.hpp"
#include "session/memory_scan.hpp"
#include "session/reconstruct.hpp"
#include "session/schema.hpp"
#include "solver/penalties/quadratic.hpp"
#include "solver/variables/geometry_options.hpp"

namespace ptyle {
namespace {

using testing::memory_scan;
using testing::message_of;
using testing::says;
using testing::TemporaryFolder;

ReconstructConfig refining(std::vector<std::string> what, double defocus = 66) {
  ReconstructConfig config = memory_scan().config();
  config.solver.precision = Precision::float64;
  config.solver.continuation = Switch::off;
  config.solver.iterations = 5;
  config.optics.defocus = defocus;  // 60 Å in truth
  config.parts.of<GeometryOptions>().refine = std::move(what);
  return config;
}

double value_of(const ResultFacts& facts, const std::string& name) {
  for (const auto& [one, value] : facts.optics)
    if (one == name) return value;
  ADD_FAILURE() << name << " is not in the result";
  return 0;
}
const FittedSeries& series(const History& history, const std::string& name) {
  const auto at = std::find_if(history.geometry.begin(), history.geometry.end(),
                               [&](const FittedSeries& one) { return one.name == name; });
  if (at == history.geometry.end()) throw std::runtime_error(name + " has no history");
  return *at;
}

TEST(FittedGeometry, IsInTheResultAndTheLog) {
  const TemporaryFolder folder;
  const auto team = make_local_team(2);
  std::vector<std::string> log;
  ReconstructCallbacks callbacks;
  callbacks.log = [&](const std::string& line) { log.push_back(line); };
  std::vector<std::string> progress;
  callbacks.progress = [&](const Progress& p) { progress.push_back(p.geometry); };
  Reconstruction run(refining({"defocus", "astigmatism", "thickness"}), memory_scan().patterns(),
                     *team, callbacks);
  while (!run.finished()) run.step();
  const Result live = run.result();
  run.write(folder / "out", {.pictures = false, .tiff = false});
  const Result result = read_result(folder / "out/result.h5");
  ASSERT_EQ(result.history.geometry.size(), 4U);
  for (const auto& [name, unit] :
       {std::pair{"defocus", "Å"}, {"C12", "Å"}, {"phi12", "degrees"}, {"slice_thickness", "Å"}}) {
    EXPECT_EQ(series(result.history, name).unit, unit);
    EXPECT_EQ(series(result.history, name).values.size(), 5U);
  }
  EXPECT_NE(series(result.history, "defocus").values.back(), 66);
  EXPECT_EQ(value_of(live, "defocus_A"), series(result.history, "defocus").values.back());
  EXPECT_EQ(value_of(live, "given_defocus_A"), 66);
  EXPECT_EQ(value_of(live, "given_slice_thickness_A"), 2.5);
  EXPECT_EQ(result.slice_thickness, series(result.history, "slice_thickness").values.back());
  const h5::File file = h5::File::open(folder / "out/result.h5");
  EXPECT_EQ(file.number("/", "defocus_A"), value_of(live, "defocus_A"));
  EXPECT_EQ(std::count_if(log.begin(), log.end(),
                          [](const std::string& line) {
                            return line.starts_with("fitted: defocus ") &&
                                   line.find("from 66") != std::string::npos;
                          }),
            1);
  ASSERT_EQ(progress.size(), 5U);
  EXPECT_TRUE(progress.back().starts_with("defocus "));
}

/// Positions of data without a length are in pixels of the object: the descan's numbers are, too.
TEST(FittedGeometry, OfPixelUnitsHasNoLength) {
  const TemporaryFolder folder;
  std::vector<Position> at = memory_scan().positions();
  for (Position& p : at) p = {p.row / 0.2, p.col / 0.2};
  PatternsInMemory patterns = memory_scan().patterns();
  patterns.positions = at;
  ReconstructConfig config = refining({"descan"});
  config.calibration = {};
  config.optics = {};
  config.scan.unit = LengthUnit::pixel;
  config.probe.start = "mean";
  config.object.slices = 1;
  config.output.folder = folder / "out";
  const auto team = make_local_team();
  std::vector<std::string> log;
  ReconstructCallbacks callbacks;
  callbacks.log = [&](const std::string& line) { log.push_back(line); };
  Reconstruction run(config, patterns, *team, callbacks);
  while (!run.finished()) run.step();
  const Result result = run.result();
  run.write(folder / "written", {.pictures = false, .tiff = false});
  ASSERT_EQ(result.units, "px");
  EXPECT_EQ(series(result.history, "descan_row_row").unit, "px/px");
  EXPECT_EQ(value_of(result, "descan_row_row_px_per_px"),
            series(result.history, "descan_row_row").values.back());
  EXPECT_EQ(std::count_if(log.begin(), log.end(),
                          [](const std::string& line) {
                            return line.starts_with("fitted: descan_row_row ") &&
                                   line.find(" px/px") != std::string::npos &&
                                   line.find("Å") == std::string::npos;
                          }),
            1);
  // The history of a run that resumes has the same unit.
  run.save(config.output.folder);
  config.output.resume = true;
  config.solver.iterations = 6;
  Reconstruction resumed(config, patterns, *team);
  EXPECT_EQ(series(resumed.result().history, "descan_row_row").unit, "px/px");
}

TEST(FittedGeometry, ThatNobodyAskedForIsNotWritten) {
  const auto team = make_local_team();
  Reconstruction run(refining({}), memory_scan().patterns(), *team);
  run.step();
  const Result result = run.result();
  EXPECT_TRUE(result.history.geometry.empty());
  EXPECT_EQ(value_of(result, "defocus_A"), 66);
  EXPECT_EQ(result.slice_thickness, 2.5);
}

TEST(FittedGeometry, ComesFromACheckpointOnOtherRanks) {
  const auto whole = [&] {
    const auto two = make_local_team(2);
    Reconstruction run(refining({"defocus", "thickness"}), memory_scan().patterns(), *two);
    while (!run.finished()) run.step();
    return run.result();
  }();
  const TemporaryFolder folder;
  ReconstructConfig config = refining({"defocus", "thickness"});
  config.output.folder = folder / "saved";
  testing::save_in_the_middle(config, 2, 2);
  config.output.resume = true;
  config.parts.of<GeometryOptions>().refine = {"thickness", "defocus"};  // the same set
  for (const int ranks : {1, 4}) {
    const auto team = make_local_team(ranks);
    Reconstruction run(config, memory_scan().patterns(), *team);
    while (!run.finished()) run.step();
    const History history = run.history();
    for (const char* name : {"defocus", "slice_thickness"}) {
      const auto &resumed = series(history, name).values,
                 &expected = series(whole.history, name).values;
      ASSERT_EQ(resumed.size(), expected.size());
      for (std::size_t i = 0; i < expected.size(); ++i)
        EXPECT_NEAR(resumed[i], expected[i], 1e-9 * expected[i]) << name << i;
    }
  }
}

std::string refusal(ReconstructConfig config) {
  return message_of<UserError>([&] {
    const auto team = make_local_team();
    Reconstruction(config, memory_scan().patterns(), *team);
  });
}

TEST(FittedGeometry, IsRefusedWithAReason) {
  EXPECT_TRUE(says(refusal(refining({"focus"})), {"geometry.refine", "'focus' is none of"}));
  EXPECT_TRUE(says(refusal(refining({"tilt"})), {"geometry.refine: tilt needs slices", "alike"}));
  auto alike = refining({"tilt"});
  alike.parts.of<PenaltyOptions>().along_z = 1;
  EXPECT_EQ(refusal(alike), "");
  auto one = refining({"thickness"});
  one.object.slices = 1;
  EXPECT_TRUE(says(refusal(one), {"geometry.refine: a single slice"}));
  auto dark = refining({"defocus"});
  dark.optics.semi_angle = 0;
  dark.probe.start = "mean";
  EXPECT_TRUE(says(refusal(dark), {"geometry.refine: needs optics.semi_angle"}));
  auto pie = refining({"defocus"});
  pie.parts.of<RuleOptions>().rule = RuleChoice::pie;
  EXPECT_TRUE(says(refusal(pie), {"geometry.refine: does not go with solver.rule: pie"}));
}

}  // namespace
}  // namespace ptyle
