// A configuration that no YAML file was read into gets the same checks.

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <set>
#include <sstream>

#include "core/error.hpp"
#include "session/check.hpp"
#include "session/keys.hpp"
#include "solver/rules/rule_options.hpp"
#include "solver/variables/position_options.hpp"

namespace ptyle {
namespace {

/// The faults, without those of a data file that is not there.
std::string faults_after(const std::function<void(ReconstructConfig&)>& change) {
  ReconstructConfig config;
  config.data.file = "no-such.h5";
  config.output.folder = (std::filesystem::path(testing::TempDir()) / "ptyle_check").string();
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
            "poisson");
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

}  // namespace
}  // namespace ptyle
