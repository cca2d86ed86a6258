#pragma once

// Runs the built program as a process of its own, or as ranks of MPI, as a user does.

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace ptyle {

struct Ran {
  int status = -1;       ///< exit status; 128 + n where signal n ended it
  std::string out, err;  ///< what it printed
  double seconds = 0;
};

struct HowToRun {
  std::filesystem::path folder = {};  ///< current folder of the process
  long file_limit = 0;                ///< bytes that a file may grow to (RLIMIT_FSIZE); 0: any
  int ranks = 0;                      ///< by mpirun; 0: without
  int other_rank = -1;                ///< one of these that is started by …; −1: none
  std::string other_start = {};       ///< … this shell script, in which "$0" "$@" is the program
  std::string every_start = {};       ///< such a script for every rank; empty: without
  /// Calls `act` with the process's number (mpirun's) once stdout, or what is new in the run's log,
  /// holds this text; empty: never.
  std::string when = {};
  std::function<void(pid_t)> act = {};
  std::vector<std::pair<std::string, std::string>> environment = {};  ///< besides what there is
  double time_limit = 120;  ///< seconds, then it is killed
};

/// Runs ptyle with these arguments. HOME and XDG_CACHE_HOME lie in `folder`.
Ran run_ptyle(const std::vector<std::string>& arguments, const HowToRun& how);

/// The environment in which allocations of `least` bytes and more fail as long as there is a file
/// of this name in the current folder (e2e/no_memory.cpp).
std::vector<std::pair<std::string, std::string>> no_memory_while(const std::string& file,
                                                                 int least);

/// Processes of the ranks that this mpirun has started, by rank.
std::vector<pid_t> rank_processes(pid_t mpirun, int ranks);

/// A folder of one test, removed at its end.
class TestFolder {
 public:
  TestFolder();
  ~TestFolder();
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  void write(const std::string& file, const std::string& text) const;
  /// All files in it, relative, sorted.
  [[nodiscard]] std::vector<std::string> files() const;

 private:
  std::filesystem::path path_;
};

}  // namespace ptyle
