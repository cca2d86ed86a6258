// A reconstruction as an object: step by step it is what reconstruct() does, and its result is what
// is written.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>

#include "core/error.hpp"
#include "core/ledger.hpp"
#include "exchange/local/team.hpp"
#include "io/temporary_folder.hpp"
#include "session/memory_scan.hpp"
#include "session/reconstruct.hpp"
#include "solver/rules/rule_options.hpp"
#include "solver/variables/variable_probe_options.hpp"

namespace ptyle {
namespace {

namespace fs = std::filesystem;
using testing::memory_scan;
using testing::MemoryScan;
using testing::message_of;
using testing::says;
using testing::TemporaryFolder;

template <class T, int N>
bool same(const Array<T, N>& a, const Array<T, N>& b) {
  return a.shape() == b.shape() && std::equal(a.begin(), a.end(), b.begin());
}

void expect_same(const Result& a, const Result& b) {
  EXPECT_TRUE(same(a.phase, b.phase));
  EXPECT_TRUE(same(a.absorption, b.absorption));
  EXPECT_TRUE(same(a.probe, b.probe));
  EXPECT_EQ(a.history.cost, b.history.cost);
  EXPECT_EQ(a.history.r_factor, b.history.r_factor);
  EXPECT_EQ(a.history.r_held_out, b.history.r_held_out);
  EXPECT_EQ(a.history.r_held_out_pixels, b.history.r_held_out_pixels);
  EXPECT_EQ(a.history.passes, b.history.passes);
  EXPECT_EQ(a.ended, b.ended);
  ASSERT_EQ(a.positions.size(), b.positions.size());
  for (std::size_t i = 0; i < a.positions.size(); ++i) {
    EXPECT_EQ(a.positions[i].row, b.positions[i].row);
    EXPECT_EQ(a.positions[i].col, b.positions[i].col);
  }
  ASSERT_TRUE(a.origin && b.origin);
  EXPECT_EQ(a.origin->row, b.origin->row);
  EXPECT_EQ(a.pixel_size, b.pixel_size);
  EXPECT_EQ(a.slice_thickness, b.slice_thickness);
  EXPECT_EQ(a.energy_kV, b.energy_kV);
  EXPECT_EQ(a.units, b.units);
  EXPECT_EQ(a.config, b.config);
}

Result stepped(const ReconstructConfig& config, const MemoryScan& scan, int ranks) {
  const auto team = make_local_team(ranks);
  Reconstruction run(config, scan.patterns(), *team, {}, "text");
  while (!run.finished()) run.step();
  return run.result();
}

/// The same scan as a file, by reconstruct().
Result from_file(ReconstructConfig config, const MemoryScan& scan, int ranks,
                 const ReconstructCallbacks& callbacks = {}) {
  const TemporaryFolder folder;
  config.data.file = scan.write(folder / "scan.h5");
  config.scan.positions = "/positions";
  config.output.folder = folder / "out";
  config.output.tiff = config.output.pictures = false;
  EXPECT_TRUE(reconstruct(config, "text", callbacks, *make_local_team(ranks)));
  return read_result(config.output.folder + "/result.h5");
}

class ReconstructionOnRanks : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(OneAndFour, ReconstructionOnRanks, ::testing::Values(1, 4));

TEST_P(ReconstructionOnRanks, StepByStepFromMemoryIsReconstructFromAFile) {
  expect_same(stepped(memory_scan().config(), memory_scan(), GetParam()),
              from_file(memory_scan().config(), memory_scan(), GetParam()));
}

TEST_P(ReconstructionOnRanks, InDoublePrecisionOfFloatsWithAbsorptionAndHeldOutData) {
  ReconstructConfig config = memory_scan().config();
  config.solver.precision = Precision::float64;
  config.object.type = ObjectType::complex;
  config.solver.hold_out = 0.2;
  config.solver.hold_out_pixels = 0.1;
  config.probe.modes = 2;
  const MemoryScan floats(true);
  const Result result = stepped(config, floats, GetParam());
  EXPECT_FALSE(result.absorption.empty());
  EXPECT_EQ(result.history.r_held_out.size(), 3U);
  EXPECT_EQ(result.history.r_held_out_pixels.size(), 3U);
  EXPECT_EQ(result.probe.shape()[0], 2);
  expect_same(result, from_file(config, floats, GetParam()));
}

TEST_P(ReconstructionOnRanks, ItsResultIsWhatIsWritten) {
  const TemporaryFolder folder;
  const auto team = make_local_team(GetParam());
  Reconstruction run(memory_scan().config(), memory_scan().patterns(), *team, {}, "text");
  run.step();
  run.write(folder / "first", {.pictures = false, .tiff = false});
  expect_same(run.result(), read_result(folder / "first/result.h5"));
  EXPECT_FALSE(fs::exists(folder / "first/phase.tif"));
  run.step();  // goes on
  const Result last = run.result();
  EXPECT_EQ(last.history.cost.size(), 2U);
  write_outputs(last, folder / "value", {});
  EXPECT_TRUE(fs::exists(folder / "value/phase-sum.png"));
  std::move(run).write(folder / "value", {.overwrite = true});
  expect_same(last, read_result(folder / "value/result.h5"));
  EXPECT_THROW(run.step(), std::logic_error);
}

TEST_P(ReconstructionOnRanks, StopsBetweenMiniBatchesAndGoesOnWithTheSameBits) {
  const auto team = make_local_team(GetParam());
  int asked = 0;
  bool stops = true;
  ReconstructCallbacks callbacks;
  callbacks.stop = [&] { return ++asked, stops; };
  std::vector<int> reported;
  callbacks.progress = [&](const Progress& p) { reported.push_back(p.iteration); };
  Reconstruction run(memory_scan().config(), memory_scan().patterns(), *team, callbacks, "text");
  const Progress first = run.step();
  EXPECT_FALSE(first.whole);
  EXPECT_EQ(first.iteration, 1);
  EXPECT_EQ(asked, 1);
  EXPECT_TRUE(run.history().cost.empty());
  stops = false;
  int paused = 0;
  EXPECT_FALSE(run.step([&] { return ++paused == 2; }).whole);
  while (!run.finished()) EXPECT_TRUE(run.step().whole);
  EXPECT_EQ(reported, (std::vector<int>{1, 2, 3}));
  expect_same(run.result(), stepped(memory_scan().config(), memory_scan(), GetParam()));
}

TEST_P(ReconstructionOnRanks, GoesOnFromACheckpointThatItSaved) {
  const TemporaryFolder folder;
  ReconstructConfig config = memory_scan().config();
  config.output.folder = folder / "saved";
  {
    const auto team = make_local_team(GetParam());
    Reconstruction run(config, memory_scan().patterns(), *team);
    run.step();
    run.save(config.output.folder);
    run.step();  // which the checkpoint knows nothing of
  }
  config.output.resume = true;
  const auto team = make_local_team(GetParam());
  Reconstruction run(config, memory_scan().patterns(), *team, {}, "text");
  EXPECT_EQ(run.history().cost.size(), 1U);
  while (!run.finished()) run.step();
  expect_same(run.result(), stepped(memory_scan().config(), memory_scan(), GetParam()));
}

TEST_P(ReconstructionOnRanks, ShowsItsStateWhileItRuns) {
  const auto team = make_local_team(GetParam());
  Reconstruction run(memory_scan().config(), memory_scan().patterns(), *team);
  const ObjectValues before = run.object();
  EXPECT_TRUE(
      std::all_of(before.phase.begin(), before.phase.end(), [](float v) { return v == 0; }));
  EXPECT_EQ(before.absorption.shape(), before.phase.shape());  // of several slices, by default
  run.step();
  const ObjectValues after = run.object();
  EXPECT_FALSE(same(before.phase, after.phase));
  EXPECT_TRUE(same(after.phase, run.field("phase")));
  EXPECT_TRUE(same(after.phase, run.result().phase));
  EXPECT_EQ(run.probe().shape(), (std::array<i64, 3>{1, MemoryScan::window, MemoryScan::window}));
  EXPECT_EQ(run.positions().size(), memory_scan().positions().size());
  const auto fields = run.fields();
  const auto phase = std::find_if(fields.begin(), fields.end(),
                                  [](const FieldFacts& f) { return f.name == "phase"; });
  ASSERT_NE(phase, fields.end());
  EXPECT_EQ(phase->shape, after.phase.shape());
  EXPECT_TRUE(phase->saved && phase->on_object);
  EXPECT_THROW((void)run.field("probe"), std::out_of_range);  // no voxels
  EXPECT_THROW((void)run.field("pressure"), std::out_of_range);
}

TEST_P(ReconstructionOnRanks, HasAVariableProbeAndGoesOnWithIt) {
  const TemporaryFolder folder;
  ReconstructConfig config = memory_scan().config();
  config.parts.of<VariableProbeOptions>() = {.modes = 2, .intensity = true, .start = 2};
  config.output.folder = folder / "run";
  const auto run_on = [&](int to) {
    const auto team = make_local_team(GetParam());
    Reconstruction run(config, memory_scan().patterns(), *team);
    for (int i = static_cast<int>(run.history().cost.size()); i < to; ++i) run.step();
    if (to == 2) run.save(config.output.folder);
    return run.result();
  };
  const Result whole = run_on(3);
  run_on(2);
  config.output.resume = true;
  const Result resumed = run_on(3);
  EXPECT_EQ(whole.probe.shape(), (std::array<i64, 3>{1, MemoryScan::window, MemoryScan::window}));
  EXPECT_EQ(whole.variable_modes.shape(),
            (std::array<i64, 3>{2, MemoryScan::window, MemoryScan::window}));
  const std::size_t positions = memory_scan().positions().size();
  EXPECT_EQ(whole.mixtures.size(), 2 * positions);
  double intensity = 0;
  for (const double f : whole.intensities) intensity += f / double(positions);
  EXPECT_NEAR(intensity, 1, 1e-6);
  EXPECT_EQ(resumed.mixtures, whole.mixtures);
  EXPECT_EQ(resumed.intensities, whole.intensities);
  EXPECT_TRUE(same(resumed.variable_modes, whole.variable_modes));
  EXPECT_TRUE(same(resumed.phase, whole.phase));
}

/// 18 MB of patterns, where half of 25 MB is left for them; what is there of them fits, and so does
/// all that the operator would have otherwise.
TEST_P(ReconstructionOnRanks, WithPatternsOnTheDiskItIsTheSame) {
  Array<float, 3> frames({33 * 34, 64, 64});
  for (i64 i = 0; i < frames.shape()[0]; ++i)
    for (i64 y = 0; y < 64; ++y)
      for (i64 x = 0; x < 64; ++x)
        frames(i, y, x) = std::hypot(double(y - 32), double(x - 32)) < 10
                              ? static_cast<float>(20 + (i * i + 7 * y + 3 * x * y) % 13)
                              : 0.5F;
  ReconstructConfig config = testing::memory_scan().config();
  config.data.scan_shape = {33, 34};
  config.scan.step = {0.8, 0.8};
  config.object.slices = 1;
  config.solver.iterations = 1;
  bool on_disk = false;
  ReconstructCallbacks callbacks;
  callbacks.log = [&](const std::string& line) {
    on_disk = on_disk || says(line, {"of patterns", "they lie in a file"});
  };
  const auto phase_of = [&](double memory) {
    config.solver.memory = memory;
    const auto team = make_local_team(GetParam());
    Reconstruction run(config, PatternsInMemory{frames.view()}, *team, callbacks);
    run.step();
    return run.object().phase;
  };
  const auto in_memory = phase_of(0);
  EXPECT_FALSE(on_disk);
  const auto from_disk = phase_of(1e-9 * (double(program_bytes()) + 25e6));
  EXPECT_TRUE(on_disk);
  EXPECT_TRUE(same(in_memory, from_disk));
}

TEST(Reconstruction, CanBeMoved) {
  const auto team = make_local_team();
  std::optional<Reconstruction> moved;
  {
    Reconstruction run(memory_scan().config(), memory_scan().patterns(), *team, {}, "text");
    run.step();
    moved.emplace(std::move(run));
  }
  while (!moved->finished()) moved->step();
  expect_same(moved->result(), stepped(memory_scan().config(), memory_scan(), 1));
}

TEST(Reconstruction, NeedsItsPatternsOnlyWhileItIsOpened) {
  const auto team = make_local_team();
  auto scan = std::make_unique<MemoryScan>();
  Reconstruction run(scan->config(), scan->patterns(), *team, {}, "text");
  scan.reset();
  while (!run.finished()) run.step();
  expect_same(run.result(), stepped(memory_scan().config(), memory_scan(), 1));
}

TEST(Reconstruction, RefusesWhatIsGivenTwiceOrNotAtAll) {
  const auto team = make_local_team();
  const auto refused = [&](const auto& change) {
    ReconstructConfig config = memory_scan().config();
    PatternsInMemory patterns = memory_scan().patterns();
    change(config, patterns);
    return message_of<UserError>([&] { Reconstruction(config, patterns, *team); });
  };
  using Config = ReconstructConfig;
  using Patterns = PatternsInMemory;
  EXPECT_TRUE(says(refused([](Config& c, Patterns&) { c.data.file = "scan.h5"; }), {"data.file"}));
  EXPECT_TRUE(says(refused([](Config& c, Patterns&) { c.scan.positions = "/positions"; }),
                   {"scan.positions", "memory"}));
  EXPECT_TRUE(says(refused([](Config& c, Patterns&) {
                     c.scan.step = {1, 1};
                   }),
                   {"scan.step", "memory"}));
  EXPECT_TRUE(says(refused([](Config&, Patterns& p) { p.frames = View<const float, 3>{}; }),
                   {"(N, ky, kx)"}));
  EXPECT_TRUE(says(refused([](Config&, Patterns& p) { p.positions.pop_back(); }),
                   {"positions", "patterns in memory"}));
  EXPECT_TRUE(says(refused([](Config&, Patterns& p) { p.positions.clear(); }), {"no positions"}));
  EXPECT_TRUE(says(refused([](Config& c, Patterns&) { c.data.mask = "/mask"; }),
                   {"data.mask", "file.h5:/dataset"}));
  Array<std::uint8_t, 2> small({3, 3});
  EXPECT_TRUE(
      says(refused([&](Config&, Patterns& p) { p.bad = small.view(); }), {"in memory", "3 x 3"}));
}

TEST(Reconstruction, SaysAllMistakesOfAConfigurationAtOnce) {
  const auto team = make_local_team();
  ReconstructConfig config;
  config.data.file = "no-such.h5";
  config.calibration.pixel_size = 0.2;
  config.calibration.dk = 0.1;
  config.optics.energy = -300;
  config.object.slices = 3;
  config.solver.batches = -1;
  EXPECT_EQ(
      message_of<UserError>([&] { Reconstruction(config, *team); }),
      "the configuration has 5 faults\n"
      "  optics.energy: -300 kV is out of its limits; it must be a number, above 0 and at most "
      "10000 kV\n"
      "  solver.batches: -1 is out of its limits; it must be a whole number, 0 or more\n"
      "  data.file: there is no file no-such.h5\n"
      "  calibration.dk: only one calibration may be given, there are 2: "
      "calibration.pixel_size, calibration.dk\n"
      "  object.slices: needs object.slice_thickness with more than one slice");
  // A run needs the folder too, whoever starts it.
  EXPECT_TRUE(says(message_of<UserError>([&] { reconstruct(config, "", {}, *team); }),
                   {"6 faults", "output.folder: must be given"}));
}

TEST(Reconstruction, SaysAllMistakesBesidePatternsInMemoryAtOnce) {
  const auto team = make_local_team();
  const auto message = [&](const ReconstructConfig& config, const PatternsInMemory& patterns) {
    return message_of<UserError>([&] { Reconstruction(config, patterns, *team); });
  };
  const PatternsInMemory patterns = memory_scan().patterns();
  ReconstructConfig config;
  config.calibration.pixel_size = 0.2;
  EXPECT_EQ(message(config, patterns),
            "probe.start: optics needs optics.energy; otherwise the start is mean or a file");
  config.optics.energy = 300;
  EXPECT_EQ(message(config, patterns),
            "probe.start: optics needs optics.semi_angle; otherwise the start is mean or a file");
  config.calibration.pixel_size = 0;
  config.data.file = "scan.h5";
  config.scan.rotation = 20;
  config.object.start = "no-such.h5";
  EXPECT_EQ(message(config, patterns),
            "the configuration has 5 faults\n"
            "  object.start: there is no file no-such.h5\n"
            "  data.file: patterns in memory are given too; one of the two is needed\n"
            "  calibration: one of these must be given: calibration.pixel_size, calibration.dk, "
            "calibration.mrad_per_pixel, calibration.max_angle, calibration.disc_radius, "
            "calibration.fit_disc\n"
            "  scan.rotation: belongs to scan.step; positions in memory are final\n"
            "  probe.start: optics needs optics.semi_angle; otherwise the start is mean or a file");
  // Without any unit of length, as positions in pixels are.
  ReconstructConfig pixels;
  pixels.probe.start = "mean";
  EXPECT_EQ(message(pixels, patterns), "scan.unit: must be px where no optics.energy is given");
}

TEST(Reconstruction, LeavesBadPixelsInMemoryOut) {
  const auto team = make_local_team();
  MemoryScan scan;
  Array<std::uint8_t, 2> bad({MemoryScan::window, MemoryScan::window});
  bad(3, 5) = 1;
  scan.set(7, 3, 5, 60000);  // a hot pixel
  ReconstructConfig config = scan.config();
  config.data.find_bad_pixels = false;  // or it would be left out in any case
  const auto r = [&](PatternsInMemory patterns) {
    Reconstruction run(config, patterns, *team);
    return run.step().r_factor;
  };
  PatternsInMemory patterns = scan.patterns();
  const double with = r(patterns);
  patterns.bad = bad.view();
  EXPECT_LT(r(patterns), 0.5 * with);
}

TEST(Reconstruction, TellsOfACostThatIsNoNumber) {
  const auto team = make_local_team();
  ReconstructConfig config = memory_scan().config();
  config.parts.of<RuleOptions>().rule = RuleChoice::descent;
  config.probe.step = 10;  // ten times a Gauss-Newton step overshoots, the more the longer
  config.probe.refine_from = 1;
  config.solver.continuation = Switch::off;
  config.solver.batches = 1000;  // one position each: 9 times the amplitude after every one
  config.solver.iterations = 100;
  Reconstruction run(config, memory_scan().patterns(), *team);
  const std::string message = message_of<CostNotFinite>([&] {
    while (!run.finished()) run.step();
  });
  EXPECT_TRUE(says(message, {"no longer a finite number in iteration", "probe.step"}));
}

TEST(Reconstruction, OfAnyTypeInMemoryIsTheSame) {
  const auto& scan = memory_scan();
  const auto counts = std::get<View<const std::uint16_t, 3>>(scan.patterns().frames);
  const Result expected = stepped(scan.config(), scan, 1);
  const auto as = [&](auto zero) {
    using Value = decltype(zero);
    Array<Value, 3> values(counts.shape);
    std::copy(counts.begin(), counts.end(), values.begin());
    const auto team = make_local_team();
    PatternsInMemory patterns{View<const Value, 3>(values.view()), scan.positions()};
    Reconstruction run(scan.config(), patterns, *team);
    while (!run.finished()) run.step();
    EXPECT_TRUE(same(run.result().phase, expected.phase));
  };
  as(std::int16_t{});
  as(std::uint32_t{});
  as(std::int64_t{});
}

/// Counts of another array, in pieces.
struct Pieces final : FrameSource {
  explicit Pieces(View<const std::uint16_t, 3> all) : counts(all) {
    count = all.shape[0];
    rows = all.shape[1];
    cols = all.shape[2];
    is_integer = true;
    largest = 65535;
    bytes_a_value = 2;
    name = "pieces";
  }
  void read(i64 first, i64 n, std::int64_t* to) override {
    std::copy_n(counts.data + first * rows * cols, n * rows * cols, to);
  }
  void read(i64 /*first*/, i64 /*n*/, float* /*to*/) override { FAIL() << "they are integers"; }
  View<const std::uint16_t, 3> counts;
};

TEST(Reconstruction, OfASourceIsTheSameAndTakesItsFacts) {
  const auto& scan = memory_scan();
  const Result expected = stepped(scan.config(), scan, 1);
  ReconstructConfig config = scan.config();
  PatternsInMemory patterns;
  patterns.frames =
      std::make_shared<Pieces>(std::get<View<const std::uint16_t, 3>>(scan.patterns().frames));
  patterns.positions = scan.positions();
  patterns.facts.energy = config.optics.energy;
  patterns.facts.semi_angle = config.optics.semi_angle;
  config.optics.energy = config.optics.semi_angle = 0;
  const auto team = make_local_team();
  Reconstruction run(config, patterns, *team);
  while (!run.finished()) run.step();
  EXPECT_TRUE(same(run.result().phase, expected.phase));
  EXPECT_EQ(run.result().energy_kV, *patterns.facts.energy);
}

TEST(Reconstruction, ARasterInMemoryNeedsNoShape) {
  const auto& scan = memory_scan();
  PatternsInMemory patterns = scan.patterns();
  patterns.positions.clear();
  patterns.scan_shape = {6, 6};
  ReconstructConfig config = scan.config();
  config.scan.step = {0.8, 0.9};
  const auto team = make_local_team();
  EXPECT_EQ(Reconstruction(config, patterns, *team).positions().size(), 36U);
}

TEST(Reconstruction, ShowsItsFieldsWhereTheyLie) {
  for (const Precision precision : {Precision::float32, Precision::float64}) {
    ReconstructConfig config = memory_scan().config();
    config.solver.precision = precision;
    const auto team = make_local_team();
    Reconstruction run(config, memory_scan().patterns(), *team);
    run.step();
    const FieldHere phase = run.here("phase"), probe = run.here("probe");
    EXPECT_EQ(phase.values, run.here("phase").values);
    EXPECT_EQ(phase.is_double, precision == Precision::float64);
    EXPECT_FALSE(phase.is_complex);
    const auto whole = run.object().phase;
    ASSERT_EQ(phase.shape, whole.shape());
    EXPECT_EQ(phase.box.rows.size(), phase.shape[1]);
    for (i64 z = 0; z < phase.shape[0]; ++z)
      for (i64 y = 0; y < phase.shape[1]; ++y)
        for (i64 x = 0; x < phase.shape[2]; ++x) {
          const i64 at = z * phase.strides[0] + y * phase.strides[1] + x * phase.strides[2];
          const float value = phase.is_double
                                  ? static_cast<float>(static_cast<const double*>(phase.values)[at])
                                  : static_cast<const float*>(phase.values)[at];
          ASSERT_EQ(value, whole(z, y, x));
        }
    EXPECT_TRUE(probe.is_complex);
    EXPECT_EQ(probe.shape, run.probe().shape());
    EXPECT_THROW(static_cast<void>(run.here("nothing")), std::out_of_range);
  }
}

TEST(Reconstruction, ItsIterationsMayBeSetMeanwhile) {
  const auto team = make_local_team();
  Reconstruction run(memory_scan().config(), memory_scan().patterns(), *team, {}, "text");
  run.set_iterations(1);
  run.step();
  EXPECT_TRUE(run.finished());
  run.set_iterations(3);
  while (!run.finished()) run.step();
  const Result result = run.result();
  EXPECT_TRUE(same(result.phase, stepped(memory_scan().config(), memory_scan(), 1).phase));
  EXPECT_NE(result.config.find("iterations: 3"), std::string::npos);
}

}  // namespace
}  // namespace ptyle
