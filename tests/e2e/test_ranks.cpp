// The program on MPI ranks: the same answer as of one process, whatever the number of ranks and the
// exchange, in one go or stopped and resumed.

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "e2e/program.hpp"
#include "io/checkpoint.hpp"
#include "io/hdf5.hpp"
#include "io/result.hpp"

namespace ptyle {
namespace {

namespace fs = std::filesystem;

/// Three slices of SrTiO3, 72 positions of 64² px with counting noise.
constexpr const char* recipe =
    "specimen: {structure: SrTiO3, thickness: 11.7, slice_thickness: 3.905}\n"
    "optics: {energy: 200, semi_angle: 25, defocus: 80}\n"
    "detector: {window: 64, pixel_size: 0.2}\n"
    "scan: {shape: [9, 8], step: 1.0}\n"
    "output: set.h5\n";

constexpr const char* run_yaml =
    "data: {file: set.h5}\n"
    "object: {slices: 3, slice_thickness: 3.905, band_limit: 0.66667}\n"
    "probe: {refine_from: 1}\n"
    "solver: {iterations: 3, threads: 1}\n"
    "output: {pictures: false, tiff: false, checkpoint_every: 3}\n";

/// The settings by which runs that share one answer differ.
struct Way {
  int ranks = 1;
  const char* mesh = "~";  ///< ~: chosen
};
constexpr std::array<Way, 7> ways{
    {{1}, {2}, {3}, {4, "[2, 2]"}, {6, "[2, 3]"}, {9, "[3, 3]"}, {12}}};
constexpr std::array exchanges{"passes", "pipelined", "separable", "owner", "allreduce"};

// Only the order of sums differs between numbers of ranks: a mini-batch's 72 patterns at most, in
// 15 mini-batches at most, whose roundings add up like a random walk, √(72·15) = 33 of them: 4e-15
// in double and 2e-6 in float, of the object's largest value.
struct Fit {
  const char* name;
  std::vector<std::string> settings;
  double tolerance;
  bool every_exchange;  ///< on each of the meshes; else each on one number of ranks at least
};
const std::vector<Fit> fits{
    {"DoubleMiniBatches",
     {"solver.precision=double", "solver.batches=5", "solver.continuation=off"},
     1e-12,
     true},
    {"DoubleFullBatch",
     {"solver.precision=double", "solver.batches=1", "object.type=complex"},
     1e-12,
     false},
    // The FFTs of a convolution round to ε log₂ N = 6e-8 · 17 = 1e-6 of the phases that they move,
    // and blocks lie elsewhere on other meshes: of 15 mini-batches with 1/(1 − 0.7) of it by
    // momentum, 15 · 3.3e-6 at most.
    {"FloatMiniBatches",
     {"solver.precision=float", "solver.batches=5", "solver.continuation=off"},
     5e-5,
     false},
    {"FloatFullBatch",
     {"solver.precision=float", "solver.batches=1", "solver.continuation=off"},
     1e-5,
     false}};
std::ostream& operator<<(std::ostream& out, const Fit& fit) { return out << fit.name; }

/// Object and probe, as a checkpoint holds them: in the precision of the fit.
struct State {
  Array<double, 3> phase, absorption;
  Array<Complex<double>, 3> probe;
};

State state_of(const std::string& folder, bool absorption) {
  const Checkpoint checkpoint(folder);
  const Box& box = checkpoint.object();
  State state;
  const std::array<i64, 3> shape{3, box.rows.size(), box.cols.size()};
  state.phase = Array<double, 3>(shape);
  checkpoint.read<double>("phase", box, state.phase.view());
  if (absorption) {
    state.absorption = Array<double, 3>(shape);
    checkpoint.read<double>("absorption", box, state.absorption.view());
  }
  state.probe = checkpoint.waves<double>("probe");
  return state;
}

/// Largest difference over the largest value.
template <class Values>
double distance(const Values& a, const Values& b) {
  if (a.shape() != b.shape()) return INFINITY;
  double difference = 0, largest = 0;
  for (i64 i = 0; i < a.size(); ++i) {
    difference = std::max(difference, double(std::abs(a.data()[i] - b.data()[i])));
    largest = std::max(largest, double(std::abs(b.data()[i])));
  }
  return a.empty() ? 0 : difference / largest;
}

class Ranks : public testing::Test {
 protected:
  void SetUp() override {
#ifndef PTYLE_MPIEXEC
    GTEST_SKIP() << "ptyle is built without MPI";
#endif
    folder.write("recipe.yaml", recipe);
    folder.write("run.yaml", run_yaml);
    const auto made = run_ptyle({"simulate", "recipe.yaml"}, {.folder = folder.path()});
    ASSERT_EQ(made.status, 0) << made.err;
  }

  /// Into the folder `name`. No ranks: one process without MPI.
  Ran reconstruct(const std::string& name, int ranks, const std::vector<std::string>& settings,
                  const std::vector<std::string>& options = {}, HowToRun how = {}) {
    std::vector<std::string> arguments{"reconstruct", "run.yaml", "--set", "output.folder=" + name};
    for (const auto& setting : settings) arguments.insert(arguments.end(), {"--set", setting});
    arguments.insert(arguments.end(), options.begin(), options.end());
    how.folder = folder.path();
    how.ranks = ranks;
    return run_ptyle(arguments, how);
  }
  [[nodiscard]] std::string path(const std::string& name) const { return folder.path() / name; }

  TestFolder folder;
};

TEST_F(Ranks, AreRefusedBySequentialUpdates) {
  const auto ran = reconstruct("run", 2, {"solver.rule=pie"});
  EXPECT_EQ(ran.status, 2) << ran.err;
  EXPECT_NE(ran.err.find("solver.rule: pie runs on one rank, not 2"), std::string::npos) << ran.err;
}

class OnRanks : public Ranks, public testing::WithParamInterface<Fit> {
 protected:
  /// The fit's answer, of one process.
  void make_reference() {
    const auto ran = reconstruct("one", 0, GetParam().settings);
    ASSERT_EQ(ran.status, 0) << ran.err;
    reference = state_of(path("one"), absorption());
    reference_file = read_result(path("one/result.h5")).phase;
    // Something is there: a heavy column of 12 Å has some tenths of a radian.
    ASSERT_GT(*std::max_element(reference.phase.begin(), reference.phase.end()), 0.02);
  }

  void expect_reference(const std::string& name) {
    const double tolerance = GetParam().tolerance;
    const State state = state_of(path(name), absorption());
    EXPECT_LE(distance(state.phase, reference.phase), tolerance);
    EXPECT_LE(distance(state.absorption, reference.absorption), tolerance);
    EXPECT_LE(distance(state.probe, reference.probe), tolerance);
    // The result is float: a difference may be rounded up to a last digit.
    const Result result = read_result(path(name + "/result.h5"));
    EXPECT_LE(distance(result.phase, reference_file), std::max(tolerance, std::ldexp(1, -23)));
    EXPECT_EQ(result.history.cost.size(), 3U);
  }

  [[nodiscard]] bool absorption() const {
    const auto& all = GetParam().settings;
    return std::count(all.begin(), all.end(), "object.type=complex") > 0;
  }

  State reference;
  Array<float, 3> reference_file;
};

TEST_P(OnRanks, TheAnswerIsThatOfOneProcess) {
  const Fit& fit = GetParam();
  ASSERT_NO_FATAL_FAILURE(make_reference());
  const auto run = [&](const Way& way, const char* exchange) {
    SCOPED_TRACE(fmt::format("{} ranks, {}", way.ranks, exchange));
    auto settings = fit.settings;
    settings.insert(settings.end(), {std::string("ranks.exchange=") + exchange,
                                     std::string("ranks.mesh=") + way.mesh});
    const auto ran = reconstruct("run", way.ranks, settings, {"--verify-halos", "--overwrite"});
    ASSERT_EQ(ran.status, 0) << ran.err;
    EXPECT_EQ(ran.out.find('\r'), std::string::npos) << "plain lines, be it one rank";
    EXPECT_EQ(ran.out.find("iteration 3/3"), ran.out.rfind("iteration 3/3")) << ran.out;
    EXPECT_EQ(ran.err.find("warning"), std::string::npos) << ran.err;
    expect_reference("run");
  };
  for (std::size_t i = 0; i < ways.size(); ++i)
    for (std::size_t j = 0; j < exchanges.size(); ++j)
      if ((fit.every_exchange && ways[i].mesh[0] == '[') || i % exchanges.size() == j)
        run(ways[i], exchanges[j]);
  run({2}, "neighbor");  // with an exact halo and a small scan, tiles reach further on more ranks
  run({4, "[2, 2]"}, "neighbor");
  for (const int ranks : {3, 7}) {
    SCOPED_TRACE(fmt::format("{} ranks by bisection", ranks));
    auto settings = fit.settings;
    settings.emplace_back("ranks.tiling=bisection");
    const auto ran = reconstruct("run", ranks, settings, {"--verify-halos", "--overwrite"});
    ASSERT_EQ(ran.status, 0) << ran.err;
    EXPECT_NE(ran.out.find("tiles by bisection"), std::string::npos) << ran.out;
    expect_reference("run");
  }
}

TEST_P(OnRanks, StoppedAndResumedOnOtherRanksItIsTheSameAgain) {
  const Fit& fit = GetParam();
  ASSERT_NO_FATAL_FAILURE(make_reference());
  // The first two end after one mini-batch each.
  std::vector<std::string> options{"--wall-time", "0:0:0.001"};
  for (const int ranks : {4, 6}) {
    SCOPED_TRACE(ranks);
    auto settings = fit.settings;
    if (ranks == 6) settings.emplace_back("ranks.tiling=bisection");
    const auto ran = reconstruct("run", ranks, settings, options);
    EXPECT_EQ(ran.status, 3) << ran.err;
    EXPECT_NE(ran.out.find("ended early, written to"), std::string::npos) << ran.out;
    options.emplace_back("--resume");
  }
  const auto ran = reconstruct("run", 9, fit.settings, {"--resume"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_NE(ran.out.find("resuming from the checkpoint"), std::string::npos) << ran.out;
  expect_reference("run");
}

INSTANTIATE_TEST_SUITE_P(Fits, OnRanks, testing::ValuesIn(fits),
                         [](const auto& info) { return info.param.name; });

/// Tiles leave out the corners about a turned scan, and so do checkpoints.
TEST_F(Ranks, ATurnedScanIsCutByBisection) {
  std::string turned = recipe;
  turned.replace(turned.find("step: 1.0"), 9, "step: 2.5, rotation: 30");
  folder.write("recipe.yaml", turned);
  const auto made =
      run_ptyle({"simulate", "recipe.yaml", "--overwrite"}, {.folder = folder.path()});
  ASSERT_EQ(made.status, 0) << made.err;
  const std::vector<std::string> settings{"solver.precision=double", "solver.batches=5",
                                          "solver.continuation=off", "penalty.lateral=10"};
  ASSERT_EQ(reconstruct("one", 0, settings).status, 0);
  auto bisected = settings;
  bisected.emplace_back("ranks.tiling=bisection");
  const auto stopped = reconstruct("more", 7, bisected, {"--wall-time", "0:0:0.001"});
  ASSERT_EQ(stopped.status, 3) << stopped.err;
  const auto resumed = reconstruct("more", 4, settings, {"--resume", "--wall-time", "0:0:0.001"});
  ASSERT_EQ(resumed.status, 3) << resumed.err;
  const auto ended = reconstruct("more", 9, bisected, {"--resume", "--verify-halos"});
  ASSERT_EQ(ended.status, 0) << ended.err;
  const State one = state_of(path("one"), false), more = state_of(path("more"), false);
  EXPECT_LE(distance(more.phase, one.phase), 1e-12);
  EXPECT_LE(distance(more.probe, one.probe), 1e-12);
  const Result result = read_result(path("more/result.h5"));
  EXPECT_EQ(result.phase(0, 0, 0), 0);
}

/// However processes lie on nodes, ranks and their sums are the same: to the bit. Positions move
/// and change hands meanwhile; stopped on one layout, a run is resumed on another.
TEST_F(Ranks, OnAnyNodesTheAnswerIsTheSame) {
  struct Layout {
    int ranks;
    const char *mesh, *node;  ///< by $RANK
  };
  for (const Layout& on : {Layout{4, "[2, 2]", "$((RANK == 1 || RANK == 2))"},
                           {6, "[3, 2]", "$((RANK == 1 || RANK == 4))"},
                           {12, "[4, 3]", "$((RANK * RANK % 5))"}}) {
    SCOPED_TRACE(on.ranks);
    const std::vector<std::string> settings{"solver.batches=5", "positions.refine=on",
                                            fmt::format("ranks.mesh={}", on.mesh),
                                            "ranks.exchange=owner", "solver.continuation=off"};
    HowToRun how;
    how.every_start = fmt::format(
        "RANK=${{OMPI_COMM_WORLD_RANK:-$PMI_RANK}}; PTYLE_NODE=n{} exec \"$0\" \"$@\"", on.node);
    const auto plain = reconstruct("plain", on.ranks, settings, {"--overwrite"});
    ASSERT_EQ(plain.status, 0) << plain.err;
    EXPECT_EQ(plain.out.find("in blocks"), std::string::npos) << plain.out;
    const auto placed =
        reconstruct("placed", on.ranks, settings, {"--overwrite", "--verify-halos"}, how);
    ASSERT_EQ(placed.status, 0) << placed.err;
    EXPECT_NE(placed.out.find("in blocks"), std::string::npos) << placed.out;
    const auto expect_same = [&](const char* name) {
      const State a = state_of(path("plain"), false), b = state_of(path(name), false);
      EXPECT_EQ(distance(a.phase, b.phase), 0) << name;
      EXPECT_EQ(distance(a.probe, b.probe), 0) << name;
      const Result one = read_result(path("plain/result.h5")),
                   other = read_result(path(std::string(name) + "/result.h5"));
      EXPECT_EQ(one.history.cost, other.history.cost) << name;
      EXPECT_EQ(distance(one.phase, other.phase), 0) << name;
    };
    expect_same("placed");
    if (on.ranks != 6) continue;
    const auto stopped = reconstruct("stopped", on.ranks, settings,
                                     {"--overwrite", "--wall-time", "0:0:0.001"}, how);
    ASSERT_EQ(stopped.status, 3) << stopped.err;
    const auto resumed = reconstruct("stopped", on.ranks, settings, {"--resume"});
    ASSERT_EQ(resumed.status, 0) << resumed.err;
    expect_same("stopped");
  }
}

TEST_F(Ranks, ACheckpointWrittenWhileComputingIsThatOfARunWhichEndsThere) {
  const auto run = [&](const std::string& name, int iterations,
                       const std::vector<std::string>& options = {}) {
    const auto ran = reconstruct(
        name, 4, {"solver.precision=double", fmt::format("solver.iterations={}", iterations)},
        options);
    EXPECT_EQ(ran.status, 0) << ran.err;
  };
  const auto expect_same = [&](const std::string& a, const std::string& b) {
    const State one = state_of(path(a), false), other = state_of(path(b), false);
    EXPECT_EQ(distance(one.phase, other.phase), 0);
    EXPECT_EQ(distance(one.probe, other.probe), 0);
    EXPECT_FALSE(std::filesystem::exists(path(a) + "/checkpoint.part"));
  };
  run("three", 3);
  run("four", 4);  // whose checkpoint is of the third iteration
  EXPECT_EQ(Checkpoint(path("four")).step(), 3);
  expect_same("four", "three");
  run("six", 6);
  run("four", 6, {"--resume"});
  expect_same("four", "six");
}

/// Mini-batches that are dealt for 6 ranks are the same ones on other numbers of ranks, and when a
/// run is resumed there.
TEST_F(Ranks, WhatIsDealtForSomeRanksIsTheSameOnOthers) {
  const std::vector<std::string> settings{"solver.precision=double", "solver.batches=5",
                                          "solver.continuation=off"};
  auto dealt = settings;
  dealt.emplace_back("ranks.of=6");
  const auto run = [&](const std::string& name, int ranks, const std::vector<std::string>& these,
                       const std::vector<std::string>& options = {}, int status = 0) {
    const auto ran = reconstruct(name, ranks, these, options);
    EXPECT_EQ(ran.status, status) << ran.err;
    if (status == 0) {
      EXPECT_EQ(ran.out.find("of the ranks' time in the iterations") != std::string::npos,
                ranks > 1)
          << ran.out;
      EXPECT_NE(ran.out.find("5 mini-batches per iteration"), std::string::npos) << ran.out;
    }
    return ran;
  };
  run("one", 0, dealt);
  const State one = state_of(path("one"), false);
  for (const int ranks : {1, 2, 4, 6}) {
    SCOPED_TRACE(ranks);
    const auto ran = run("more", ranks, dealt, {"--overwrite"});
    EXPECT_NE(ran.out.find("dealt for 6 ranks"), std::string::npos) << ran.out;
    EXPECT_LE(distance(state_of(path("more"), false).phase, one.phase), 1e-12);
    EXPECT_EQ(read_result(path("more/result.h5")).dealt_for, 6);
  }
  run("other", 0, settings);  // dealt for one, they are others
  EXPECT_GT(distance(state_of(path("other"), false).phase, one.phase), 1e-3);
  EXPECT_EQ(read_result(path("other/result.h5")).dealt_for, 1);

  run("stopped", 4, dealt, {"--wall-time", "0:0:0.001"}, 3);
  const auto refused =
      run("stopped", 4, {"ranks.of=4", settings[0], settings[1], settings[2]}, {"--resume"}, 2);
  EXPECT_NE(refused.err.find("ranks.of was 6, now it is 4"), std::string::npos) << refused.err;
  const auto resumed = run("stopped", 2, settings, {"--resume"});
  EXPECT_NE(resumed.out.find("dealt for 6 ranks"), std::string::npos) << resumed.out;
  EXPECT_LE(distance(state_of(path("stopped"), false).phase, one.phase), 1e-12);
  EXPECT_EQ(read_result(path("stopped/result.h5")).dealt_for, 6);

  const auto too_many = run("none", 2, {"ranks.of=73"}, {}, 2);
  EXPECT_NE(too_many.err.find("ranks.of: 73 ranks cannot share the scan"), std::string::npos)
      << too_many.err;
}

/// Sum over the ranks of one of their figures.
double sum_of(const Result& result, const std::string& name) {
  double sum = 0;
  for (const RankFigure& figure : result.ranks)
    if (figure.name == name)
      for (const double value : figure.values) sum += value;
  return sum;
}

/// The largest difference of two runs' positions, Å.
double apart(const Result& a, const Result& b) {
  double most = a.positions.size() == b.positions.size() ? 0 : INFINITY;
  for (std::size_t i = 0; i < a.positions.size() && std::isfinite(most); ++i)
    most = std::max({most, std::abs(a.positions[i].row - b.positions[i].row),
                     std::abs(a.positions[i].col - b.positions[i].col)});
  return most;
}

/// Positions that are some pixels off move from core to core, and their patterns with them.
/// Of the same state, with more slices than ranks that write.
TEST_F(Ranks, FilesHaveTheSameBytesHoweverManyWriteThem) {
  const std::vector<std::string> settings{"object.slices=19",    "object.slice_thickness=0.6",
                                          "object.type=complex", "solver.iterations=1",
                                          "output.tiff=true",    "output.pictures=true"};
  auto first = settings;
  first.emplace_back("output.checkpoint_every=1");
  ASSERT_EQ(reconstruct("one", 0, first).status, 0);
  const Result wanted = read_result(path("one/result.h5"));
  const auto bytes = [&](const std::string& name) {
    std::ifstream file(path(name), std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  EXPECT_GT(bytes("one/phase.tif").size(), std::size_t(4 * wanted.phase.size()));
  for (const int ranks : {4, 6}) {
    SCOPED_TRACE(ranks);
    const std::string name = "on" + std::to_string(ranks);
    fs::create_directories(path(name));
    fs::copy(path("one/checkpoint"), path(name + "/checkpoint"));
    const auto ran = reconstruct(name, ranks, settings, {"--resume"});
    ASSERT_EQ(ran.status, 0) << ran.err;
    const Result result = read_result(path(name + "/result.h5"));
    EXPECT_TRUE(std::equal(result.phase.begin(), result.phase.end(), wanted.phase.begin()));
    EXPECT_TRUE(
        std::equal(result.absorption.begin(), result.absorption.end(), wanted.absorption.begin()));
    for (const char* stack : {"phase.tif", "absorption.tif"})
      EXPECT_EQ(bytes(name + "/" + stack), bytes(std::string("one/") + stack)) << stack;
    for (const char* picture : {"phase-sum.png", "slices.png", "absorption-sum.png"})
      EXPECT_EQ(bytes(name + "/" + picture), bytes(std::string("one/") + picture)) << picture;
    for (const auto& entry : fs::directory_iterator(path(name)))
      EXPECT_NE(entry.path().extension(), ".part") << entry.path();
  }
}

TEST_F(Ranks, PositionsThatChangeHandsAreTheSameOnAnyRanks) {
  folder.write("recipe.yaml",
               std::string(recipe).replace(std::string(recipe).find("step: 1.0"), 9,
                                           "step: 1.0, jitter: 0.5, reported: nominal"));
  const auto made =
      run_ptyle({"simulate", "recipe.yaml", "--overwrite"}, {.folder = folder.path()});
  ASSERT_EQ(made.status, 0) << made.err;
  const auto run = [&](const std::string& name, int ranks, int iterations,
                       const std::vector<std::string>& options = {}, const char* tiling = "mesh") {
    const auto ran = reconstruct(
        name, ranks,
        {"solver.precision=double", "solver.batches=5", "solver.continuation=off",
         "solver.rule=descent", "positions.refine=on", "positions.model=free", "positions.start=1",
         "positions.step=1", fmt::format("solver.iterations={}", iterations),
         std::string("ranks.tiling=") + tiling},
        options);
    EXPECT_EQ(ran.status, 0) << ran.err;
    EXPECT_EQ(ran.out.find("changed hands") != std::string::npos, ranks > 1) << ran.out;
    return read_result(path(name + "/result.h5"));
  };
  const Result one = run("one", 0, 6);
  EXPECT_EQ(sum_of(one, "handed_over/came"), 0);
  for (const int ranks : {2, 4, 6, 9}) {
    SCOPED_TRACE(ranks);
    const char* const tiling = ranks == 4 ? "bisection" : "mesh";
    const Result more = run("more", ranks, 6, {"--verify-halos", "--overwrite"}, tiling);
    EXPECT_GT(sum_of(more, "handed_over/came"), 0);
    EXPECT_EQ(sum_of(more, "handed_over/came"), sum_of(more, "handed_over/went"));
    EXPECT_EQ(sum_of(more, "positions"), 72);
    EXPECT_LT(apart(more, one), 1e-10);
    EXPECT_LE(distance(more.phase, one.phase), std::ldexp(1, -22));
  }
  run("stopped", 4, 4);  // whose checkpoint is of the third iteration
  const Result resumed = run("stopped", 9, 6, {"--resume"}, "bisection");
  EXPECT_GT(sum_of(resumed, "handed_over/came"), 0);
  EXPECT_LT(apart(resumed, one), 1e-10);
  EXPECT_LE(distance(resumed.phase, one.phase), std::ldexp(1, -22));
}

/// How an endless run is asked to stop.
struct Stop {
  const char* name;
  int rank;  ///< that gets the signal; −1: mpirun
  int signal;
};

TEST_F(Ranks, EndTogetherBySignalAndGoOnLater) {
  // mpirun passes SIGUSR1 on to all; a batch system may reach one rank before the others.
  for (const Stop& stop :
       {Stop{"a rank", 1, SIGTERM}, Stop{"rank 0", 0, SIGTERM}, Stop{"mpirun", -1, SIGUSR1}}) {
    SCOPED_TRACE(stop.name);
    const auto ran =
        reconstruct("run", 3, {"solver.iterations=100000"}, {"--overwrite"},
                    {.when = "iteration      2/", .act = [&](pid_t mpirun) {
                       const auto ranks = rank_processes(mpirun, 3);
                       kill(stop.rank < 0 ? mpirun : ranks.at(std::size_t(stop.rank)), stop.signal);
                     }});
    EXPECT_EQ(ran.status, 3) << ran.err;
    EXPECT_LT(ran.seconds, 60);
    const auto done = read_result(path("run/result.h5")).history.cost.size();
    EXPECT_GE(done, 2U);
    EXPECT_LT(done, 100000U);
    const auto resumed =
        reconstruct("run", 2, {fmt::format("solver.iterations={}", done + 1)}, {"--resume"});
    EXPECT_EQ(resumed.status, 0) << resumed.err;
    const auto more = read_result(path("run/result.h5")).history;
    EXPECT_EQ(more.cost.size(), done + 1);
    EXPECT_LT(more.cost.back(), 2 * more.cost[done - 1]);
  }
}
/// Spoils the simulated set: patterns 5 (nothing) and 40 (a hundred times too bright), a hot pixel,
/// two dead ones.
void spoil(const std::string& file) {
  const h5::File read = h5::File::open(file);
  const h5::Dataset set = read.dataset("/patterns");
  const i64 n = set.shape()[0], w = set.shape()[2];
  auto values = set.read<double>();
  const auto at = [&](i64 i, i64 y, i64 x) -> double& {
    return values[static_cast<std::size_t>((i * w + y) * w + x)];
  };
  for (i64 i = 0; i < n; ++i) {
    for (i64 k = 0; k < w * w; ++k)
      if (i == 5 || i == 40) at(i, k / w, k % w) *= i == 5 ? 0 : 100;
    at(i, 4, 60) = 30000;
    at(i, 30, 33) = at(i, 31, 33) = 0;
  }
  h5::File spoilt = h5::File::create(file + ".spoilt");
  spoilt.create_dataset<double>("/patterns", set.shape(), {1, w, w}).write(values.data());
  const auto positions = read.read<double>("/positions");
  spoilt.write("/positions", {n, 2}, positions.data());
  for (const char* fact : {"pixel_size", "energy_kV", "semi_angle_mrad", "defocus_A"})
    spoilt.set("/", fact, read.number("/", fact).value());
  spoilt.commit();
}

TEST_F(Ranks, WhatIsNoMeasurementIsLeftOutOnAnyRanks) {
  spoil(path("set.h5"));
  const auto run = [&](int ranks) {
    const auto ran = reconstruct(
        "run", ranks, {"data.file=set.h5.spoilt", "solver.precision=double"}, {"--overwrite"});
    EXPECT_EQ(ran.status, 0) << ran.err;
    for (const char* told : {"2 of 72 patterns", "1 with hardly any counts (number 5)",
                             "(number 40)", "1 hot: (4, 60)", "2 dead: (30, 33), (31, 33)"})
      EXPECT_NE(ran.err.find(told), std::string::npos) << told << "\n" << ran.err;
    return read_result(path("run/result.h5"));
  };
  const Result one = run(0);
  EXPECT_EQ(one.left_out, (std::vector<i64>{5, 40}));
  ASSERT_FALSE(one.bad_pixels.empty());
  EXPECT_EQ(std::count(one.bad_pixels.begin(), one.bad_pixels.end(), 1), 3);
  for (const int ranks : {2, 6}) {
    const Result other = run(ranks);
    EXPECT_EQ(other.left_out, one.left_out);
    EXPECT_TRUE(std::equal(other.bad_pixels.begin(), other.bad_pixels.end(), one.bad_pixels.begin(),
                           one.bad_pixels.end()));
    EXPECT_LE(distance(other.phase, one.phase), std::ldexp(1, -23));  // the result is float
  }
}

/// Beam and orientation, of which nothing is told, are measured alike on any ranks, and not again
/// by a run that is resumed.
TEST_F(Ranks, MeasureTheBeamTogether) {
  folder.write("measured.yaml",
               "specimen: {structure: MoS2, rotation: 11, "
               "substitutions: [\"Mo=W share=0.3 at=(3 -4) radius=4\"]}\n"
               "optics: {energy: 80, semi_angle: 25, defocus: 200}\n"
               "detector: {window: 72, pixel_size: 0.2}\n"
               "scan: {shape: [30, 28], step: 0.6, rotation: 33}\n"
               "dose: {electrons_per_A2: 1e4}\n"
               "output: measured.h5\n");
  const auto made = run_ptyle({"simulate", "measured.yaml"}, {.folder = folder.path()});
  ASSERT_EQ(made.status, 0) << made.err;
  folder.write("run.yaml",
               "data: {file: measured.h5, patterns: /patterns}\n"
               "scan: {step: 0.6}\n"
               "optics: {fitted: true}\n"
               "solver: {iterations: 1, threads: 1}\n"
               "output: {pictures: false, tiff: false, checkpoint_every: 1}\n");
  const auto lines = [&](const std::string& file, const std::string& with) {
    std::ifstream text(path(file));
    std::vector<std::string> found;
    for (std::string line; std::getline(text, line);)
      if (line.find(with) != std::string::npos) found.push_back(line);
    return found;
  };
  std::vector<std::string> one;
  for (const int ranks : {0, 3}) {
    const std::string name = fmt::format("on-{}", ranks);
    const auto ran = reconstruct(name, ranks, {});
    ASSERT_EQ(ran.status, 0) << ran.err;
    EXPECT_EQ(lines(name + "/ptyle.log", "quick look: raster of 30 x 28").size(), 1U);
    const auto measured = lines(name + "/config.yaml", "# measured by the quick look");
    EXPECT_GE(measured.size(), 2U);  // rotation and defocus
    EXPECT_EQ(lines(name + "/config.yaml", "fitted: false").size(), 1U);
    if (ranks == 0)
      one = measured;
    else
      EXPECT_EQ(measured, one);
    // 1 degree, 3 % of the middle's 194 Å, as bench-quick-look bounds them.
    const Checkpoint checkpoint(path(name));
    EXPECT_NEAR(std::stod(checkpoint.fact("scan.rotation").value()), 33, 1);
    EXPECT_NEAR(std::stod(checkpoint.fact("optics.defocus").value()), 194, 6);
    const auto resumed = reconstruct(name, ranks, {"solver.iterations=2"}, {"--resume"});
    ASSERT_EQ(resumed.status, 0) << resumed.err;
    EXPECT_EQ(lines(name + "/ptyle.log", "quick look: raster").size(), 1U);
    EXPECT_EQ(lines(name + "/config.yaml", "# as it was when the run began").size(),
              lines(name + "/config.yaml", "  # ").size());
    EXPECT_EQ(read_result(path(name + "/result.h5")).history.cost.size(), 2U);
  }
}

TEST_F(Ranks, HelpIsPrintedOnce) {
  for (const auto& arguments : {std::vector<std::string>{"--help"},
                                {"--version"},
                                {"reconstruct", "--help"},
                                {"reconstruct", "--print-template"}}) {
    const auto alone = run_ptyle(arguments, {.folder = folder.path()});
    const auto ran = run_ptyle(arguments, {.folder = folder.path(), .ranks = 3});
    EXPECT_EQ(ran.status, 0) << ran.err;
    EXPECT_EQ(ran.out, alone.out);
  }
}

}  // namespace
}  // namespace ptyle
