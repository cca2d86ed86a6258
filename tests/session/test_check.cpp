// A configuration that no YAML file was read into gets the same checks.

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <set>
#include <sstream>

#include "core/error.hpp"
#include "core/ledger.hpp"
#include "core/scratch.hpp"
#include "io/hdf5.hpp"
#include "io/temporary_folder.hpp"
#include "session/check.hpp"
#include "session/keys.hpp"
#include "session/memory_scan.hpp"
#include "solver/rules/rule_options.hpp"
#include "solver/variables/position_options.hpp"
#include "solver/variables/probe_limits.hpp"

namespace ptyle {
namespace {

/// The faults, without those of a data file that is not there.
std::string faults_after(const std::function<void(ReconstructConfig&)>& change) {
  ReconstructConfig config;
  config.data.file = "no-such.h5";
  config.output.folder = (std::filesystem::path(::testing::TempDir()) / "ptyle_check").string();
  config.calibration.pixel_size = 0.2;
  config.scan.positions = "/positions";
  config.optics.energy = 300;
  config.optics.semi_angle = 20;
  change(config);
  try {
    (void)checked(config);
  } catch (const UserError& e) {
    std::string all;
    std::istringstream lines(e.what());
    for (std::string line; std::getline(lines, line);)
      if (line.find("no-such.h5") == std::string::npos && !line.ends_with("faults"))
        all += line.substr(line.find_first_not_of(' '));
    return all;
  }
  return "not even the missing file is a fault";
}

TEST(Check, LimitsAreThoseOfTheKeys) {
  EXPECT_EQ(faults_after([](auto&) {}), "");
  EXPECT_EQ(faults_after([](auto& c) { c.optics.energy = 300000; }),
            "optics.energy: 300000 kV is out of its limits; it must be a number, above 0 and at "
            "most 10000 kV");
  EXPECT_EQ(faults_after([](auto& c) { c.solver.loss = static_cast<Loss>(5); }),
            "solver.loss: the value is none of its choices; it must be one of auto, amplitude, "
            "poisson, intensity");
  EXPECT_EQ(faults_after([](auto& c) { c.solver.batches = -1; }),
            "solver.batches: -1 is out of its limits; it must be a whole number, 0 or more");
}

TEST(Check, KeysMustAgree) {
  EXPECT_EQ(faults_after([](auto& c) {
              c.solver.batches = 5;
              c.parts.template of<RuleOptions>().rule = RuleChoice::lbfgs;
            }),
            "solver.batches: 5 are too many for solver.rule: lbfgs, whose mini-batch is the whole "
            "scan: leave it out, or set it to 1");
  const auto with_pie = [](auto change) {
    return faults_after([&](auto& c) {
      c.parts.template of<RuleOptions>().rule = RuleChoice::pie;
      change(c);
    });
  };
  EXPECT_EQ(with_pie([](auto& c) { c.solver.device = ComputeOn::automatic; }), "");
  EXPECT_EQ(with_pie([](auto& c) { c.solver.loss = Loss::poisson; }),
            "solver.loss: does not go with solver.rule: pie, which replaces moduli: amplitude, or "
            "left out");
  EXPECT_EQ(with_pie([](auto& c) { c.solver.continuation = Switch::on; }),
            "solver.continuation: does not go with solver.rule: pie, which has all frequencies and "
            "slices from the start: off, or left out");
  EXPECT_EQ(
      with_pie([](auto& c) { c.parts.template of<PositionOptions>().refine = Switch::on; }),
      "positions.refine: does not go with solver.rule: pie, which moves object and probe alone: "
      "off, or left out");
  EXPECT_EQ(faults_after([](auto& c) { c.optics.source_size = 0.5; }),
            "optics.source_size: needs probe.modes above 1, as a single mode is a coherent beam");
  EXPECT_EQ(faults_after([](auto& c) {
              c.optics.focal_spread = 30;
              c.probe.modes = 3;
              c.probe.mode_power = 0.1;
            }),
            "probe.mode_power: excludes optics.focal_spread; give one of the two");
  EXPECT_EQ(faults_after([](auto& c) { c.parts.template of<ProbeLimitOptions>().aperture = 0.9; }),
            "probe.aperture: 0.9 cuts into the aperture; 1 or more is needed, or 0 for none");
  EXPECT_EQ(faults_after([](auto& c) {
              c.parts.template of<ProbeLimitOptions>().power = ProbePower::fixed;
              c.probe.refine_from = 0;
            }),
            "probe.power: limits a probe that is refined, which probe.refine_from: 0 forbids");
  EXPECT_EQ(faults_after([](auto& c) { c.optics.xray_energy = 8; }),
            "optics.xray_energy: excludes optics.energy; give one of the two");
  EXPECT_EQ(faults_after([](auto& c) { c.object.slices = 4; }),
            "object.slices: needs object.slice_thickness with more than one slice");
  EXPECT_EQ(faults_after([](auto& c) { c.output.folder.clear(); }), "output.folder: must be given");
}

TEST(Check, NothingIsSaidTwiceOfAKey) {
  const ReconstructConfig nothing;
  const auto of = [&](const std::set<std::string>& faulty) {
    std::set<std::string> keys;
    for (const auto& fault : faults_between_keys(nothing, faulty)) keys.insert(fault.key);
    return keys;
  };
  EXPECT_TRUE(of({}).contains("data.file"));
  EXPECT_FALSE(of({"data.file"}).contains("data.file"));
}

TEST(Check, EveryKeyIsItsOwn) {
  ReconstructConfig config;
  Keys all;
  keys(all, config);
  std::set<std::string> paths;
  for (const Key& key : all.all()) {
    EXPECT_TRUE(paths.insert(key.path).second) << key.path << " is declared twice";
    EXPECT_TRUE(key.formerly.empty() || paths.insert(key.formerly).second) << key.formerly;
    EXPECT_FALSE(key.doc.empty()) << key.path;
  }
}

/// 18 MB of patterns, where half of 25 MB is left for them.
TEST(Check, KeepsPatternsWhereTheRunWould) {
  const testing::TemporaryFolder folder;
  const std::filesystem::path path = std::filesystem::path(folder / "set.h5").parent_path();
  ReconstructConfig config = testing::memory_scan().config();
  config.data.file = folder / "set.h5";
  config.data.scan_shape = {33, 34};
  config.scan.step = {0.8, 0.8};
  config.output.folder = folder / "not/yet/there";
  {
    Array<float, 3> frames({33 * 34, 64, 64});
    for (i64 i = 0; i < frames.size(); ++i)
      frames.data()[i] = static_cast<float>((i * i / 7) % 13) + 0.5F;
    h5::File file = h5::File::create(config.data.file);
    file.write("/patterns", frames.view());
    file.commit();
  }
  struct Found {
    std::vector<std::string> log;
    std::size_t bytes = 0;  // of patterns, in memory
    std::vector<float> pattern = std::vector<float>(std::size_t{64} * 64);
  };
  const auto found_with = [&](double memory, Precision precision) {
    config.solver.memory = memory;
    config.solver.precision = precision;
    Found found;
    Ledger ledger = ledger_of_process();
    const Experiment e = checked_experiment(
        config, ledger, [&](const std::string& line) { found.log.push_back(line); });
    for (const auto& entry : ledger.entries())
      if (entry.name == "patterns") found.bytes = entry.now;
    e.patterns->load(700, found.pattern.data());
    return found;
  };
  const double little = 1e-9 * (double(program_bytes()) + 25e6);
  const Found in_memory = found_with(0, Precision::float32);
  EXPECT_TRUE(in_memory.log.empty());
  EXPECT_EQ(in_memory.bytes, sizeof(float) * 33 * 34 * 64 * 64);
  for (const Precision precision : {Precision::float32, Precision::float64}) {
    const Found on_disk = found_with(little, precision);
    ASSERT_EQ(on_disk.log.size(), 1U);
    EXPECT_EQ(on_disk.log.front(),
              "memory does not hold 0.0184 GB of patterns: they lie in a file in " + path.string());
    EXPECT_EQ(on_disk.bytes, Scratch::resident);
    EXPECT_EQ(on_disk.pattern, in_memory.pattern);
  }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(path), {}), 1);
}

}  // namespace
}  // namespace ptyle
