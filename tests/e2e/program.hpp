#pragma once

// Runs the built program as a process of its own, as a user does.

#include <sys/types.h>

#include <filesystem>
#include <string>
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
  /// Sends SIGINT once stdout holds this text; empty: never.
  std::string interrupt_after = {};
  double time_limit = 120;  ///< seconds, then it is killed
};

/// Runs ptyle with these arguments. HOME and XDG_CACHE_HOME lie in `folder`.
Ran run_ptyle(const std::vector<std::string>& arguments, const HowToRun& how);

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
