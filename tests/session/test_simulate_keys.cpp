#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/error.hpp"
#include "session/simulate_keys.hpp"

namespace ptyle {
namespace {

namespace fs = std::filesystem;

/// A recipe's text and settings, read from a file of its own. {} or the faults.
struct Read {
  SimulateInput input;
  std::string faults;
};

Read read(const std::string& yaml, const std::vector<std::string>& settings = {}) {
  const auto folder = fs::path(testing::TempDir()) / ("ptyle_recipe_" + std::to_string(getpid()));
  fs::create_directories(folder);
  const auto file = folder / "recipe.yaml";
  std::ofstream(file) << yaml;
  Read result;
  try {
    result.input = read_simulate(file.string(), settings);
  } catch (const UserError& e) {
    result.faults = e.what();
    const auto name = folder.string() + "/";
    for (auto at = result.faults.find(name); at != std::string::npos; at = result.faults.find(name))
      result.faults.erase(at, name.size());
  }
  fs::remove_all(folder);
  return result;
}

TEST(SimulateKeys, TemplateIsARecipe) {
  const auto [input, faults] = read(simulate_template());
  EXPECT_EQ(faults, "");
  EXPECT_EQ(input.recipe.specimen.structure, BuiltIn::PbTiO3);
  EXPECT_EQ(input.recipe.detector.window, 128);
  EXPECT_TRUE(input.recipe.output.ends_with("recipe.h5"));
}

TEST(SimulateKeys, TemplateWithEveryCommentTakenAwayHasOnlyFaultsBetweenKeys) {
  std::istringstream lines(simulate_template());
  std::string yaml;
  bool top = false;
  for (std::string line; std::getline(lines, line);) {
    if (top && line.starts_with("# ")) line = line.substr(2);
    top = top || line == "# the data set";
    yaml += (line.starts_with("  # ") ? "  " + line.substr(4) : line) + "\n";
  }
  const auto faults = read(yaml).faults;
  EXPECT_NE(faults.find("specimen.file: excludes specimen.structure"), std::string::npos) << faults;
  for (const char* wrong : {"no such", "out of its limits", "is not", "not YAML", "must be a"})
    EXPECT_EQ(faults.find(wrong), std::string::npos) << wrong << "\n" << faults;
}

TEST(SimulateKeys, ResolvedReadsBackAsTheSame) {
  const auto first = read("thermal: {motion: debye_waller, B: [Pb=0.85, Ti=0.5, O=0.6]}\nseed: 5\n",
                          {"scan.step=2.5", "dose.electrons_per_A2=1e4"});
  ASSERT_EQ(first.faults, "");
  const auto second = read(first.input.resolved);
  ASSERT_EQ(second.faults, "");
  EXPECT_EQ(second.input.resolved, first.input.resolved);
  EXPECT_EQ(describe(second.input.recipe), describe(first.input.recipe));
}

TEST(SimulateKeys, RegionsReadBackAsTheSame) {
  const auto first = read("specimen: {structure: SrTiO3}\n",
                          {"specimen.regions=[at=(0 0 4) turn=3, at=(1 -2) shift=(0.1 0.2)]",
                           "specimen.substitutions=[Sr=Ba at=(1 2) radius=3]",
                           "scan.reported=nominal", "scan.drift=[0.1, -0.2]"});
  ASSERT_EQ(first.faults, "");
  EXPECT_EQ(first.input.recipe.specimen.regions[1], "at=(1 -2) shift=(0.1 0.2)");
  const auto second = read(first.input.resolved);
  ASSERT_EQ(second.faults, "");
  EXPECT_EQ(describe(second.input.recipe), describe(first.input.recipe));
}

TEST(SimulateKeys, ExamplesAreRecipes) {
  for (const char* name : {"lead-titanate-mini", "lead-titanate-small", "lead-titanate-large"}) {
    const auto file = fs::path(PTYLE_SOURCE_DIR) / "examples" / (std::string(name) + ".yaml");
    EXPECT_EQ(read_simulate(file.string(), {}).recipe.specimen.structure, BuiltIn::PbTiO3) << name;
  }
  const auto film = fs::path(PTYLE_SOURCE_DIR) / "examples/film.yaml";
  const Recipe recipe = read_simulate(film.string(), {}).recipe;
  EXPECT_EQ(recipe.optics.source_size, 0.22);
  EXPECT_EQ(recipe.specimen.regions.size(), 1u);
}

TEST(SimulateKeys, Faults) {
  const std::pair<const char*, const char*> cases[] = {
      {"specimen: {structure: NaCl}",
       "recipe.yaml:1: specimen.structure: \"NaCl\" is none of its choices; it must be one of "
       "PbTiO3, "
       "SrTiO3, MoS2"},
      {"specimen: {file: none.cif}", "recipe.yaml:1: specimen.file: there is no file none.cif"},
      {"specimen: {thickness: 0}",
       "recipe.yaml:1: specimen.thickness: 0 Å is out of its limits; it must be a number, above 0 "
       "and at most 100000 Å"},
      {"specimen: {zone_axis: [0, 0, 0]}",
       "recipe.yaml:1: specimen.zone_axis: [0, 0, 0] is no direction"},
      {"specimen: {repeat: [2, 0, 1]}",
       "recipe.yaml:1: specimen.repeat: give all three numbers of cells, or [0, 0, 0] to fill"},
      {"detector: {window: 0}",
       "recipe.yaml:1: detector.window: 0 px is out of its limits; it must be a whole number, from "
       "8 to 8192 px"},
      {"detector: {window: 100, bin: 3}",
       "recipe.yaml:1: detector.bin: 3 does not divide detector.window 100"},
      {"optics: {modes: 5, mode_power: 0.25}",
       "recipe.yaml:1: optics.mode_power: 4 modes of 0.25 each leave nothing for the first; less "
       "is "
       "needed"},
      {"scan: {step: 1, jitter: 2}", "recipe.yaml:1: scan.jitter: 2 Å is more than a step"},
      {"specimen: {regions: [at=(0 0 3)]}",
       "recipe.yaml:1: specimen.regions: \"at=(0 0 3)\": turn or shift is missing; it must read as "
       "\"at=(0 0 40) direction=30 inclination=10 turn=1.5 shift=(0 0 0)\""},
      {"specimen: {substitutions: [Pb=Sr radius=3]}",
       "recipe.yaml:1: specimen.substitutions: \"Pb=Sr radius=3\": at=(row col z) is missing; it "
       "must read as \"Sr=Ba share=0.6 at=(0 0 40) radius=9\""},
      {"optics: {source_size: -1}",
       "recipe.yaml:1: optics.source_size: -1 Å is out of its limits; it must be a number, from 0 "
       "to 10000 Å"},
      {"scan: {reported: believed}",
       "recipe.yaml:1: scan.reported: \"believed\" is none of its choices; it must be one of auto, "
       "actual, nominal"},
      {"thermal: {B: [Pb=0.8]}",
       "recipe.yaml: thermal.motion: is none, but thermal.B or thermal.rms is given; take "
       "debye_waller or frozen_phonons"},
      {"sede: 3", "recipe.yaml:1: sede: there is no such key; the nearest is seed"},
  };
  for (const auto& [yaml, faults] : cases) EXPECT_EQ(read(yaml).faults, faults) << yaml;
}

TEST(SimulateKeys, OfAProgramNeedAnOutputWhereThereIsNoFile) {
  const std::vector<NamedValue> values{{"specimen.thickness", "5"}, {"output", "a.h5"}};
  const auto input = read_simulate_values("", values);
  EXPECT_EQ(input.recipe.specimen.thickness, 5);
  EXPECT_EQ(fs::path(input.recipe.output).filename(), "a.h5");
  try {
    read_simulate_values("", {{"specimen.thickness", "5"}});
    FAIL();
  } catch (const UserError& e) {
    EXPECT_STREQ(e.what(), "output: must be given, the file to be written");
  }
}

}  // namespace
}  // namespace ptyle
