#include "e2e/program.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace fs = std::filesystem;

namespace ptyle {
namespace {

std::string contents(const fs::path& file) {
  std::ifstream in(file);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

/// In the child: output to files, limits, folder, then the program. Never returns.
[[noreturn]] void become_ptyle(std::vector<char*> argv, const HowToRun& how, const fs::path& out,
                               const fs::path& err) {
  const int out_fd = open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  const int err_fd = open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (out_fd < 0 || err_fd < 0 || dup2(out_fd, 1) < 0 || dup2(err_fd, 2) < 0) _exit(126);
  if (chdir(how.folder.c_str()) != 0) _exit(126);
  if (setenv("HOME", how.folder.c_str(), 1) != 0 || setenv("XDG_CACHE_HOME", "", 1) != 0)
    _exit(126);
  if (how.file_limit > 0) {
    const rlimit limit{rlim_t(how.file_limit), rlim_t(how.file_limit)};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(126);
  }
  execv(argv[0], argv.data());
  _exit(127);
}

}  // namespace

Ran run_ptyle(const std::vector<std::string>& arguments, const HowToRun& how) {
  static int number = 0;
  const auto base = fs::temp_directory_path() /
                    ("ptyle_ran_" + std::to_string(getpid()) + "_" + std::to_string(number++));
  const fs::path out = base.string() + ".out", err = base.string() + ".err";
  std::vector<std::string> words{PTYLE_PROGRAM};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  const auto start = std::chrono::steady_clock::now();
  const auto elapsed = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child == 0) become_ptyle(argv, how, out, err);

  Ran ran;
  int status = 0;
  bool sent = how.interrupt_after.empty(), killed = false;
  while (waitpid(child, &status, WNOHANG) == 0) {
    if (!sent && contents(out).find(how.interrupt_after) != std::string::npos)
      sent = kill(child, SIGINT) == 0;
    if (!killed && elapsed() > how.time_limit) killed = kill(child, SIGKILL) == 0;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  ran.seconds = elapsed();
  ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  ran.out = contents(out);
  ran.err = contents(err);
  fs::remove(out);
  fs::remove(err);
  return ran;
}

TestFolder::TestFolder() {
  std::string name = (fs::temp_directory_path() / "ptyle_e2e_XXXXXX").string();
  if (!mkdtemp(name.data())) throw std::runtime_error("no folder for the test");
  path_ = fs::canonical(name);
}

TestFolder::~TestFolder() {
  std::error_code ignored;
  fs::permissions(path_, fs::perms::owner_all, ignored);
  fs::remove_all(path_, ignored);
}

void TestFolder::write(const std::string& file, const std::string& text) const {
  fs::create_directories((path_ / file).parent_path());
  std::ofstream(path_ / file) << text;
}

std::vector<std::string> TestFolder::files() const {
  std::vector<std::string> all;
  for (const auto& entry : fs::recursive_directory_iterator(path_)) {
    const auto name = fs::relative(entry.path(), path_).string();
    if (!name.starts_with(".cache")) all.push_back(name);  // what FFTW learnt
  }
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace ptyle
