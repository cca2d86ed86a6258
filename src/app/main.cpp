// The program: commands, exit statuses, and how faults are reported.

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <string>

#include "app/commands/commands.hpp"
#include "app/commands/python_commands.hpp"
#include "app/ranks.hpp"
#include "app/version.hpp"
#include "core/error.hpp"
#include "core/failure.hpp"
#include "core/printable.hpp"

namespace {

using namespace ptyle;

std::string version_text() {
  return fmt::format("{}\nbuilt with {}", name_and_version(), built_with);
}

/// The fault of the command line: an unknown command by its name, else as CLI11 reports it.
std::string command_line_fault(const CLI::App& app, int argc, char** argv,
                               const std::string& what) {
  std::vector<std::string> commands;
  for (const auto* command : app.get_subcommands(nullptr)) commands.push_back(command->get_name());
  const std::string first = argc > 1 ? argv[1] : "";
  const bool known = std::find(commands.begin(), commands.end(), first) != commands.end();
  if (argc > 1 && !known && !first.starts_with("-"))
    return fmt::format("there is no command {}; the commands are {}", first,
                       fmt::join(commands, ", "));
  return what + "; ptyle --help explains the commands";
}

int run(int argc, char** argv, Team& team) {
  CLI::App app{"Multislice electron ptychography, from measured patterns to a picture", "ptyle"};
  Command chosen;
  app.set_version_flag("--version", version_text);
  app.require_subcommand(1);
  app.get_formatter()->column_width(26);
  add_simulate(app, chosen);
  add_reconstruct(app, chosen);
  add_inspect(app, chosen);
  add_compare(app, chosen);
  add_plan(app, chosen);
  add_tune(app, chosen);
  add_python_commands(app);
  app.footer(
      "ptyle COMMAND --help explains a command, with examples.\n"
      "Exit status: 0 done, 1 a fault of ptyle, 2 a mistake in what was given,\n"
      "             3 stopped by --wall-time or a signal, 130 ended early by Ctrl-C.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return team.leads() ? app.exit(e) : 0;  // help and version
    throw UserError(command_line_fault(app, argc, argv, e.what()));
  }
  return chosen(team);
}

/// Reports what is wrong and ends the process, without the libraries' exit handlers: after a failed
/// write, HDF5's would write again and crash.
[[noreturn]] void fail(const Ranks* ranks, int status, const std::string& text) {
  const std::string sentence = printable_lines(text);
  if (ranks) ranks->fail(status, sentence);
  fmt::print(stderr, "ptyle: {}\n", sentence);
  std::fflush(nullptr);
  std::quick_exit(status);
}

}  // namespace

void ptyle::alone(const Team& team, const char* command, const char* besides) {
  if (team.size() > 1)
    throw UserError(
        fmt::format("{} works as one process: start it without mpirun{}", command, besides));
}

int main(int argc, char** argv) {
  // A file that may not grow on is then reported by the call that writes it, as a full disk is.
  std::signal(SIGXFSZ, SIG_IGN);
  std::optional<Ranks> ranks;
  int status = exit_status::our_fault;
  std::string sentence;
  try {
    run_python_command(argc, argv);  // which is another program, before MPI is started
    ranks.emplace(argc, argv);
    return run(argc, argv, ranks->team());
  } catch (const RankFailed& other) {
    ranks->fail(other);
  } catch (const std::exception& e) {
    const Failure failure = failure_of(e);
    if (failure.kind == Failure::Kind::users_mistake) status = exit_status::your_mistake;
    sentence = failure.sentence;
  }
  fail(ranks ? &*ranks : nullptr, status, sentence);
}
