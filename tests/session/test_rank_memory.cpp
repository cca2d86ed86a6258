#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "core/ledger.hpp"
#include "core/raster.hpp"
#include "exchange/local/team.hpp"
#include "io/temporary_folder.hpp"
#include "prepare/pattern_store.hpp"
#include "session/memory_scan.hpp"
#include "session/open_experiment.hpp"
#include "session/open_fit.hpp"
#include "session/rank_memory.hpp"
#include "session/reconstruction.hpp"
#include "session/start.hpp"
#include "session/write_object.hpp"
#include "session/write_result.hpp"
#include "solver/rules/rule_options.hpp"
#include "solver/states.hpp"
#include "solver/variables/detector_options.hpp"
#include "solver/variables/geometry_options.hpp"
#include "solver/variables/probe_limits.hpp"
#include "solver/variables/recentre.hpp"
#include "solver/variables/variable_probe_options.hpp"

namespace ptyle {
namespace {

TEST(RankMemory, ARunMayNotNeedMoreThanIsFree) {
  ReconstructConfig config;
  const std::size_t machine = machine_memory_bytes();
  EXPECT_EQ(memory_budget(config, 1, Ledger(machine / 10)), double(machine / 10));
  EXPECT_EQ(memory_budget(config, 2, Ledger(machine)),
            memory_budget(config, 2, 0.0));  // its 0.4 are free
  config.solver.memory = 3;
  EXPECT_EQ(memory_budget(config, 1, Ledger(2000000000)), 2e9);
  EXPECT_EQ(memory_budget(config, 1, Ledger(4000000000)), 3e9);
  EXPECT_EQ(memory_budget(config, 1, Ledger(4000000000, 100000000)), 2.9e9);
}

/// A budget of 400 MB leaves 64² pixels of ten slices about as much.
TEST(RankMemory, PatternsThatItDoesNotHoldAreOnDisk) {
  const auto config = testing::memory_scan().config();
  const auto patterns = testing::memory_scan().patterns();
  const auto e = open_experiment(config.data, config.calibration, config.scan, config.optics,
                                 nullptr, nullptr, &patterns);
  const Division division = divide(config, e.positions, 32, e.calibration.pixel, 1);
  EXPECT_FALSE(patterns_on_disk<float>(config, division, 0, 1.5e8, 4e8));
  EXPECT_TRUE(patterns_on_disk<float>(config, division, 0, 2.5e8, 4e8));
  const auto memory = [&](std::size_t pattern) {
    return rank_memory<float>(config, operator_setup(config, e), division, 0, 1, pattern, 4e8);
  };
  EXPECT_EQ(memory(2048).on_disk, 0);
  const RankMemory large = memory(20000000);
  EXPECT_EQ(large.on_disk, 2e7 * double(e.positions.size()));
  EXPECT_EQ(large.bytes.at("patterns"), double(Scratch::resident));
}

std::size_t peak_of(const Ledger& ledger, const char* name) {
  for (const auto& entry : ledger.entries())
    if (entry.name == name) return entry.at_peak;
  return 0;
}

RankMemory memory_of(const ReconstructConfig& config, int ranks, int rank) {
  const auto patterns = testing::memory_scan().patterns();
  const auto experiment = open_experiment(config.data, config.calibration, config.scan,
                                          config.optics, nullptr, nullptr, &patterns);
  const Division division =
      divide(config, experiment.positions, 32, experiment.calibration.pixel, ranks);
  EXPECT_EQ(division.margin > 0, config.parts.of<PositionOptions>().refine == Switch::on);
  return rank_memory<float>(config, operator_setup(config, experiment), division, rank,
                            std::max(1, config.solver.threads),
                            experiment.patterns->bytes_a_pattern(),
                            memory_budget(config, 1, Ledger(std::size_t{1} << 30)));
}

ReconstructConfig refined() {
  ReconstructConfig config = testing::memory_scan().config();
  config.parts.of<PositionOptions>() = {.refine = Switch::on, .start = 1};
  return config;
}

/// The first pattern that comes needs room before any other has left.
TEST(RankMemory, HasRoomForPatternsThatCome) {
  ReconstructConfig fixed = refined();
  fixed.parts.of<PositionOptions>().refine = Switch::off;
  for (const int ranks : {1, 4}) {
    Ledger ledger;
    const RankMemory moving = memory_of(refined(), ranks, 0);
    const double at_start = memory_of(fixed, ranks, 0).bytes.at("patterns");
    std::vector<i64> own(static_cast<std::size_t>(at_start / 2048));  // 32² of uint16
    for (std::size_t i = 0; i < own.size(); ++i) own[i] = static_cast<i64>(i);
    const auto store = make_pattern_store(own, 36, 32, 65535, 0, &ledger);
    if (ranks > 1) {
      store->take(35);
      store->drop(0);
    }
    EXPECT_EQ(moving.bytes.at("patterns"), double(peak_of(ledger, "patterns"))) << ranks;
  }
}

TEST(RankMemory, OfPositionsIsWhatARunAllocates) {
  for (const int of : {1, 6}) {
    ReconstructConfig config = testing::memory_scan().config();
    config.ranks.of = of;
    const auto team = make_local_team();
    const auto patterns = testing::memory_scan().patterns();
    const OpenFit<float> run(config, {}, *team, &patterns);
    EXPECT_EQ(double(peak_of(run.ledger, "positions")),
              memory_of(config, 1, 0).bytes.at("positions"))
        << of;
  }
}

/// The probe's derivatives, by which the curvature along a shift is found, one after the other, and
/// where positions are, once they move.
TEST(RankMemory, OfRefinedPositionsIsWhatARunAllocates) {
  for (const int modes : {1, 3}) {
    ReconstructConfig config = refined();
    config.probe.modes = modes;
    config.parts.of<RuleOptions>().rule = RuleChoice::descent;  // all at the peak at once
    const auto team = make_local_team();
    const auto patterns = testing::memory_scan().patterns();
    const OpenFit<float> run(config, {}, *team, &patterns);
    run.fit->iterate();
    EXPECT_EQ(double(peak_of(run.ledger, "probe")), memory_of(config, 1, 0).bytes.at("probe"))
        << modes;
    EXPECT_EQ(double(peak_of(run.ledger, "positions")),
              memory_of(config, 1, 0).bytes.at("positions"))
        << modes;
  }
}

/// But for what the start has beside the largest of its arrays.
TEST(RankMemory, OfAVariableProbeIsAboutWhatARunAllocates) {
  for (const int modes : {1, 3}) {
    ReconstructConfig config = testing::memory_scan().config();
    config.probe.modes = modes;
    config.parts.of<VariableProbeOptions>() = {.modes = 2, .intensity = true, .start = 1};
    const auto team = make_local_team();
    const auto patterns = testing::memory_scan().patterns();
    const OpenFit<float> run(config, {}, *team, &patterns);
    run.fit->iterate();
    run.fit->iterate();
    const double booked = double(peak_of(run.ledger, "probe")),
                 said = memory_of(config, 1, 0).bytes.at("probe");
    EXPECT_LE(booked, said) << modes;
    EXPECT_GT(booked, 0.8 * said) << modes;
  }
}

TEST(RankMemory, OfSeveralStatesIsWhatARunAllocates) {
  for (const int modes : {1, 3}) {
    ReconstructConfig config = testing::memory_scan().config();
    config.probe.modes = modes;
    config.parts.of<StatesOptions>().states = 2;
    const auto team = make_local_team();
    const auto patterns = testing::memory_scan().patterns();
    const OpenFit<float> run(config, {}, *team, &patterns);
    run.fit->iterate();
    run.fit->iterate();
    static_cast<void>(run.fit->patterns({0}));
    const RankMemory said = memory_of(config, 1, 0);
    for (const char* name : {"probe", "object", "gradient", "transmission"})
      EXPECT_EQ(double(peak_of(run.ledger, name)), said.bytes.at(name)) << name << ' ' << modes;
  }
}

/// The copy of the probe that its limits look at, at the start or, from a GPU, in every mini-batch.
TEST(RankMemory, OfALimitedProbeIsAboutWhatARunAllocates) {
  ReconstructConfig config = testing::memory_scan().config();
  config.probe.modes = 3;
  config.parts.of<ProbeLimitOptions>() = {.support = 3, .aperture = 1.2};
  const auto team = make_local_team();
  const auto patterns = testing::memory_scan().patterns();
  const OpenFit<float> run(config, {}, *team, &patterns);
  run.fit->iterate();
  const double booked = double(peak_of(run.ledger, "probe")),
               said = memory_of(config, 1, 0).bytes.at("probe");
  EXPECT_LE(booked, said);
  EXPECT_GT(booked, 0.6 * said);
}

/// All names at the peak but the program and the few numbers that mini-batches sum.
std::map<std::string, double> peak_of(const Ledger& ledger) {
  std::map<std::string, double> bytes;
  for (const auto& entry : ledger.entries())
    if (entry.name != "program" && entry.name != "sums" && entry.at_peak > 0)
      bytes[entry.name] = double(entry.at_peak);
  return bytes;
}

/// A configuration of which a run's memory is foretold name by name, to the byte.
struct Foretold {
  const char* what;
  void (*set)(ReconstructConfig&);
};

const std::vector<Foretold>& foretold() {
  using Config = ReconstructConfig;
  static const std::vector<Foretold> all{
      {"many modes", [](Config& c) { c.probe.modes = 64; }},
      {"many states", [](Config& c) { c.parts.of<StatesOptions>().states = 64; }},
      {"states of modes",
       [](Config& c) { c.probe.modes = 3, c.parts.of<StatesOptions>().states = 8; }},
      {"a source", [](Config& c) { c.probe.modes = 16, c.optics.source_size = 0.6; }},
      {"gain and background",
       [](Config& c) {
         c.parts.of<DetectorOptions>() = {{"gain", "background"}, 1};
       }},
      {"background of many modes",
       [](Config& c) {
         c.probe.modes = 64, c.parts.of<DetectorOptions>().refine = {"background"};
       }},
      {"geometry",
       [](Config& c) {
         c.probe.modes = 8;
         c.parts.of<GeometryOptions>().refine = {"defocus", "astigmatism", "thickness"};
       }},
      {"descan",
       [](Config& c) { c.probe.modes = 8, c.parts.of<GeometryOptions>().refine = {"descan"}; }},
      {"moving positions",
       [](Config& c) {
         c.probe.modes = 8;
         c.parts.of<PositionOptions>() = {.refine = Switch::on, .start = 1};
         c.parts.of<RuleOptions>().rule = RuleChoice::descent;
       }},
      {"estimated steps",
       [](Config& c) { c.probe.modes = 8, c.parts.of<RuleOptions>().rule = RuleChoice::descent; }},
      {"products",
       [](Config& c) {
         c.probe.modes = 8, c.parts.of<RuleOptions>().rule = RuleChoice::gauss_newton;
         c.parts.of<RuleOptions>().preconditioner = PreconditionerChoice::illumination;
         c.solver.batches = 0;
       }},
      {"two threads", [](Config& c) { c.probe.modes = 8, c.solver.threads = 2; }},
      {"an object kept centred",
       [](Config& c) { c.probe.modes = 8, c.parts.of<RecentreOptions>().every = 1; }},
      {"waves made again", [](Config& c) { c.probe.modes = 8, c.solver.memory = 1e-6; }},
      {"a limited probe", [](Config& c) {
         c.probe.modes = 8, c.parts.of<ProbeLimitOptions>() = {.support = 3, .aperture = 1.2};
       }}};
  return all;
}

/// The waves by which transfer is measured are gone while gradients are made, and counted there.
TEST(RankMemory, OfWhatTheMicroscopeTransfersIsAboutWhatARunAllocates) {
  ReconstructConfig config = testing::memory_scan().config();
  config.probe.modes = 8, config.solver.batches = 1;
  config.parts.of<RuleOptions>().rule = RuleChoice::lbfgs;
  config.parts.of<RuleOptions>().preconditioner = PreconditionerChoice::transfer;
  const auto team = make_local_team();
  const auto patterns = testing::memory_scan().patterns();
  const OpenFit<float> run(config, {}, *team, &patterns);
  for (int i = 0; i < 3; ++i) run.fit->iterate();
  double booked = 0;
  for (const auto& [name, bytes] : peak_of(run.ledger)) booked += bytes;
  const double said = sum_of(memory_of(config, 1, 0).bytes);
  EXPECT_LE(booked, said);
  EXPECT_GT(booked, 0.9 * said);
}

TEST(RankMemory, OfAllNamesIsWhatARunAllocates) {
  for (const auto& [what, set] : foretold())
    for (const int slices : {1, 2}) {
      SCOPED_TRACE(::testing::Message() << what << ", " << slices << " slices");
      ReconstructConfig config = testing::memory_scan().config();
      config.object.slices = slices;
      config.solver.continuation = Switch::off;
      set(config);
      if (slices == 1) std::erase(config.parts.of<GeometryOptions>().refine, "thickness");
      const auto team = make_local_team();
      const auto patterns = testing::memory_scan().patterns();
      const OpenFit<float> run(config, {}, *team, &patterns);
      for (int i = 0; i < 5; ++i) run.fit->iterate();
      static_cast<void>(run.fit->patterns({0, 7}));
      auto said = memory_of(config, 1, 0).bytes;
      std::erase_if(said, [](const auto& one) { return one.second == 0; });
      EXPECT_EQ(peak_of(run.ledger), said);
    }
}

/// The columns by which the modes of a large source are found are more than a small fit has.
TEST(RankMemory, OfTheStartIsWhatARunAllocates) {
  ReconstructConfig config = testing::memory_scan().config();
  config.object.slices = 1;
  config.probe.modes = 2;
  config.optics.source_size = 2;
  const auto team = make_local_team();
  const auto patterns = testing::memory_scan().patterns();
  const OpenFit<float> run(config, {}, *team, &patterns);
  const auto experiment =
      plan_experiment(config.data, config.calibration, config.scan, config.optics, &patterns);
  RankMemory memory = memory_of(config, 1, 0);
  const Division division =
      divide(config, experiment.positions, 32, experiment.calibration.pixel, 1);
  add_starting<float>(memory, operator_setup(config, experiment), division, 0,
                      start_probe_bytes(config.probe, experiment));
  EXPECT_GT(sum_of(memory.starting), sum_of(memory.bytes));
  EXPECT_EQ(&memory.at_the_peak(), &memory.starting);
  // The lists of positions are there already, and booked with the fit.
  EXPECT_EQ(double(run.ledger.peak() - run.ledger.program()) + memory.starting.at("positions"),
            sum_of(memory.starting));
}

/// Of others' positions a rank has but what is booked.
TEST(RankMemory, OfPositionsIsThatOfTheDivisionAlone) {
  const auto team = make_local_team();
  const auto patterns = testing::memory_scan().patterns();
  const ReconstructConfig config = testing::memory_scan().config();
  const OpenFit<float> run(config, {}, *team, &patterns);
  EXPECT_EQ(peak_of(run.ledger, "positions"), 36 * (sizeof(Position) + 3 * sizeof(i64)));
  EXPECT_EQ(double(peak_of(run.ledger, "positions")),
            memory_of(config, 1, 0).bytes.at("positions"));
  EXPECT_TRUE(run.experiment.positions.empty());
  EXPECT_EQ(run.positions_at_start().size(), 36U);
}

/// Few patterns on a wide object: the fit takes little, and writing its result as much as ever.
TEST(RankMemory, CountsWhatWritingTheResultTakes) {
  ReconstructConfig config;
  config.output.folder = "out";
  config.object.slices = 2;
  OperatorSetup setup;
  setup.window = 32;
  setup.slices = 2;
  const auto positions = positions_of(Raster{{4, 4}, {300, 300}});
  for (const int ranks : {1, 4}) {
    const Division division =
        divide(positions, 32, 1, config.ranks, ranks,
               exchanged_planes(setup.slices, setup.absorption), sizeof(float));
    const i64 rows = division.frame.rows, cols = division.frame.cols;
    const auto of = [&](int rank) {
      return rank_memory<float>(config, setup, division, rank, 1, 1024, 1e9);
    };
    const auto files = [&] {
      return writing_memory({2, rows, cols}, false, 1, 32, 16,
                            {.pictures = config.output.pictures, .tiff = config.output.tiff});
    };
    config.output.pictures = config.output.tiff = false;
    const RankMemory bare = of(0);
    // It keeps the object and the probe.
    EXPECT_EQ(bare.writing.at("object"), 8 * double(division.sharing.mesh.extended(0).area()));
    const double slab = 4 * double(rows_at_a_time(rows, cols) * cols);
    const auto rows_of = [&](int rank) {
      return object_writing_bytes(division.sharing.mesh, rank, {{2, rows, cols}});
    };
    EXPECT_EQ(bare.writing.at("result"), files().result + rows_of(0));
    // One alone has its rows in place; of several each gets a slab, what comes for it, and sends
    // the rest of its core.
    if (ranks == 1) {
      EXPECT_EQ(rows_of(0), slab);
    } else {
      EXPECT_GT(rows_of(0), 2 * slab);
      EXPECT_LE(rows_of(0), 4 * slab);
    }
    EXPECT_EQ(bare.bytes.at("result"), gathering_bytes(16));
    EXPECT_EQ(bare.total(), std::max(sum_of(bare.writing), sum_of(bare.bytes)));
    if (ranks > 1) {  // others write, too
      EXPECT_EQ(of(1).writing.at("result"), rows_of(1));
    }
    config.output.pictures = config.output.tiff = true;
    // Drawing takes more than all that, of an object of a megapixel.
    EXPECT_EQ(sum_of(of(0).writing), files().copies);
    EXPECT_EQ(of(0).total(), files().copies);
    EXPECT_EQ(of(0).bytes, bare.bytes);
  }
  config.output.folder.clear();  // nothing is written
  const Division division = divide(positions, 32, 1, config.ranks, 1, 3, sizeof(float));
  EXPECT_TRUE(rank_memory<float>(config, setup, division, 0, 1, 1024, 1e9).writing.empty());
}

TEST(RankMemory, ThatCannotBeKeptToIsSaid) {
  for (const int ranks : {1, 3}) {
    std::vector<std::string> warnings;
    ReconstructCallbacks callbacks;
    callbacks.warn = [&](const std::string& line) {
      if (line.starts_with("solver.memory")) warnings.push_back(line);
    };
    ReconstructConfig config = testing::memory_scan().config();
    const auto team = make_local_team(ranks);
    for (const double memory : {1e-3, 100.0, 0.0}) {
      config.solver.memory = memory;
      const Reconstruction run(config, testing::memory_scan().patterns(), *team, callbacks);
    }
    ASSERT_EQ(warnings.size(), 1U);
    EXPECT_TRUE(
        testing::says(warnings.front(), {"0.001 GB cannot be kept to, a rank needs", "at least"}));
  }
}

}  // namespace
}  // namespace ptyle
