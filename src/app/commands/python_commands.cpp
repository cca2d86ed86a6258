#include "app/commands/python_commands.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "core/error.hpp"

namespace ptyle {
namespace {

namespace fs = std::filesystem;

constexpr std::array commands{
    std::pair{"convert", "another format's file as HDF5 that ptyle reads (by the Python package)"},
    std::pair{"import", "a configuration from parameters of PtyRAD or phaser (the same)"}};

/// `python3 -m ptyle`, with a sentence in place of its traceback where there is no such package.
constexpr const char* start =
    "import importlib.util, runpy, sys\n"
    "if sys.path[0] == '': del sys.path[0]\n"  // a folder ptyle of the user's is no package
    "if importlib.util.find_spec('ptyle') is None:\n"
    "    sys.stderr.write(f\"ptyle: {sys.argv[1]} belongs to ptyle's Python package, which "
    "{sys.executable} does not have; pip install ptyle\\n\")\n"
    "    sys.exit(2)\n"
    "runpy.run_module('ptyle', run_name='__main__', alter_sys=True)\n";

}  // namespace

void add_python_commands(CLI::App& app) {
  for (const auto& [name, what] : commands) app.add_subcommand(name, what);
}

void run_python_command(int argc, char** argv) {
  const std::string asked = argc > 1 ? argv[1] : "";
  if (std::none_of(commands.begin(), commands.end(), [&](auto& c) { return asked == c.first; }))
    return;
  std::string python = "python3", code = start, option = "-c";
  std::error_code none;
  const fs::path beside = fs::read_symlink("/proc/self/exe", none).parent_path() / "python3";
  if (fs::exists(beside, none)) python = beside.string();
  std::vector<char*> words{python.data(), option.data(), code.data()};
  words.insert(words.end(), argv + 1, argv + argc);
  words.push_back(nullptr);
  ::execvp(python.c_str(), words.data());
  throw UserError(
      fmt::format("{} belongs to ptyle's Python package, and there is no python3 here; install "
                  "Python 3.10 or later, then: pip install ptyle",
                  asked));
}

}  // namespace ptyle
