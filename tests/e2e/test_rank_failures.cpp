// A rank that fails ends all within seconds, with one message that names rank and cause, and leaves
// nothing half done under a final name.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fstream>
#include <functional>
#include <regex>
#include <sstream>
#include <thread>

#include "e2e/program.hpp"
#include "e2e/small_data.hpp"
#include "io/checkpoint.hpp"
#include "io/result.hpp"

namespace ptyle {
namespace {

namespace fs = std::filesystem;

constexpr const char* run_yaml =
    "data: {file: data.h5, patterns: /data}\n"
    "calibration: {pixel_size: 0.5}\n"
    "scan: {positions: /positions}\n"
    "optics: {energy: 300, semi_angle: 10, defocus: 500}\n"
    "solver: {iterations: 2, threads: 1}\n"
    "output: {folder: run, pictures: false, tiff: false}\n";

/// The lines that ptyle says as it fails; an MPI adds its own.
std::vector<std::string> sentences(const std::string& err) {
  std::vector<std::string> all;
  std::istringstream lines(err);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("ptyle: ")) all.push_back(line.substr(7));
  return all;
}

class RankFailures : public testing::Test {
 protected:
  void SetUp() override {
#ifndef PTYLE_MPIEXEC
    GTEST_SKIP() << "ptyle is built without MPI";
#endif
    write_small_data(folder.path() / "data.h5", {});
    folder.write("run.yaml", run_yaml);
  }

  /// A run of iterations without end, which ends by what is done after so many.
  Ran endless(const std::vector<std::string>& settings, const std::function<void(pid_t)>& act,
              int after = 2) {
    std::vector<std::string> arguments{"reconstruct", "run.yaml", "--set",
                                       "solver.iterations=100000"};
    for (const auto& setting : settings) arguments.insert(arguments.end(), {"--set", setting});
    return run_ptyle(arguments, {.folder = folder.path(),
                                 .ranks = 4,
                                 .when = "iteration      " + std::to_string(after) + "/",
                                 .act = [&](pid_t mpirun) {
                                   act(mpirun);
                                   acted = std::chrono::steady_clock::now();
                                 }});
  }
  [[nodiscard]] double seconds_since_act() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - acted).count();
  }
  [[nodiscard]] bool has(const std::string& file) const {
    return fs::exists(folder.path() / "run" / file);
  }

  TestFolder folder;
  std::chrono::steady_clock::time_point acted;
};

struct Mistake {
  std::string name;
  int ranks;
  std::vector<std::string> arguments;
  SmallData data;
  std::string says;  ///< regular expression for the one sentence
  std::function<void(const TestFolder&)> change = {};
};
std::ostream& operator<<(std::ostream& out, const Mistake& mistake) { return out << mistake.name; }

std::vector<std::string> with(const std::string& setting) {
  return {"reconstruct", "run.yaml", "--set", setting};
}

const std::vector<Mistake> mistakes{
    {"FileMissing", 4, with("data.file=none.h5"), {}, "rank [0-3]: .*there is no file .*none.h5"},
    {"FileTruncated",
     4,
     {"reconstruct", "run.yaml"},
     {},
     "rank [0-3]: .*data.h5' is a truncated or damaged HDF5 file.*",
     [](const TestFolder& f) {
       fs::resize_file(f.path() / "data.h5", fs::file_size(f.path() / "data.h5") / 2);
     }},
    {"AllFindThatNothingIsANumber",
     4,
     {"reconstruct", "run.yaml"},
     {.spoil = SmallData::nan},
     "rank [0-3]: all patterns of .* no numbers \\(NaN\\)"},
    {"AllFindThatNothingIsThere",
     6,
     {"reconstruct", "run.yaml"},
     {.spoil = SmallData::zeros},
     "rank [0-5]: .*zero.*"},
    {"MeshOfOtherNumber",
     6,
     with("ranks.mesh=[2, 2]"),
     {},
     "rank [0-5]: ranks.mesh: 2 x 2 tiles are 4 ranks, but 6 were started \\(mpirun -n\\)"},
    {"MeshOfMoreThanAnIntCounts",  // 65536 * 65537 = 2^32 + 65536
     2,
     with("ranks.mesh=[65536, 65537]"),
     {},
     "rank [0-1]: ranks.mesh: 65536 x 65537 tiles are 4295032832 ranks, but 2 were started .*"},
    {"MoreRowsThanPositionsHave", 6, with("ranks.mesh=[6, 1]"), {}, "rank [0-5]: .* 6 .*"},
    {"NoMeshOfSoManyRanks",
     7,
     with("ranks.tiling=mesh"),
     {},
     "rank [0-6]: 7 ranks cannot share the scan: .*"},
    {"NeighborReachesTooFar",
     4,
     {"reconstruct", "run.yaml", "--set", "ranks.exchange=neighbor", "--set", "ranks.mesh=[4, 1]"},
     {},
     "rank [0-3]: the exchange 'neighbor' .*"},
    {"VoxelHasTooLittleToFill",
     4,
     {"reconstruct", "run.yaml", "--set", "ranks.exchange=voxel", "--set", "ranks.mesh=[4, 1]"},
     {},
     "rank [0-3]: the exchange 'voxel' cannot run on 4 x 1 tiles: .*"},
    {"FolderNotWritable",
     4,
     with("output.folder=/proc/ptyle/run"),
     {},
     "rank [0-3]: .*(may not be written|cannot make the output folder).*"},
    {"SimulateOnRanks",
     3,
     {"simulate", "run.yaml"},
     {},
     "rank [0-2]: ptyle simulate works as one process: start it without mpirun"},
    {"InspectOnRanks",
     3,
     {"inspect", "data.h5"},
     {},
     "rank [0-2]: ptyle inspect works as one process: start it without mpirun"},
    {"CheckOnRanks",
     3,
     {"reconstruct", "--check", "run.yaml"},
     {},
     "rank [0-2]: ptyle reconstruct --check works as one process: start it without mpirun, and say "
     "by --ranks for how many ranks"}};

class RankMistakes : public RankFailures, public testing::WithParamInterface<Mistake> {};

TEST_P(RankMistakes, AreToldOnce) {
  const Mistake& mistake = GetParam();
  write_small_data(folder.path() / "data.h5", mistake.data);
  if (mistake.change) mistake.change(folder);
  const auto before = folder.files();
  const auto ran = run_ptyle(mistake.arguments, {.folder = folder.path(), .ranks = mistake.ranks});
  EXPECT_EQ(ran.status, 2) << ran.err;
  EXPECT_LT(ran.seconds, 10);
  const auto said = sentences(ran.err);
  ASSERT_EQ(said.size(), 1U) << ran.err;
  EXPECT_TRUE(std::regex_match(said[0], std::regex(mistake.says))) << ran.err;
  EXPECT_EQ(folder.files(), before);
  EXPECT_FALSE(fs::exists(folder.path() / ".cache"));  // what FFTW learnt
}
INSTANTIATE_TEST_SUITE_P(All, RankMistakes, testing::ValuesIn(mistakes),
                         [](const auto& info) { return info.param.name; });

TEST_F(RankFailures, ACheckpointOfOtherPixelsOrAnotherBeamIsRefused) {
  ASSERT_EQ(run_ptyle({"reconstruct", "run.yaml", "--set", "output.checkpoint_every=1"},
                      {.folder = folder.path(), .ranks = 2})
                .status,
            0);
  for (const std::string key : {"calibration.pixel_size=0.52", "optics.energy=200"}) {
    const auto ran = run_ptyle({"reconstruct", "run.yaml", "--resume", "--overwrite", "--set", key},
                               {.folder = folder.path(), .ranks = 2});
    EXPECT_EQ(ran.status, 2) << ran.err;
    const auto said = sentences(ran.err);
    ASSERT_EQ(said.size(), 1U) << ran.err;
    EXPECT_NE(said[0].find("is of another run: " + key.substr(0, key.find('=')) + " was"),
              std::string::npos)
        << ran.err;
  }
}

TEST_F(RankFailures, ARankWithoutMemorySaysSo) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the address sanitizer reserves more addresses than the limit leaves";
#endif
  // 6000 slices of some 48 x 48 px: 55 MB of an array, of which a rank has several; MPI itself and
  // the libraries have 300 MB of addresses.
  const auto ran = run_ptyle({"reconstruct", "run.yaml", "--set", "object.slices=6000", "--set",
                              "object.slice_thickness=1"},
                             {.folder = folder.path(),
                              .ranks = 3,
                              .other_rank = 1,
                              .other_start = R"(ulimit -v 400000; exec "$0" "$@")"});
  EXPECT_EQ(ran.status, 1) << ran.err;
  EXPECT_LT(ran.seconds, 20);
  const auto said = sentences(ran.err);
  ASSERT_EQ(said.size(), 1U) << ran.err;
  EXPECT_TRUE(said[0].starts_with("rank 1: the memory is not enough")) << ran.err;
  EXPECT_FALSE(has("result.h5"));
}

TEST_F(RankFailures, WhereRank0IsBusyOneOfTheOthersTellsIt) {
  // Rank 0 waits for somebody to write what it reads, the others fail at once.
  ASSERT_EQ(mkfifo((folder.path() / "pipe.yaml").c_str(), 0600), 0);
  const auto ran = run_ptyle({"reconstruct", "run.yaml", "--set", "data.file=none.h5"},
                             {.folder = folder.path(),
                              .ranks = 4,
                              .other_rank = 0,
                              .other_start = R"(exec "$0" reconstruct pipe.yaml)"});
  EXPECT_EQ(ran.status, 2) << ran.err;
  EXPECT_LT(ran.seconds, 10);
  const auto said = sentences(ran.err);
  ASSERT_EQ(said.size(), 1U) << ran.err;
  EXPECT_TRUE(std::regex_match(said[0], std::regex("rank [1-3]: .*there is no file .*none.h5")))
      << ran.err;
}

/// Whether a process does anything still; one that has ended may wait for its parent to look.
bool runs(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  std::string number, name, state;
  return (file >> number >> name >> state) && state != "Z" && state != "X";
}

TEST_F(RankFailures, OneThatIsKilledEndsAll) {
  for (const auto& [rank, signal] : {std::pair{2, SIGKILL}, {0, SIGKILL}, {1, SIGABRT}}) {
    std::vector<pid_t> ranks;
    const auto ran = endless({}, [&](pid_t mpirun) {
      ranks = rank_processes(mpirun, 4);
      kill(ranks.at(std::size_t(rank)), signal);
    });
    EXPECT_EQ(ran.status, 128 + signal) << ran.err;
    while (std::any_of(ranks.begin(), ranks.end(), runs) && seconds_since_act() < 10)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    EXPECT_LT(seconds_since_act(), 10);
    EXPECT_FALSE(has("result.h5"));
  }
}

/// From now on, files of this process may grow to so many bytes.
void limit_files(pid_t process, rlim_t bytes) {
  const rlimit limit{bytes, bytes};
  if (prlimit(process, RLIMIT_FSIZE, &limit, nullptr) != 0) throw std::runtime_error("prlimit");
}

TEST_F(RankFailures, AFullDiskAtACheckpointLeavesTheOneBefore) {
  for (const int rank : {0, 2}) {
    const auto ran = endless(
        {"output.checkpoint_every=1", "output.overwrite=true"},
        [&](pid_t mpirun) { limit_files(rank_processes(mpirun, 4).at(std::size_t(rank)), 4096); },
        3);  // before the second checkpoint is begun, the first is whole
    EXPECT_EQ(ran.status, 2) << ran.err;
    EXPECT_LT(seconds_since_act(), 10);
    const auto said = sentences(ran.err);
    ASSERT_EQ(said.size(), 1U) << ran.err;
    EXPECT_TRUE(
        std::regex_match(said[0], std::regex("rank " + std::to_string(rank) +
                                             ": .*checkpoint.part/.* cannot be written.*large.*")))
        << ran.err;
    const Checkpoint before(folder.path() / "run");
    EXPECT_EQ(before.ranks(), 4);
    EXPECT_FALSE(has("result.h5"));
    const auto resumed = run_ptyle({"reconstruct", "run.yaml", "--resume", "--set",
                                    "solver.iterations=" + std::to_string(before.step() + 1)},
                                   {.folder = folder.path(), .ranks = 2});
    EXPECT_EQ(resumed.status, 0) << resumed.err;
    fs::remove_all(folder.path() / "run");
  }
}

TEST_F(RankFailures, OneThatIsKilledAtACheckpointLeavesTheOneBefore) {
  // Their checkpoints are as long as their iterations: a kill meets one or the other.
  for (const int rank : {0, 2, 3}) {
    const auto ran = endless(
        {"output.checkpoint_every=1", "output.overwrite=true"},
        [&](pid_t mpirun) { kill(rank_processes(mpirun, 4).at(std::size_t(rank)), SIGKILL); },
        3 + rank);
    EXPECT_EQ(ran.status, 128 + SIGKILL) << ran.err;
    const Checkpoint before(folder.path() / "run");
    EXPECT_GE(before.step(), 1 + rank);
    const auto resumed = run_ptyle({"reconstruct", "run.yaml", "--resume", "--set",
                                    "solver.iterations=" + std::to_string(before.step() + 1)},
                                   {.folder = folder.path(), .ranks = 3});
    EXPECT_EQ(resumed.status, 0) << resumed.err;
    fs::remove_all(folder.path() / "run");
  }
}

TEST_F(RankFailures, AResultThatCannotBeWrittenIsWrittenLaterOnAnyRanksWithoutComputing) {
  const auto reconstruct = [&](const std::string& to, int ranks, bool resume) {
    std::vector<std::string> arguments{"reconstruct", "run.yaml", "--set", "output.folder=" + to};
    if (resume) arguments.emplace_back("--resume");
    return run_ptyle(arguments, {.folder = folder.path(), .ranks = ranks});
  };
  ASSERT_EQ(reconstruct("wanted", 4, false).status, 0);
  const Result wanted = read_result(folder.path() / "wanted/result.h5");
  for (const int ranks : {0, 2, 4}) {
    SCOPED_TRACE(ranks);
    const fs::path in_the_way = folder.path() / "run/result.h5.part";
    fs::create_directories(in_the_way);
    const auto failed = reconstruct("run", 4, false);
    EXPECT_EQ(failed.status, 2) << failed.err;
    const auto said = sentences(failed.err);
    ASSERT_EQ(said.size(), 1U) << failed.err;
    EXPECT_TRUE(std::regex_match(
        said[0], std::regex("rank 0: .*result.h5.*2 iterations.*run/checkpoint.*--resume.*")))
        << failed.err;
    EXPECT_TRUE(has("ptyle.log"));
    fs::remove(in_the_way);
    const auto resumed = reconstruct("run", ranks, true);
    EXPECT_EQ(resumed.status, 0) << resumed.err;
    EXPECT_EQ(resumed.out.find("iteration 2/2"), std::string::npos) << resumed.out;
    const Result result = read_result(folder.path() / "run/result.h5");
    EXPECT_TRUE(std::equal(result.phase.begin(), result.phase.end(), wanted.phase.begin()));
    EXPECT_EQ(result.history.cost, wanted.history.cost);
    fs::remove_all(folder.path() / "run");
  }
}

TEST_F(RankFailures, MemoryThatIsShortAtTheEndOfARankLosesNothing) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the address sanitizer has its own allocations";
#endif
  const std::vector<std::string> arguments{"reconstruct", "run.yaml", "--set",
                                           "output.checkpoint_every=2"};
  ASSERT_EQ(run_ptyle({"reconstruct", "run.yaml", "--set", "output.folder=wanted"},
                      {.folder = folder.path(), .ranks = 4})
                .status,
            0);
  const Result wanted = read_result(folder.path() / "wanted/result.h5");
  // While the result is written, and before, once the last checkpoint is there.
  for (const char* file : {"run/result.h5.part", "run/checkpoint"})
    for (const int rank : {0, 2}) {
      SCOPED_TRACE(file + std::string(" on rank ") + std::to_string(rank));
      std::string start;
      for (const auto& [name, value] : no_memory_while(file, 2000))
        start += name + "='" + value + "' ";
      const auto ran = run_ptyle(arguments, {.folder = folder.path(),
                                             .ranks = 4,
                                             .other_rank = rank,
                                             .other_start = start + R"(exec "$0" "$@")"});
      EXPECT_EQ(ran.status, 2) << ran.err;
      const auto said = sentences(ran.err);
      ASSERT_EQ(said.size(), 1U) << ran.err;
      EXPECT_TRUE(std::regex_match(
          said[0], std::regex("rank " + std::to_string(rank) +
                              ": the memory is not enough; .*2 iterations, is in .*run/checkpoint: "
                              ".*--resume writes the result, computing nothing again")))
          << said[0];
      EXPECT_FALSE(has("result.h5"));
      EXPECT_FALSE(has("result.h5.part"));
      const auto resumed =
          run_ptyle({"reconstruct", "run.yaml", "--resume"}, {.folder = folder.path(), .ranks = 3});
      EXPECT_EQ(resumed.status, 0) << resumed.err;
      EXPECT_EQ(resumed.out.find("iteration 2/2"), std::string::npos) << resumed.out;
      const Result result = read_result(folder.path() / "run/result.h5");
      EXPECT_TRUE(std::equal(result.phase.begin(), result.phase.end(), wanted.phase.begin()));
      fs::remove_all(folder.path() / "run");
    }
}

TEST_F(RankFailures, WhereNoCheckpointCanBeWrittenIntoTheFolderItIsSavedElsewhere) {
  const auto ran = endless({"output.checkpoint_every=1", "output.overwrite=true"}, [&](pid_t) {
    // At once: the ranks write into the folder, and make it again where it is gone.
    folder.write("in-its-place", "a file");
    ASSERT_EQ(renameat2(AT_FDCWD, (folder.path() / "in-its-place").c_str(), AT_FDCWD,
                        (folder.path() / "run").c_str(), RENAME_EXCHANGE),
              0);
  });
  EXPECT_EQ(ran.status, 2) << ran.err;
  EXPECT_LT(seconds_since_act(), 10);
  const auto said = sentences(ran.err);
  ASSERT_EQ(said.size(), 1U) << ran.err;
  EXPECT_NE(said[0].find("run-rescued/checkpoint"), std::string::npos) << ran.err;
  const Checkpoint saved((folder.path() / "run-rescued").string());
  EXPECT_EQ(saved.ranks(), 4);
  EXPECT_GE(saved.step(), 2);
}

TEST_F(RankFailures, AFullDiskAtTheResultLeavesTheCheckpoint) {
  // A rank's part of the checkpoint has a quarter of the object, the result all of it, which all
  // four write.
  for (const std::size_t full : {0, 2}) {
    const auto ran = endless({"object.slices=20", "object.slice_thickness=1",
                              "solver.rule=descent"},  // no kernel of the transfer in rank 0's part
                             [&](pid_t mpirun) {
                               const auto ranks = rank_processes(mpirun, 4);
                               limit_files(ranks[full], 160 << 10);
                               kill(ranks[3], SIGTERM);
                             });
    EXPECT_EQ(ran.status, 2) << ran.err;
    EXPECT_LT(seconds_since_act(), 10);
    const auto said = sentences(ran.err);
    ASSERT_EQ(said.size(), 1U) << ran.err;
    EXPECT_TRUE(std::regex_match(
        said[0], std::regex("rank " + std::to_string(full) + ": .*result.h5.*File too large.*")))
        << ran.err;
    EXPECT_TRUE(has_checkpoint(folder.path() / "run"));
    EXPECT_FALSE(has("result.h5"));
    EXPECT_FALSE(has("result.h5.part"));
    fs::remove_all(folder.path() / "run");
  }
}

// Ranks that stand still ------------------------------------------------------------------------

TEST_F(RankFailures, OneThatStandsStillEndsAll) {
  for (const int rank : {2, 0}) {
    std::vector<pid_t> ranks;
    const auto ran = endless({"ranks.watchdog=5", "output.overwrite=true"}, [&](pid_t mpirun) {
      ranks = rank_processes(mpirun, 4);
      kill(ranks.at(std::size_t(rank)), SIGSTOP);
    });
    EXPECT_EQ(ran.status, 1) << ran.err;
    EXPECT_LT(seconds_since_act(), 20);  // 5 s, and then what a busy machine needs
    const auto said = sentences(ran.err);
    ASSERT_EQ(said.size(), 1U) << ran.err;
    EXPECT_TRUE(std::regex_match(
        said[0],
        std::regex("rank " + std::to_string(rank) +
                   ": no sign of life on host .* for [0-9]+ s, since ..:..:.., when it was "
                   "(reading the measurement|making "
                   "the fit|computing iteration [0-9]+ of 100000): .*output.checkpoint_minutes.*")))
        << ran.err;
    while (std::any_of(ranks.begin(), ranks.end(), runs) && seconds_since_act() < 30)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    EXPECT_LT(seconds_since_act(), 30);
    fs::remove_all(folder.path() / "run");
  }
}

TEST_F(RankFailures, WhereThereIsACheckpointItIsNamed) {
  const auto ran = endless(
      {"ranks.watchdog=3", "output.checkpoint_every=1"},
      [&](pid_t mpirun) { kill(rank_processes(mpirun, 4).at(1), SIGSTOP); }, 4);
  EXPECT_EQ(ran.status, 1) << ran.err;
  const auto said = sentences(ran.err);
  ASSERT_EQ(said.size(), 1U) << ran.err;
  EXPECT_NE(said[0].find("--resume continues from the last checkpoint in " +
                         (folder.path() / "run").string()),
            std::string::npos)
      << ran.err;
}

/// Processor time that a process has had, in hundredths of a second.
long processor_time(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  std::string word;
  for (int i = 0; i < 13; ++i) file >> word;
  long user = 0, system = 0;
  file >> user >> system;
  return user + system;
}

TEST_F(RankFailures, OneThatIsSlowIsWaitedFor) {
  // A mini-batch takes a rank about a quarter of a second. With 0.02 s of that in every 0.7 s it
  // takes longer than the others would wait for one that does nothing.
  const auto ran = endless(
      {"ranks.watchdog=4", "solver.batches=1", "object.slices=800", "object.slice_thickness=0.1",
       "solver.continuation=off", "solver.rule=descent", "solver.preconditioner=illumination"},
      [&](pid_t mpirun) {
        const auto ranks = rank_processes(mpirun, 4);
        for (int i = 0; i < 16; ++i) {
          kill(ranks[2], SIGSTOP);
          std::this_thread::sleep_for(std::chrono::milliseconds(700));
          const long until = processor_time(ranks[2]) + 2;
          kill(ranks[2], SIGCONT);
          for (int k = 0; k < 1000 && processor_time(ranks[2]) < until; ++k)
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
        }
        kill(ranks[1], SIGTERM);
      });
  EXPECT_EQ(ran.status, 3) << ran.err;
  EXPECT_TRUE(has("result.h5"));
}

TEST_F(RankFailures, TimeThatAllWereStoppedDoesNotCount) {
  const auto ran = endless({"ranks.watchdog=3"}, [&](pid_t mpirun) {
    const auto ranks = rank_processes(mpirun, 4);
    for (const pid_t rank : ranks) kill(rank, SIGSTOP);
    std::this_thread::sleep_for(std::chrono::seconds(8));
    for (const pid_t rank : ranks) kill(rank, SIGCONT);
    std::this_thread::sleep_for(std::chrono::seconds(1));
    kill(ranks[1], SIGTERM);
  });
  EXPECT_EQ(ran.status, 3) << ran.err;
  EXPECT_TRUE(has("result.h5"));
}

}  // namespace
}  // namespace ptyle
