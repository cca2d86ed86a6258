// ptyle simulate:
//   1. read and check the recipe whole
//   2. object, then patterns, with a line of progress; what an earlier call made is kept

#include "simulate/simulate.hpp"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <memory>

#include "app/commands/commands.hpp"
#include "app/interrupt.hpp"
#include "app/terminal.hpp"
#include "core/error.hpp"
#include "session/fft_memory.hpp"
#include "session/simulate_keys.hpp"

namespace ptyle {
namespace {

struct Options {
  std::string file, positions;
  std::vector<std::string> settings;
  std::string threads;
  bool overwrite = false, print_template = false, print_schema = false;
};

constexpr const char* help =
    "Examples:\n"
    "  ptyle simulate --print-template > recipe.yaml   a recipe to start from\n"
    "  ptyle simulate recipe.yaml\n"
    "  ptyle simulate recipe.yaml --set dose.electrons_per_A2=1e5 --set output=noisy.h5\n"
    "  ptyle simulate recipe.yaml --positions 0:1000   a part of the scan; later calls add others\n"
    "\n"
    "Writes the data set (HDF5: patterns, positions, true probe and object) to output, by default\n"
    "beside the recipe and named after it; it is called output.part until all positions are\n"
    "there. After Ctrl-C, a signal (SIGTERM, SIGHUP, SIGUSR1) or a crash, the same command\n"
    "resumes where it was.\n"
    "\n"
    "Exit status: 0 done, 1 a fault of ptyle, 2 a mistake in what was given,\n"
    "             3 stopped by a signal, 130 ended early by Ctrl-C: what is made is kept.";

/// "120:240"
std::pair<i64, i64> range_of(const std::string& text) {
  const auto colon = text.find(':');
  std::pair<i64, i64> range;
  const auto read = [](const char* from, const char* to, i64& value) {
    const auto end = std::from_chars(from, to, value);
    return end.ec == std::errc() && end.ptr == to && from != to;
  };
  const char* begin = text.data();
  if (colon == std::string::npos || !read(begin, begin + colon, range.first) ||
      !read(begin + colon + 1, begin + text.size(), range.second))
    throw UserError(fmt::format(
        "--positions {}: first:last is needed, last not included, for example 0:1000", text));
  return range;
}

/// A terminal shows every step; elsewhere a line comes each tenth of a stage.
class SimulationLines {
 public:
  explicit SimulationLines(Terminal& terminal) : terminal_(terminal) {}
  void operator()(const SimulateProgress& now) {
    const i64 tenth = now.total > 0 ? 10 * now.done / now.total : 10;
    if (now.stage == stage_ && tenth == tenth_ && !terminal_.is_terminal()) return;
    stage_ = now.stage;
    tenth_ = tenth;
    terminal_.progress(fmt::format(
        "{} {}/{}  {}{}", now.stage, now.done, now.total, duration_text(now.seconds),
        now.done < now.total ? fmt::format("  {} left", duration_text(now.seconds_left)) : ""));
  }

 private:
  Terminal& terminal_;
  std::string stage_;
  i64 tenth_ = -1;
};

int run(const Options& options) {
  auto settings = options.settings;
  if (!options.threads.empty()) settings.push_back("threads=" + options.threads);
  auto recipe = read_simulate(options.file, settings).recipe;
  if (options.overwrite) recipe.overwrite = true;
  for (const std::string& input : {options.file, recipe.specimen.file}) {
    std::error_code ignored;
    if (std::filesystem::equivalent(recipe.output, input, ignored))
      throw UserError(fmt::format("output: {} is what is read, and would be replaced; name another",
                                  recipe.output));
  }
  std::optional<std::pair<i64, i64>> positions;
  if (!options.positions.empty()) positions = range_of(options.positions);

  Terminal terminal;
  const FftMemory fft_memory(true);
  const InterruptGuard interrupt;
  SimulationLines lines(terminal);
  const auto report = simulate(recipe, positions,
                               {.progress = [&](const SimulateProgress& now) { lines(now); },
                                .log = [&](const std::string& line) { terminal.say(line); },
                                .stop = [] { return InterruptGuard::asked(); }});
  terminal.say(report.complete ? fmt::format("done, written to {}", report.file)
                               : fmt::format("{} positions made, {} still to be made, so far in {}",
                                             report.made, report.left, report.file));
  if (report.complete || !InterruptGuard::asked()) return exit_status::done;
  return InterruptGuard::by_keyboard() ? exit_status::interrupted : exit_status::stopped;
}

}  // namespace

void add_simulate(CLI::App& app, Command& chosen) {
  auto* command = app.add_subcommand("simulate", "a data set from a recipe, with its ground truth");
  auto options = std::make_shared<Options>();
  command->add_option("recipe", options->file, "YAML file; --print-template writes one");
  command
      ->add_option("--set", options->settings,
                   "key=value, in place of the recipe's; repeatable; files are relative to the "
                   "current folder; key=~ takes the default")
      ->allow_extra_args(false);
  command->add_option("--positions", options->positions,
                      "first:last, only this part of the scan (last not included)");
  command->add_option("--threads", options->threads,
                      "0: all there are, at most OMP_NUM_THREADS where that is set");
  command->add_flag("--overwrite", options->overwrite,
                    "replace a data set that was made of another recipe");
  command->add_flag("--print-template", options->print_template,
                    "print a commented recipe to start from");
  command->add_flag("--print-schema", options->print_schema,
                    "print the JSON schema of recipes, for editors");
  command->footer(help);
  command->callback([options, &chosen] {
    chosen = [options](Team& team) {
      alone(team, "ptyle simulate");
      if (options->print_template) {
        print_out(simulate_template());
        return exit_status::done;
      }
      if (options->print_schema) {
        print_out(simulate_json_schema());
        return exit_status::done;
      }
      if (options->file.empty())
        throw UserError(
            "simulate needs a recipe; ptyle simulate --print-template writes one to start from");
      return run(*options);
    };
  });
}

}  // namespace ptyle
