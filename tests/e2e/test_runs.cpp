// The commands one after the other, as a user gives them: simulate, inspect, reconstruct, compare.

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <sstream>

#include "e2e/program.hpp"
#include "e2e/small_data.hpp"
#include "io/checkpoint.hpp"
#include "io/hdf5.hpp"
#include "io/result.hpp"

namespace ptyle {
namespace {

namespace fs = std::filesystem;

/// Two slices of SrTiO3, 64 positions of 48² px: a second or two in all.
constexpr const char* recipe =
    "specimen: {structure: SrTiO3, thickness: 7.81, slice_thickness: 3.905}\n"
    "optics: {energy: 200, semi_angle: 25, defocus: 60}\n"
    "detector: {window: 48, pixel_size: 0.2}\n"
    "scan: {shape: [8, 8], step: 0.8}\n"
    "output: set.h5\n";

constexpr const char* run_yaml =
    "data: {file: set.h5}\n"
    "object: {slices: 2, slice_thickness: 3.905, band_limit: 0.66667}\n"
    "solver: {iterations: 8, threads: 2}\n";

bool has(const std::vector<std::string>& files, const std::string& name) {
  return std::find(files.begin(), files.end(), name) != files.end();
}

/// The number behind "key = " in the output of compare.
double figure(const std::string& text, const std::string& key) {
  const auto at = text.find("\n" + key + " = ");
  if (at == std::string::npos) return -1;
  return std::stod(text.substr(at + key.size() + 4));
}

/// A run of `settings` into the folder `name`.
std::vector<std::string> into(const std::string& name, const std::vector<std::string>& settings) {
  std::vector<std::string> all{"reconstruct", "run.yaml", "--set", "output.folder=" + name};
  for (const auto& setting : settings) all.insert(all.end(), {"--set", setting});
  return all;
}

class Runs : public testing::Test {
 protected:
  void SetUp() override {
    folder.write("recipe.yaml", recipe);
    folder.write("run.yaml", run_yaml);
  }
  Ran ptyle(const std::vector<std::string>& arguments) {
    return run_ptyle(arguments, {.folder = folder.path()});
  }
  void simulate() {
    const auto ran = ptyle({"simulate", "recipe.yaml"});
    ASSERT_EQ(ran.status, 0) << ran.err;
  }
  /// A data set like set.h5, but for its patterns, with another dataset of a frame's shape and
  /// positions `scale` times as large.
  void write_set(const std::string& name, const auto& patterns, const std::string& of_a_frame,
                 const std::vector<std::uint8_t>& frame, double scale = 1,
                 const std::string& unit = {}) {
    const auto from = h5::File::open((folder.path() / "set.h5").string());
    auto positions = from.read<double>("/positions");
    for (double& p : positions) p *= scale;
    auto to = h5::File::create((folder.path() / name).string());
    to.write("/patterns", {64, 48, 48}, patterns.data());
    to.write(of_a_frame, {48, 48}, frame.data());
    to.write("/positions", {64, 2}, positions.data());
    if (!unit.empty()) to.set("/positions", "units", unit);
    for (const char* key : {"energy_kV", "semi_angle_mrad", "defocus_A", "pixel_size"})
      to.set("/", key, *from.number("/", key));
    to.commit();
  }
  std::string text_of(const std::string& file) {
    std::stringstream text;
    text << std::ifstream(folder.path() / file).rdbuf();
    return text.str();
  }

  TestFolder folder;
};

TEST_F(Runs, FromRecipeToComparison) {
  simulate();
  const auto ran = ptyle({"reconstruct", "run.yaml"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_NE(ran.out.find("iteration 8/8  cost "), std::string::npos) << ran.out;
  EXPECT_EQ(ran.out.find('\r'), std::string::npos) << "plain lines where there is no terminal";
  const auto files = folder.files();
  for (const char* file :
       {"run/result.h5", "run/phase.tif", "run/probe.tif", "run/phase-sum.png", "run/slices.png",
        "run/probe.png", "run/r-factor.png", "run/ptyle.log", "run/config.yaml"})
    EXPECT_TRUE(has(files, file)) << file;
  EXPECT_NE(text_of("run/ptyle.log").find("iteration 8/8"), std::string::npos);

  const auto compared = ptyle({"compare", "run", "set.h5"});
  ASSERT_EQ(compared.status, 0) << compared.err;
  // Noise-free data, the model that made them: what is left is how far eight iterations get.
  EXPECT_GT(figure(compared.out, "sum.ssim"), 0.95) << compared.out;
  EXPECT_GT(figure(compared.out, "sum.correlation"), 0.99) << compared.out;
  for (const char* file : {"run/comparison.png", "run/comparison.txt", "run/frc.png"})
    EXPECT_TRUE(has(folder.files(), file)) << file;
}

TEST_F(Runs, ResolvedConfigurationRepeatsTheRun) {
  simulate();
  ASSERT_EQ(ptyle({"reconstruct", "run.yaml", "--set", "solver.iterations=2"}).status, 0);
  const auto result = read_result((folder.path() / "run/result.h5").string());
  EXPECT_EQ(result.config, text_of("run/config.yaml"));
  const auto again = ptyle({"reconstruct", "run/config.yaml", "--set", "output.folder=again"});
  ASSERT_EQ(again.status, 0) << again.err;
  const auto repeated = read_result((folder.path() / "again/result.h5").string());
  EXPECT_TRUE(std::equal(result.phase.begin(), result.phase.end(), repeated.phase.begin(),
                         repeated.phase.end()));
  EXPECT_EQ(result.history.cost, repeated.history.cost);
}

TEST_F(Runs, EndsOnceRHardlyFalls) {
  simulate();
  // Noise-free data: R falls by half and more in two iterations at first, and not for ever.
  const auto ran = ptyle(into("run", {"solver.iterations=1000", "solver.until=0.2",
                                      "solver.until_over=2", "output.checkpoint_every=1"}));
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_NE(ran.out.find("until R falls < 20 % in 2: "), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("less than 20 % (solver.until)"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("done, written to"), std::string::npos) << ran.out;
  const auto result = read_result((folder.path() / "run/result.h5").string());
  EXPECT_LT(result.history.cost.size(), 1000U);
  EXPECT_NE(ran.out.find(result.ended), std::string::npos) << result.ended;
  // It has ended: resumed, it has nothing to do.
  auto again = into("run", {"solver.iterations=1000", "solver.until=0.2", "solver.until_over=2"});
  again.emplace_back("--resume");
  ASSERT_EQ(ptyle(again).status, 0);
  EXPECT_EQ(read_result((folder.path() / "run/result.h5").string()).history.cost,
            result.history.cost);
}

TEST_F(Runs, WhatTheCommandLineAddsIsInTheResolvedConfiguration) {
  simulate();
  auto run = into("run", {"solver.iterations=1"});
  run.insert(run.end(), {"--verify-halos", "--device", "cpu"});
  ASSERT_EQ(ptyle(run).status, 0);
  const std::string written = text_of("run/config.yaml");
  EXPECT_NE(written.find("verify_halos: true"), std::string::npos) << written;
  EXPECT_NE(written.find("device: cpu"), std::string::npos) << written;
}

TEST_F(Runs, CtrlCFinishesTheBatchAndWrites) {
  simulate();
  const auto ran =
      run_ptyle({"reconstruct", "run.yaml", "--set", "solver.iterations=100000"},
                {.folder = folder.path(), .when = "iteration      2/", .act = [](pid_t process) {
                   kill(process, SIGINT);
                 }});
  EXPECT_EQ(ran.status, 130) << ran.err;
  EXPECT_NE(ran.err.find("Ctrl-C"), std::string::npos) << ran.err;
  EXPECT_NE(ran.out.find("ended by Ctrl-C, written to"), std::string::npos) << ran.out;
  const auto result = read_result((folder.path() / "run/result.h5").string());
  EXPECT_GE(result.history.cost.size(), 2U);
  EXPECT_LT(result.history.cost.size(), 100000U);
  const auto more = std::to_string(result.history.cost.size() + 1);
  const auto resumed =
      ptyle({"reconstruct", "run.yaml", "--resume", "--set", "solver.iterations=" + more});
  EXPECT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_NE(resumed.out.find("resuming from the checkpoint"), std::string::npos) << resumed.out;
}

TEST_F(Runs, GoesOnFromACheckpointWrittenWhileComputingWithTheSameBits) {
  simulate();
  const auto run = [&](std::vector<std::string> arguments) {
    const auto ran = ptyle(arguments);
    ASSERT_EQ(ran.status, 0) << ran.err;
  };
  run(into("whole", {"solver.iterations=6", "probe.modes=2"}));
  run(into("parts", {"solver.iterations=4", "probe.modes=2", "output.checkpoint_every=3"}));
  EXPECT_EQ(Checkpoint(folder.path() / "parts").step(), 3);
  EXPECT_FALSE(has(folder.files(), "parts/checkpoint.part/rank-0000.h5"));
  auto rest = into("parts", {"solver.iterations=6", "probe.modes=2"});
  rest.emplace_back("--resume");
  run(rest);
  const auto whole = read_result((folder.path() / "whole/result.h5").string()),
             parts = read_result((folder.path() / "parts/result.h5").string());
  EXPECT_TRUE(std::equal(whole.phase.begin(), whole.phase.end(), parts.phase.begin()));
  EXPECT_TRUE(std::equal(whole.probe.begin(), whole.probe.end(), parts.probe.begin()));
  EXPECT_EQ(whole.history.cost, parts.history.cost);
}

TEST_F(Runs, BegunAnewItLeavesNoCheckpointOfTheRunBefore) {
  simulate();
  ASSERT_EQ(ptyle(into("run", {"solver.iterations=2", "output.checkpoint_every=1"})).status, 0);
  // Another step, which a checkpoint does not tell; killed before it has one of its own.
  const std::vector<std::string> other{"solver.iterations=100000", "solver.step=0.3",
                                       "output.overwrite=true"};
  const auto killed =
      run_ptyle(into("run", other), {.folder = folder.path(),
                                     .when = "iteration      1/",
                                     .act = [](pid_t process) { kill(process, SIGKILL); }});
  ASSERT_EQ(killed.status, 128 + SIGKILL) << killed.err;
  EXPECT_FALSE(has_checkpoint(folder.path() / "run"));
  auto rest = into("run", {"solver.iterations=1", "solver.step=0.3", "output.overwrite=true"});
  rest.emplace_back("--resume");
  const auto resumed = ptyle(rest);
  EXPECT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_EQ(resumed.out.find("resuming from the checkpoint"), std::string::npos) << resumed.out;
}

TEST_F(Runs, AMistakeLeavesTheCheckpointOfTheRunBefore) {
  simulate();
  ASSERT_EQ(ptyle(into("run", {"solver.iterations=2", "output.checkpoint_every=1"})).status, 0);
  const auto refused = ptyle(into("run", {"data.patterns=/nowhere", "output.overwrite=true"}));
  EXPECT_EQ(refused.status, 2) << refused.err;
  EXPECT_TRUE(has_checkpoint(folder.path() / "run"));
}

TEST_F(Runs, OneRunAtATimeWritesIntoAFolder) {
  simulate();
  Ran second;
  const auto first =
      run_ptyle(into("run", {"solver.iterations=100000"}),
                {.folder = folder.path(), .when = "iteration      2/", .act = [&](pid_t process) {
                   second = ptyle(into("run", {}));
                   kill(process, SIGHUP);
                 }});
  EXPECT_EQ(second.status, 2) << second.err;
  EXPECT_NE(second.err.find("another run is writing into"), std::string::npos) << second.err;
  EXPECT_EQ(first.status, 3) << first.err;  // as by SIGTERM
  EXPECT_TRUE(has(folder.files(), "run/result.h5"));
  EXPECT_TRUE(has(folder.files(), "run/checkpoint/index.h5"));
}

TEST_F(Runs, ACheckpointOfOtherDataIsRefused) {
  simulate();
  ASSERT_EQ(ptyle(into("run", {"solver.iterations=2", "output.checkpoint_every=1"})).status, 0);
  const auto resumed = [&](const std::string& setting) {
    auto all = into("run", {"solver.iterations=3", setting});
    all.emplace_back("--resume");
    const Ran ran = ptyle(all);
    EXPECT_EQ(ran.status, 2) << setting;
    return ran.err;
  };
  EXPECT_NE(resumed("data.flip_rows=true").find("data.flip_rows was false, now it is true"),
            std::string::npos);
  EXPECT_NE(resumed("data.dc=corner").find("data.dc was centre"), std::string::npos);
  EXPECT_NE(resumed("object.tilt_row=3").find("object.tilt_row was 0, now it is 3"),
            std::string::npos);
  EXPECT_NE(resumed("probe.start=mean").find("probe.start was optics"), std::string::npos);
  EXPECT_NE(resumed("optics.defocus=80").find("optics.defocus was 60, now it is 80; start over"),
            std::string::npos);  // 60 Å by the file
  // The same file's name, other counts.
  ASSERT_EQ(ptyle({"simulate", "recipe.yaml", "--overwrite", "--set", "dose.electrons_per_A2=1e5"})
                .status,
            0);
  EXPECT_NE(resumed("probe.refine_from=2").find("the mean pattern was"), std::string::npos);
}

TEST_F(Runs, TheLastCheckpointIsThereAtTheEnd) {
  simulate();
  ASSERT_EQ(ptyle(into("run", {"solver.iterations=4", "output.checkpoint_every=2"})).status, 0);
  EXPECT_EQ(Checkpoint(folder.path() / "run").step(), 4);
}

TEST_F(Runs, KilledWhileItWritesACheckpointItLeavesTheOneBefore) {
  simulate();
  for (const int after : {3, 4, 5, 6}) {  // iterations are as long as their checkpoints
    const auto ran = run_ptyle(into("run", {"solver.iterations=100000", "output.overwrite=true",
                                            "output.checkpoint_every=1"}),
                               {.folder = folder.path(),
                                .when = fmt::format("iteration      {}/", after),
                                .act = [](pid_t process) { kill(process, SIGKILL); }});
    EXPECT_EQ(ran.status, 128 + SIGKILL) << ran.err;
    const auto step = Checkpoint(folder.path() / "run").step();
    EXPECT_GE(step, after - 2);  // at least the one before the one on its way
    auto rest = into("run", {fmt::format("solver.iterations={}", step + 1)});
    rest.emplace_back("--resume");
    EXPECT_EQ(ptyle(rest).status, 0);
    fs::remove_all(folder.path() / "run");
  }
}

TEST_F(Runs, AFullDiskAtACheckpointIsToldAndLeavesNothing) {
  simulate();
  for (const std::string iterations : {"1", "100000"}) {  // at the end, and while computing
    const auto ran =
        run_ptyle(into("run", {"solver.iterations=" + iterations, "output.checkpoint_every=1"}),
                  {.folder = folder.path(), .file_limit = 8192});
    EXPECT_EQ(ran.status, 2) << ran.err;
    EXPECT_NE(ran.err.find("checkpoint.part/rank-0000.h5"), std::string::npos) << ran.err;
    EXPECT_NE(ran.err.find("File too large"), std::string::npos) << ran.err;
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
    EXPECT_FALSE(fs::exists(folder.path() / "run")) << "a new folder goes where a run fails";
  }
}

/// In the way of a file that is to be written, as a full disk is.
void occupy(const fs::path& file) { fs::create_directories(file.string() + ".part"); }
void make_way(const fs::path& file) { fs::remove(file.string() + ".part"); }

TEST_F(Runs, EndsInTimeWhereASlurmJobDoes) {
  simulate();
  // Half of what is left of so short a job.
  setenv("SLURM_JOB_END_TIME", std::to_string(std::time(nullptr) + 6).c_str(), 1);
  const auto ran = ptyle(into("run", {"solver.iterations=100000"}));
  unsetenv("SLURM_JOB_END_TIME");
  EXPECT_EQ(ran.status, 3) << ran.err;
  for (const char* part : {"the Slurm job ends at", "--resume continues from its checkpoint"})
    EXPECT_NE(ran.out.find(part), std::string::npos) << part << ": " << ran.out;
  EXPECT_TRUE(has_checkpoint((folder.path() / "run").string()));
  EXPECT_TRUE(has(folder.files(), "run/result.h5"));
}

TEST_F(Runs, AResultThatCannotBeWrittenIsSavedAndWrittenLaterWithoutComputing) {
  simulate();
  const std::vector<std::string> settings{"solver.iterations=3", "probe.modes=2"};
  const auto wanted = ptyle(into("wanted", settings));
  ASSERT_EQ(wanted.status, 0) << wanted.err;
  for (const bool periodic : {false, true}) {
    SCOPED_TRACE(periodic);
    const fs::path run = folder.path() / "run";
    fs::remove_all(run);
    occupy(run / "result.h5");
    auto all = settings;
    if (periodic) all.emplace_back("output.checkpoint_every=1");
    const auto failed = ptyle(into("run", all));
    EXPECT_EQ(failed.status, 2) << failed.err;
    EXPECT_EQ(std::count(failed.err.begin(), failed.err.end(), '\n'), 1) << failed.err;
    for (const char* part : {"ptyle: ", "result.h5", "3 iterations", "run/checkpoint", "--resume",
                             "computing nothing again"})
      EXPECT_NE(failed.err.find(part), std::string::npos) << part << ": " << failed.err;
    EXPECT_EQ(failed.err.find("--set"), std::string::npos) << failed.err;
    EXPECT_TRUE(has(folder.files(), "run/ptyle.log"));
    for (const auto& file : folder.files())
      EXPECT_FALSE(file.starts_with("run/") && (file.ends_with(".png") || file.ends_with(".tif")))
          << file;

    make_way(run / "result.h5");
    all = into("run", settings);
    all.emplace_back("--resume");
    const auto resumed = ptyle(all);
    ASSERT_EQ(resumed.status, 0) << resumed.err;
    EXPECT_EQ(resumed.out.find("iteration 3/3"), std::string::npos) << resumed.out;
    const auto result = read_result((run / "result.h5").string()),
               expected = read_result((folder.path() / "wanted/result.h5").string());
    EXPECT_TRUE(std::equal(result.phase.begin(), result.phase.end(), expected.phase.begin()));
    EXPECT_TRUE(std::equal(result.probe.begin(), result.probe.end(), expected.probe.begin()));
    EXPECT_EQ(result.history.cost, expected.history.cost);
    EXPECT_FALSE(has_checkpoint(run.string()));
  }
}

TEST_F(Runs, MemoryThatIsShortAtTheEndLosesNothing) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the address sanitizer has its own allocations";
#endif
  simulate();
  const std::vector<std::string> settings{"solver.iterations=2", "output.checkpoint_every=2"};
  ASSERT_EQ(ptyle(into("wanted", settings)).status, 0);
  const auto wanted = read_result((folder.path() / "wanted/result.h5").string());
  // While the result is written, and before, once the last checkpoint is there.
  for (const char* file : {"run/result.h5.part", "run/checkpoint"}) {
    SCOPED_TRACE(file);
    const auto failed =
        run_ptyle(into("run", settings),
                  {.folder = folder.path(), .environment = no_memory_while(file, 2000)});
    EXPECT_EQ(failed.status, 2) << failed.err;
    for (const char* part : {"ptyle: the memory is not enough", "2 iterations", "run/checkpoint",
                             "--resume", "computing nothing again"})
      EXPECT_NE(failed.err.find(part), std::string::npos) << part << ": " << failed.err;
    EXPECT_FALSE(has(folder.files(), "run/result.h5"));
    auto again = into("run", settings);
    again.emplace_back("--resume");
    const auto resumed = ptyle(again);
    ASSERT_EQ(resumed.status, 0) << resumed.err;
    EXPECT_EQ(resumed.out.find("iteration 2/2"), std::string::npos) << resumed.out;
    const auto result = read_result((folder.path() / "run/result.h5").string());
    EXPECT_TRUE(std::equal(result.phase.begin(), result.phase.end(), wanted.phase.begin()));
    fs::remove_all(folder.path() / "run");
  }
}

TEST_F(Runs, WhereTheFolderIsGoneForGoodWhatWasComputedIsSavedElsewhere) {
  simulate();
  // The second finds the name of the first taken.
  for (const std::string place : {"deep/run-rescued", "deep/run-rescued-2"}) {
    SCOPED_TRACE(place);
    const auto act = [&](pid_t process) {
      fs::remove_all(folder.path() / "deep/run");
      folder.write("deep/run", "a file in its place");
      kill(process, SIGINT);
    };
    const auto failed =
        run_ptyle(into("deep/run", {"solver.iterations=100000"}),
                  {.folder = folder.path(), .when = "iteration      2/", .act = act});
    EXPECT_EQ(failed.status, 2) << failed.err;
    EXPECT_NE(failed.err.find("--resume --set output.folder=" + (folder.path() / place).string() +
                              " goes on from there"),
              std::string::npos)
        << failed.err;
    EXPECT_EQ(text_of("deep/run"), "a file in its place");
    const auto done = Checkpoint((folder.path() / place).string()).step();
    auto resume = into(place, {"solver.iterations=" + std::to_string(done + 1)});
    resume.emplace_back("--resume");
    const auto resumed = ptyle(resume);
    EXPECT_EQ(resumed.status, 0) << resumed.err;
    EXPECT_TRUE(has(folder.files(), place + "/result.h5"));
    fs::remove(folder.path() / "deep/run");
  }
}

TEST_F(Runs, AFolderThatVanishedIsMadeAgainForTheResult) {
  simulate();
  const auto ran =
      run_ptyle(into("run", {"solver.iterations=100000"}),
                {.folder = folder.path(), .when = "iteration      2/", .act = [&](pid_t process) {
                   fs::remove_all(folder.path() / "run");
                   kill(process, SIGINT);
                 }});
  EXPECT_EQ(ran.status, 130) << ran.err;
  EXPECT_TRUE(has(folder.files(), "run/result.h5"));
  EXPECT_TRUE(has_checkpoint((folder.path() / "run").string()));
}

TEST_F(Runs, WithoutTiffPicturesOrConfigurationTheResultStands) {
  simulate();
  for (const char* name : {"phase.tif", "slices.png", "config.yaml"}) {
    fs::remove_all(folder.path() / "run");
    occupy(folder.path() / "run" / name);
    const auto ran = ptyle(into("run", {"solver.iterations=1"}));
    EXPECT_EQ(ran.status, 0) << ran.err;
    EXPECT_NE(ran.err.find("warning: "), std::string::npos) << ran.err;
    EXPECT_NE(ran.err.find(name), std::string::npos) << ran.err;
    EXPECT_TRUE(has(folder.files(), "run/result.h5"));
    EXPECT_TRUE(has(folder.files(), "run/r-factor.png"));
    EXPECT_FALSE(has(folder.files(), std::string("run/") + name));
  }
}

TEST_F(Runs, ThePlanCountsTheProgramAndTheWritingOfTheResult) {
  simulate();
  const auto planned = [&](const std::string& setting) {
    const auto ran = ptyle({"plan", "run.yaml", "--ranks", "1,4", "--set",
                            "ranks.seconds_per_position=1e-3", "--set", setting});
    EXPECT_EQ(ran.status, 0) << ran.err;
    EXPECT_NE(ran.out.find("program "), std::string::npos) << ran.out;
    const auto at = ran.out.find("while the result is written, MiB: ");
    EXPECT_NE(at, std::string::npos) << ran.out;
    return std::stod(ran.out.substr(at + 34));
  };
  EXPECT_GT(planned("output.pictures=true"), planned("output.pictures=false") + 10);
}

/// As a run would write checkpoints there: in a Slurm job that is to end, and with --wall-time.
TEST_F(Runs, ThePlanHasTheCheckpointOfARunThatIsToEnd) {
  simulate();
  const auto memory = [&](const std::vector<std::string>& more, const std::string& ends) {
    std::vector<std::string> arguments{"plan",    "run.yaml",
                                       "--ranks", "1",
                                       "--set",   "ranks.seconds_per_position=1e-3",
                                       "--set",   "object.slices=40",
                                       "--set",   "output.pictures=false",
                                       "--set",   "output.tiff=false"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    HowToRun how{.folder = folder.path()};
    if (!ends.empty()) how.environment = {{"SLURM_JOB_ID", "1"}, {"SLURM_JOB_END_TIME", ends}};
    const auto ran = run_ptyle(arguments, how);
    EXPECT_EQ(ran.status, 0) << ran.err;
    const bool said = ran.out.find("a checkpoint every 30 min") != std::string::npos;
    EXPECT_EQ(ran.out.find("MiB: checkpoint ") != std::string::npos, said) << ran.out;
    return said;
  };
  const std::string later = std::to_string(std::time(nullptr) + 7200);
  EXPECT_FALSE(memory({}, ""));
  EXPECT_TRUE(memory({}, later));
  EXPECT_TRUE(memory({"--wall-time", "90"}, ""));
  EXPECT_FALSE(memory({"--set", "output.checkpoint_minutes=0"}, later));
}

TEST_F(Runs, ASimulationThatASignalStopsSaysSoAndGoesOn) {
  for (const auto& [signal, status] : {std::pair{SIGTERM, 3}, {SIGINT, 130}}) {
    const auto stopped =
        run_ptyle({"simulate", "recipe.yaml", "--set", "scan.shape=[150, 150]"},
                  {.folder = folder.path(), .when = "patterns ", .act = [&](pid_t process) {
                     kill(process, signal);
                   }});
    EXPECT_EQ(stopped.status, status) << stopped.err;
    EXPECT_TRUE(has(folder.files(), "set.h5.part"));
  }
}

TEST_F(Runs, SimulationInPiecesEqualsTheWhole) {
  simulate();
  const std::vector<std::string> piece{"simulate", "recipe.yaml", "--set", "output=pieces.h5",
                                       "--positions"};
  const auto add = [&](const char* range) {
    auto arguments = piece;
    arguments.emplace_back(range);
    return ptyle(arguments);
  };
  const auto first = add("30:64");
  ASSERT_EQ(first.status, 0) << first.err;
  EXPECT_NE(first.out.find("34 positions made, 30 still to be made"), std::string::npos)
      << first.out;
  EXPECT_TRUE(has(folder.files(), "pieces.h5.part"));
  ASSERT_EQ(add("0:30").status, 0);
  const auto whole = h5::File::open((folder.path() / "set.h5").string());
  const auto pieces = h5::File::open((folder.path() / "pieces.h5").string());
  EXPECT_EQ(whole.read<float>("/patterns"), pieces.read<float>("/patterns"));
}

TEST_F(Runs, StartsFromAnEarlierResult) {
  simulate();
  ASSERT_EQ(ptyle({"reconstruct", "run.yaml"}).status, 0);
  const auto ran = ptyle({"reconstruct", "run.yaml", "--set", "object.start=run/result.h5", "--set",
                          "probe.start=run/result.h5", "--set", "output.folder=further"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  const auto first = read_result((folder.path() / "run/result.h5").string());
  const auto further = read_result((folder.path() / "further/result.h5").string());
  EXPECT_LT(further.history.r_factor.front(), 0.1 * first.history.r_factor.front());
  // Its positions too, which count from its own object; however their dataset is named.
  for (const char* name : {"/positions", "positions"}) {
    const auto again =
        ptyle({"reconstruct", "run.yaml", "--overwrite", "--set", "object.start=run/result.h5",
               "--set", "probe.start=run/result.h5", "--set", "scan.file=run/result.h5", "--set",
               std::string("scan.positions=") + name, "--set", "output.folder=again"});
    ASSERT_EQ(again.status, 0) << again.err;
    const auto same = read_result((folder.path() / "again/result.h5").string());
    EXPECT_LT(same.history.r_factor.front(), 0.1 * first.history.r_factor.front()) << name;
  }
}

TEST_F(Runs, LengthsAreInAngstromByAPixelSizeAloneAndElseInPixels) {
  write_small_data(folder.path() / "data.h5", {});
  const std::vector<std::string> run{"reconstruct",      "plain.yaml", "--set",
                                     "probe.start=mean", "--set",      "solver.iterations=1",
                                     "--overwrite"};
  folder.write("plain.yaml",
               "data: {file: data.h5, patterns: /data}\nscan: {positions: /positions}\n"
               "calibration: {pixel_size: 0.5}\n");
  auto ran = ptyle(run);
  ASSERT_EQ(ran.status, 0) << ran.err;
  const auto calibrated = read_result((folder.path() / "plain/result.h5").string());
  EXPECT_EQ(calibrated.units, "A");
  EXPECT_EQ(calibrated.pixel_size, 0.5);
  folder.write("plain.yaml",
               "data: {file: data.h5, patterns: /data}\n"
               "scan: {positions: /positions, unit: px}\n");
  ran = ptyle(run);
  ASSERT_EQ(ran.status, 0) << ran.err;
  const auto plain = read_result((folder.path() / "plain/result.h5").string());
  EXPECT_EQ(plain.units, "px");
  EXPECT_EQ(plain.pixel_size, 1);
}

TEST_F(Runs, InspectDraws) {
  simulate();
  const auto ran = ptyle({"inspect", "set.h5"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_NE(ran.out.find("48 x 48"), std::string::npos) << ran.out;
  for (const char* picture : {"mean_pattern.png", "scan.png", "dark_field.png", "orientation.png"})
    EXPECT_TRUE(has(folder.files(), std::string("set-inspect/") + picture)) << picture;
  EXPECT_EQ(ptyle({"inspect", "run.yaml", "--no-pictures"}).status, 0);
}

TEST_F(Runs, LockedDataAreReadByTheRemedyThatIsTold) {
  simulate();
  const int other = open((folder.path() / "set.h5").c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_EQ(flock(other, LOCK_EX), 0);
  const auto looks = [&](const char* locking) {
    setenv("HDF5_USE_FILE_LOCKING", locking, 1);
    const Ran ran = ptyle({"inspect", "set.h5", "--no-pictures"});
    unsetenv("HDF5_USE_FILE_LOCKING");
    return ran;
  };
  const Ran refused = looks("TRUE");
  EXPECT_EQ(refused.status, 2) << refused.out;
  EXPECT_NE(refused.err.find("HDF5_USE_FILE_LOCKING=FALSE"), std::string::npos) << refused.err;
  EXPECT_EQ(looks("FALSE").status, 0);
  close(other);
}

TEST_F(Runs, TheEnvironmentsThreadsAreKeptUnlessTheKeySaysMore) {
  simulate();
  folder.write("plain.yaml", "data: {file: set.h5}\n");
  const auto threads = [&](const std::vector<std::string>& more) {
    setenv("OMP_NUM_THREADS", "1", 1);
    std::vector<std::string> all{"reconstruct", "plain.yaml", "--overwrite", "--set",
                                 "solver.iterations=1"};
    all.insert(all.end(), more.begin(), more.end());
    const Ran ran = ptyle(all);
    unsetenv("OMP_NUM_THREADS");
    return ran.out;
  };
  EXPECT_NE(threads({}).find("64 positions, 1 thread\n"), std::string::npos);
  EXPECT_NE(threads({"--set", "solver.threads=2"}).find("64 positions, 2 threads\n"),
            std::string::npos);
}

TEST_F(Runs, WhatInspectWritesIsNeverWhatItReads) {
  simulate();
  const auto before = std::filesystem::file_size(folder.path() / "set.h5");
  for (const auto& names : {std::vector<std::string>{"--write-mask", "set.h5"},
                            {"--write-config", "set.h5"},
                            {"--write-mask", "new", "--write-config", "new"}}) {
    std::vector<std::string> arguments{"inspect", "set.h5", "--no-pictures", "--overwrite"};
    arguments.insert(arguments.end(), names.begin(), names.end());
    const auto ran = ptyle(arguments);
    EXPECT_EQ(ran.status, 2) << ran.err;
    EXPECT_EQ(std::filesystem::file_size(folder.path() / "set.h5"), before);
  }
}

TEST_F(Runs, RunsAgainFromTheConfigurationItWrote) {
  simulate();
  ASSERT_EQ(ptyle(into("run", {"solver.iterations=1"})).status, 0);
  const std::string written = text_of("run/config.yaml"), log = text_of("run/ptyle.log");
  const auto again =
      ptyle({"reconstruct", "run/config.yaml", "--overwrite", "--set", "solver.iterations=2"});
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(text_of("run/config.yaml"), written) << "the user's file was replaced";
  EXPECT_NE(text_of("run/ptyle.log"), log);
}

TEST_F(Runs, OverwritesOnlyWhenTold) {
  simulate();
  const std::vector<std::string> run{"reconstruct", "run.yaml", "--set", "solver.iterations=1"};
  ASSERT_EQ(ptyle(run).status, 0);
  EXPECT_EQ(ptyle(run).status, 2);
  auto reported = run;
  reported.emplace_back("--overwrite");
  EXPECT_EQ(ptyle(reported).status, 0);
}

TEST_F(Runs, CheckWritesNothing) {
  simulate();
  const auto before = folder.files();
  const auto ran = ptyle({"reconstruct", "--check", "run.yaml"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_NE(ran.out.find("pixel 0.2 Å"), std::string::npos) << ran.out;
  EXPECT_EQ(folder.files(), before);
  folder.write("run/result.h5", "of a run before");
  const auto again = ptyle({"reconstruct", "--check", "run.yaml"});
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_NE(again.out.find("run has a result.h5 already"), std::string::npos) << again.out;
  const auto reported = ptyle({"reconstruct", "--check", "run.yaml", "--overwrite"});
  EXPECT_EQ(reported.out.find("already"), std::string::npos) << reported.out;
}

TEST_F(Runs, TemplatesAreTaken) {
  const auto recipe_template = ptyle({"simulate", "--print-template"});
  ASSERT_EQ(recipe_template.status, 0);
  folder.write("t.yaml", recipe_template.out);
  const auto ran =
      ptyle({"simulate", "t.yaml", "--positions", "0:1", "--set", "detector.window=64"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  simulate();
  const auto run_template = ptyle({"reconstruct", "--print-template"});
  ASSERT_EQ(run_template.status, 0);
  folder.write("r.yaml", run_template.out);
  const auto checked = ptyle({"reconstruct", "--check", "r.yaml", "--set", "data.file=set.h5"});
  EXPECT_EQ(checked.status, 0) << checked.err;
}

TEST_F(Runs, SaysVersionAndHelp) {
  const auto version = ptyle({"--version"});
  EXPECT_EQ(version.status, 0);
  EXPECT_TRUE(version.out.starts_with("ptyle ")) << version.out;
  for (const char* command : {"simulate", "reconstruct", "inspect", "compare"}) {
    const auto help = ptyle({command, "--help"});
    EXPECT_EQ(help.status, 0);
    EXPECT_NE(help.out.find("Examples:"), std::string::npos) << help.out;
    EXPECT_NE(help.out.find("Exit status: 0 done"), std::string::npos) << help.out;
  }
}

TEST_F(Runs, ADefocusInAnotherUnitIsWarnedOf) {
  simulate();
  const auto warned = [&](const std::string& defocus) {
    const auto ran = ptyle({"reconstruct", "run.yaml", "--overwrite", "--set",
                            "solver.iterations=1", "--set", "optics.defocus=" + defocus});
    EXPECT_EQ(ran.status, 0) << ran.err;
    return ran.err.find("is optics.defocus right, in Å?") != std::string::npos;
  };
  EXPECT_FALSE(warned("60"));  // 25 mrad: 3 Å wide, in 9.6 Å
  EXPECT_TRUE(warned("-6000"));
}

TEST_F(Runs, FewCountsMakeFewBatchesOrAreWarnedOf) {
  const auto ran = [&](const std::string& dose, const std::string& batches) {
    EXPECT_EQ(
        ptyle({"simulate", "recipe.yaml", "--overwrite", "--set", "dose.electrons_per_A2=" + dose})
            .status,
        0);
    auto all =
        into("run", {"solver.iterations=1", "output.overwrite=true", "solver.batches=" + batches});
    return ptyle(all);
  };
  const auto warned = [](const Ran& r) {
    return r.err.find("counts per object pixel") != std::string::npos;
  };
  EXPECT_TRUE(warned(ran("100", "8")));  // 4 counts per pixel of 0.04 Å²
  EXPECT_FALSE(warned(ran("100", "1")));
  EXPECT_TRUE(warned(ran("30", "1")));
  EXPECT_FALSE(warned(ran("1e4", "8")));
  const Ran left_to_ptyle = ran("300", "0");
  EXPECT_NE(left_to_ptyle.out.find("3 mini-batches per iteration"), std::string::npos);
  EXPECT_FALSE(warned(left_to_ptyle)) << left_to_ptyle.err;
}

TEST_F(Runs, SpoiltDataAreWarnedOf) {
  ASSERT_EQ(ptyle({"simulate", "recipe.yaml", "--set", "dose.electrons_per_A2=1e6"}).status, 0);
  const auto patterns =
      h5::File::open((folder.path() / "set.h5").string()).read<std::uint32_t>("/patterns");
  const auto reported = [&](const std::string& name, std::uint32_t spoilt, std::size_t first,
                            std::size_t count, std::vector<std::string> settings) {
    auto values = patterns;
    for (std::size_t k = 0; k < values.size(); ++k)
      if (const auto pixel = k % (48 * 48); pixel >= first && pixel < first + count)
        values[k] = spoilt;
    std::vector<std::uint8_t> mask(48 * 48, 1);
    std::fill_n(mask.begin() + 24 * 48, 96, std::uint8_t{0});
    write_set(name + ".h5", values, "/inverted", mask);
    settings.insert(settings.end(), {"data.file=" + name + ".h5", "solver.iterations=1"});
    const auto ran = ptyle(into(name, settings));
    EXPECT_EQ(ran.status, 0) << ran.err;
    return ran.err;
  };
  const auto has = [](const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
  };
  const std::string disc = reported("clean", 0, 0, 0, {});
  EXPECT_FALSE(has(disc, "no bright-field disc") || has(disc, "pixels")) << disc;
  EXPECT_TRUE(has(reported("corner", 0, 0, 0, {"data.dc=corner"}), "no bright-field disc of"));
  EXPECT_TRUE(has(reported("hot", 40000, 20 * 48 + 3, 1, {}), "1 hot: (20, 3)"));
  EXPECT_TRUE(has(reported("gap", 4294967295U, 5 * 48, 96, {}),
                  "96 full in every frame, as gaps are marked: rows 5-6"));
  EXPECT_TRUE(has(reported("inverted", 0, 0, 0, {"data.mask=/inverted"}),
                  "only 96 of 2304 window pixels are left"));
}

TEST_F(Runs, TheWrittenConfigurationReadsPositionsAsTheRunDid) {
  simulate();
  const auto patterns =
      h5::File::open((folder.path() / "set.h5").string()).read<float>("/patterns");
  write_set("nm.h5", patterns, "/none", std::vector<std::uint8_t>(48 * 48), 0.1, "nm");
  const auto first =
      ptyle(into("first", {"data.file=nm.h5", "scan.positions=/positions", "solver.iterations=1"}));
  ASSERT_EQ(first.status, 0) << first.err;
  const auto again = ptyle({"reconstruct", "first/config.yaml", "--set", "output.folder=again"});
  ASSERT_EQ(again.status, 0) << again.err;
  const auto positions = [&](const std::string& of) {
    std::vector<double> all;
    for (const Position& p : read_result((folder.path() / of / "result.h5").string()).positions)
      all.insert(all.end(), {p.row, p.col});
    return all;
  };
  EXPECT_EQ(positions("first"), positions("again"));
}

TEST_F(Runs, WhatIsUnderTheMaskHasNoInfluence) {
  simulate();
  const auto spoilt = [&](const std::string& file, float value) {
    auto patterns = h5::File::open((folder.path() / "set.h5").string()).read<float>("/patterns");
    std::vector<std::uint8_t> mask(48 * 48);
    for (std::size_t k = 0; k < patterns.size(); ++k) {
      const std::size_t pixel = k % mask.size();
      if (pixel % 31 != 0) continue;  // a few hundredths of the detector, in the disc and beyond
      mask[pixel] = 1;
      patterns[k] = value;
    }
    write_set(file, patterns, "/mask", mask);
    const auto ran = ptyle({"reconstruct", "run.yaml", "--set", "data.file=" + file, "--set",
                            "data.mask=/mask", "--set", "probe.refine_from=1", "--set",
                            "solver.iterations=2", "--set", "output.folder=" + file + "-run"});
    EXPECT_EQ(ran.status, 0) << ran.err;
    return read_result((folder.path() / (file + "-run") / "result.h5").string());
  };
  const Result zeros = spoilt("zeros.h5", 0);
  for (const float value : {1e30F, -1e20F, INFINITY, NAN}) {
    const Result other = spoilt(fmt::format("{}.h5", value), value);
    EXPECT_TRUE(std::equal(zeros.phase.begin(), zeros.phase.end(), other.phase.begin())) << value;
    EXPECT_TRUE(std::equal(zeros.probe.begin(), zeros.probe.end(), other.probe.begin())) << value;
  }
}

}  // namespace
}  // namespace ptyle
