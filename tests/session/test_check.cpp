// A configuration that no YAML file was read into gets the same checks.

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <set>
#include <sstream>

#include "core/error.hpp"
#include "core/ledger.hpp"
#include "core/scratch.hpp"
#include "exchange/local/team.hpp"
#include "io/hdf5.hpp"
#include "io/result.hpp"
#include "io/temporary_folder.hpp"
#include "session/check.hpp"
#include "session/keys.hpp"
#include "session/memory_scan.hpp"
#include "session/reconstruction.hpp"
#include "solver/rules/rule_options.hpp"
#include "solver/states.hpp"
#include "solver/variables/detector_options.hpp"
#include "solver/variables/geometry_options.hpp"
#include "solver/variables/position_options.hpp"
#include "solver/variables/probe_limits.hpp"
#include "solver/variables/recentre.hpp"
#include "solver/variables/variable_probe_options.hpp"

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

TEST(Check, StepsBetweenSums) {
  const auto with_local_steps = [](auto change) {
    return faults_after([&](auto& c) {
      c.ranks.local_positions = 2;
      change(c);
    });
  };
  const std::string needs_sums =
      "needs gradients that are summed over the ranks after each mini-batch: leave it out, or else "
      "ranks.update, ranks.local_positions, ranks.exchange_behind and exchanges of voxels";
  EXPECT_EQ(with_local_steps([](auto&) {}), "");
  EXPECT_EQ(
      with_local_steps([](auto& c) { c.parts.template of<DetectorOptions>().refine = {"gain"}; }),
      "detector.refine: " + needs_sums);
  EXPECT_EQ(
      with_local_steps([](auto& c) { c.parts.template of<PositionOptions>().refine = Switch::on; }),
      "positions.refine: " + needs_sums);
  const auto behind = [](auto& c) { c.ranks.exchange_behind = true; };
  EXPECT_EQ(faults_after(behind), "");
  EXPECT_EQ(with_local_steps(behind),
            "ranks.exchange_behind: its exchange belongs to one step per mini-batch, not to "
            "ranks.update: literal or ranks.local_positions");
  const auto with_rule = [](RuleChoice rule, auto change) {
    return faults_after([&](auto& c) {
      c.parts.template of<RuleOptions>().rule = rule;
      change(c);
    });
  };
  const auto local = [](auto& c) { c.ranks.local_positions = 2; };
  for (const auto rule : {RuleChoice::momentum, RuleChoice::adam})
    for (const std::string& said : {with_rule(rule, local), with_rule(rule, [](auto& c) {
                                      c.ranks.exchange = Scheme::voxel;
                                    })})
      EXPECT_EQ(said,
                "solver.rule: needs gradients summed after each mini-batch; with ranks.update: "
                "literal, ranks.local_positions, ranks.exchange_behind or exchanges of voxels only "
                "descent works: leave it out, or else these");
  EXPECT_EQ(with_rule(RuleChoice::descent, local), "");
}

TEST(Check, States) {
  const auto with_states = [](auto change) {
    return faults_after([&](auto& c) {
      c.parts.template of<StatesOptions>().states = 2;
      change(c);
    });
  };
  EXPECT_EQ(with_states([](auto&) {}), "");
  EXPECT_TRUE(testing::says(with_states([](auto& c) {
                              auto& rule = c.parts.template of<RuleOptions>();
                              rule.rule = RuleChoice::lbfgs;
                              rule.preconditioner = PreconditionerChoice::transfer;
                              c.parts.template of<RecentreOptions>().every = 2;
                              c.parts.template of<VariableProbeOptions>().modes = 1;
                            }),
                            {"solver.preconditioner: does not go with object.states",
                             "object.recentre_z: ", "probe.variable: does not go"}));
  EXPECT_TRUE(testing::says(
      with_states([](auto& c) { c.parts.template of<RuleOptions>().rule = RuleChoice::pie; }),
      {"solver.rule: does not go with object.states, as pie updates one object: choose another "
       "rule"}));
}

TEST(Check, SlicesOfAFittedGeometry) {
  const auto refining = [](const char* word, int slices, Switch schedule) {
    return faults_after([&](auto& c) {
      c.parts.template of<GeometryOptions>().refine = {word};
      c.object.slices = slices;
      c.object.slice_thickness = 5;
      c.solver.continuation = schedule;
    });
  };
  EXPECT_EQ(refining("tilt", 4, Switch::automatic), "");  // the measurement says
  EXPECT_EQ(refining("tilt", 4, Switch::on), "");
  EXPECT_EQ(refining("tilt", 4, Switch::off),
            "geometry.refine: tilt needs slices that are alike, as free ones take it up as their "
            "shear: set solver.continuation: on, penalty.along_z or object.blur_z");
  EXPECT_EQ(refining("thickness", 4, Switch::off), "");
  for (const char* word : {"thickness", "tilt"})
    EXPECT_EQ(refining(word, 1, Switch::on),
              "geometry.refine: a single slice has neither thickness nor tilt: leave them out, or "
              "set object.slices");
  EXPECT_EQ(refining("tilted", 1, Switch::off).find("geometry.refine: 'tilted' is none of"), 0U);
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

/// What the data have a say in is refused as the run would, and by the same words.
class CheckAndRun : public ::testing::Test {
 protected:
  template <class Change>
  [[nodiscard]] ReconstructConfig run_of(Change&& change) const {
    ReconstructConfig config = testing::memory_scan().config();
    config.data.file = file_;
    config.scan.positions = "/positions";
    config.output.folder = folder_ / "out";
    change(config);
    return config;
  }
  template <class Change>
  [[nodiscard]] std::string both_say(Change&& change, int ranks = 1) const {
    const ReconstructConfig config = run_of(change);
    const std::string run = testing::message_of<UserError>([&] {
      const auto team = make_local_team(ranks);
      Reconstruction started(config, *team);
    });
    const std::string check = testing::message_of<UserError>([&] {
      Ledger ledger;
      (void)checked_experiment(checked(config).config, ranks, ledger, [](const std::string&) {});
    });
    EXPECT_EQ(check, run);
    return check;
  }
  const testing::TemporaryFolder folder_;
  const std::string file_ = testing::memory_scan().write(folder_ / "set.h5");
};

TEST_F(CheckAndRun, SayTheSame) {
  EXPECT_EQ(both_say([](auto&) {}), "");
  EXPECT_TRUE(testing::says(both_say([](auto& c) {  // thin: no schedule holds its slices alike
                              c.parts.template of<GeometryOptions>().refine = {"tilt"};
                            }),
                            {"geometry.refine: tilt needs slices that are alike"}));
  const std::string earlier = folder_ / "earlier.h5";
  {
    Result result = testing::result_of(testing::memory_scan().config());
    write_result(earlier, result, false);
    result.pixel_size *= 2;
    write_result(folder_ / "coarse.h5", result, false);
    result.probe = Array<Complex<float>, 3>({1, 16, 16});
    write_result(folder_ / "small.h5", result, false);
  }
  EXPECT_EQ(both_say([&](auto& c) { c.object.start = earlier; }), "");
  EXPECT_TRUE(testing::says(both_say([&](auto& c) { c.object.start = folder_ / "coarse.h5"; }),
                            {"object.start", "pixels of 0.4"}));
  EXPECT_TRUE(testing::says(both_say([&](auto& c) { c.probe.start = folder_ / "small.h5"; }),
                            {"probe.start", "16 x 16 pixels"}));
}

TEST_F(CheckAndRun, SayTheSameOfSeveralRanks) {
  EXPECT_EQ(both_say([](auto& c) { c.ranks.mesh = {1, 2}; }, 2), "");
  EXPECT_TRUE(testing::says(both_say(
                                [](auto& c) {
                                  c.ranks.mesh = {2, 3};
                                },
                                2),
                            {"ranks.mesh: 2 x 3 tiles are 6 ranks, but 2 were started"}));
  EXPECT_TRUE(testing::says(both_say(
                                [](auto& c) {
                                  c.ranks.exchange_behind = true;
                                  c.parts.template of<VariableProbeOptions>().modes = 1;
                                },
                                2),
                            {"ranks.exchange_behind"}));
  EXPECT_TRUE(testing::says(
      both_say([](auto& c) { c.parts.template of<RuleOptions>().rule = RuleChoice::pie; }, 2),
      {"solver.rule"}));
}

TEST(Check, IsForTheRanksOfTheMesh) {
  EXPECT_EQ(ranks_to_check({}), 1);
  RanksConfig six;
  six.mesh = {2, 3};
  EXPECT_EQ(ranks_to_check(six), 6);
}

TEST_F(CheckAndRun, NeedNoStartOfARunThatGoesOn) {
  Result result = testing::result_of(testing::memory_scan().config());
  const auto from_earlier = [&](auto& c) {
    c.object.start = folder_ / "object.h5";
    c.probe.start = folder_ / "probe.h5";
  };
  const auto write_both = [&] {
    for (const char* name : {"object.h5", "probe.h5"}) write_result(folder_ / name, result, true);
  };
  write_both();
  {
    const ReconstructConfig config = run_of(from_earlier);
    const auto team = make_local_team();
    Reconstruction run(config, *team);
    run.step();
    run.save(config.output.folder);
  }
  result.pixel_size *= 2;
  result.probe = Array<Complex<float>, 3>({1, 16, 16});
  write_both();
  EXPECT_TRUE(testing::says(both_say(from_earlier), {"object.start", "pixels of 0.4"}));
  EXPECT_EQ(both_say([&](auto& c) { from_earlier(c), c.output.resume = true; }), "");
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
        config, 1, ledger, [&](const std::string& line) { found.log.push_back(line); });
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
