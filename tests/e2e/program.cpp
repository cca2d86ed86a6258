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

/// The log of a run with these arguments: in output.folder, else in `run`.
fs::path log_of(const std::vector<std::string>& arguments, const fs::path& folder) {
  constexpr std::string_view key = "output.folder=";
  std::string output = "run";
  for (const auto& argument : arguments)
    if (argument.starts_with(key)) output = argument.substr(key.size());
  return folder / output / "ptyle.log";
}

/// The command, with mpirun before it where there are ranks.
std::vector<std::string> command(const std::vector<std::string>& arguments,
                                 [[maybe_unused]] const HowToRun& how) {
  std::vector<std::string> words;
#ifdef PTYLE_MPIEXEC
  const auto add = [&](int ranks, const std::vector<std::string>& first) {
    if (ranks == 0) return;
    if (words.size() > 1) words.emplace_back(":");
    words.insert(words.end(), {"-n", std::to_string(ranks)});
    words.insert(words.end(), first.begin(), first.end());
    words.emplace_back(PTYLE_PROGRAM);
    words.insert(words.end(), arguments.begin(), arguments.end());
  };
  if (how.ranks > 0) {
    words.emplace_back(PTYLE_MPIEXEC);
    const int r = how.other_rank;
    std::vector<std::string> first;
    if (!how.every_start.empty()) first = {"sh", "-c", how.every_start};
    add(r < 0 ? how.ranks : r, first);
    if (r < 0) return words;
    add(1, {"sh", "-c", how.other_start});
    add(how.ranks - r - 1, first);
    return words;
  }
#endif
  words.emplace_back(PTYLE_PROGRAM);
  words.insert(words.end(), arguments.begin(), arguments.end());
  return words;
}

/// Root, and more ranks than cores: Open MPI asks. Its plugins leak, unloaded before anyone could
/// name them to a leak checker.
bool set_environment(const HowToRun& how) {
  const auto set = [](const char* name, const char* value) { return setenv(name, value, 1) == 0; };
  return set("HOME", how.folder.c_str()) && set("XDG_CACHE_HOME", "") &&
         (how.ranks == 0 ||
          (set("OMPI_ALLOW_RUN_AS_ROOT", "1") && set("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1") &&
           set("OMPI_MCA_rmaps_base_oversubscribe", "1") && set("ASAN_OPTIONS", "detect_leaks=0")));
}

/// In the child: output to files, limits, folder, then the program. Never returns.
[[noreturn]] void become_ptyle(std::vector<char*> argv, const HowToRun& how, const fs::path& out,
                               const fs::path& err) {
  const int out_fd = open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  const int err_fd = open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (out_fd < 0 || err_fd < 0 || dup2(out_fd, 1) < 0 || dup2(err_fd, 2) < 0) _exit(126);
  if (chdir(how.folder.c_str()) != 0) _exit(126);
  if (!set_environment(how)) _exit(126);
  if (how.file_limit > 0) {
    const rlimit limit{rlim_t(how.file_limit), rlim_t(how.file_limit)};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(126);
  }
  for (const auto& [name, value] : how.environment)
    if (setenv(name.c_str(), value.c_str(), 1) != 0) _exit(126);
  execv(argv[0], argv.data());
  _exit(127);
}

}  // namespace

std::vector<std::pair<std::string, std::string>> no_memory_while(const std::string& file,
                                                                 int least) {
  return {{"LD_PRELOAD", NO_MEMORY_LIBRARY},
          {"NO_MEMORY_WHILE", file},
          {"NO_MEMORY_FOR", std::to_string(least)}};
}

Ran run_ptyle(const std::vector<std::string>& arguments, const HowToRun& how) {
  static int number = 0;
  const auto base = fs::temp_directory_path() /
                    ("ptyle_ran_" + std::to_string(getpid()) + "_" + std::to_string(number++));
  const fs::path out = base.string() + ".out", err = base.string() + ".err";
  auto words = command(arguments, how);
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  const auto start = std::chrono::steady_clock::now();
  const auto elapsed = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  const fs::path log = log_of(arguments, how.folder);
  const std::string said_before = contents(log);
  const auto said = [&](const std::string& text) {
    const std::string now = contents(log);
    return contents(out).find(text) != std::string::npos ||
           now.find(text, now.starts_with(said_before) ? said_before.size() : 0) !=
               std::string::npos;
  };
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child == 0) become_ptyle(argv, how, out, err);

  Ran ran;
  int status = 0;
  bool acted = how.when.empty(), ended = false, killed = false;
  while (waitpid(child, &status, WNOHANG) == 0) {
    if (!acted && said(how.when)) {
      how.act(child);
      acted = true;
    }
    // At SIGTERM mpirun ends its ranks first.
    if (!ended && elapsed() > how.time_limit) ended = kill(child, SIGTERM) == 0;
    if (!killed && elapsed() > how.time_limit + 10) killed = kill(child, SIGKILL) == 0;
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

std::vector<pid_t> rank_processes(pid_t mpirun, int ranks) {
  std::vector<pid_t> found(static_cast<std::size_t>(ranks), 0);
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::string status = contents(entry.path() / "status");
    if (status.find("PPid:\t" + std::to_string(mpirun) + "\n") == std::string::npos) continue;
    const std::string environment = contents(entry.path() / "environ");
    for (int rank = 0; rank < ranks; ++rank)
      for (const char* variable : {"OMPI_COMM_WORLD_RANK=", "PMI_RANK="})
        if (environment.find('\0' + (variable + std::to_string(rank)) + '\0') != std::string::npos)
          found[static_cast<std::size_t>(rank)] = std::stoi(name);
  }
  if (std::find(found.begin(), found.end(), 0) != found.end())
    throw std::runtime_error("mpirun's ranks are not found");
  return found;
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
