// ptyle reconstruct:
//   1. read and check the configuration whole
//   2. run, with a line of progress an iteration, until done or Ctrl-C
//   3. beside the result: ptyle.log and config.yaml, the configuration as it was understood

#include "session/reconstruct.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>

#include "app/commands/commands.hpp"
#include "app/device_option.hpp"
#include "app/interrupt.hpp"
#include "app/new_folder.hpp"
#include "app/ranks.hpp"
#include "app/terminal.hpp"
#include "app/version.hpp"
#include "app/wall_time.hpp"
#include "core/error.hpp"
#include "core/host.hpp"
#include "core/ledger.hpp"
#include "io/checkpoint.hpp"
#include "io/part_file.hpp"
#include "session/check.hpp"
#include "session/device.hpp"
#include "session/fft_memory.hpp"
#include "session/fitted_optics.hpp"
#include "session/reconstruct_keys.hpp"

namespace fs = std::filesystem;

namespace ptyle {
namespace {

struct Options {
  std::string file;
  std::vector<std::string> settings;
  bool overwrite = false, resume = false, verify = false, check = false;
  bool print_template = false, print_schema = false;
  std::optional<int> ranks;
  std::optional<std::string> wall_time;
  std::string device;
};

constexpr const char* help =
    "Examples:\n"
    "  ptyle reconstruct --print-template > run.yaml   a file to start from, every key explained\n"
    "  ptyle reconstruct --check run.yaml              is everything there and consistent?\n"
    "  ptyle reconstruct --check run.yaml --ranks 6    and for mpirun -n 6?\n"
    "  ptyle reconstruct run.yaml\n"
    "  ptyle reconstruct run.yaml --set solver.iterations=50 --set probe.modes=2 --overwrite\n"
    "  mpirun -n 6 ptyle reconstruct run.yaml          the same on six ranks, the same result\n"
    "  ptyle reconstruct run.yaml --device cuda        on a GPU, or not at all\n"
    "  ptyle reconstruct run.yaml --wall-time 90       stop in time; then\n"
    "  ptyle reconstruct run.yaml --resume             continue\n"
    "\n"
    "Writes into output.folder (by default beside run.yaml and named after it): result.h5,\n"
    "the phase as a TIFF stack, pictures, ptyle.log and config.yaml. Ctrl-C, SIGTERM, SIGHUP,\n"
    "SIGUSR1 and the end of --wall-time finish the mini-batch at hand, write a checkpoint\n"
    "and what there is; a second Ctrl-C ends at once.\n"
    "\n"
    "R in the lines of progress is the R-factor of squared amplitudes, Σ(√I − √y)² / Σy of the\n"
    "model's intensities I and the counts y; R-factors of crystallography are not squared.\n"
    "\n"
    "Exit status: 0 done, 1 a fault of ptyle, 2 a mistake in what was given,\n"
    "             3 stopped by --wall-time or a signal, 130 ended early by Ctrl-C: the result is\n"
    "             written, and --resume continues.";

/// The program, when and where it runs, and what it was called by.
std::string head_of_log() {
  return fmt::format("{}, {:%Y-%m-%d %H:%M:%S}, on {}: {}", name_and_version(),
                     fmt::localtime(std::time(nullptr)), host_name(), command_line());
}

/// The folder of a run that is under way, with its log; taken away again where the run fails by a
/// mistake of the user, so that nothing half done is left.
class RunFolder {
 public:
  RunFolder(const ReconstructInput& input, const std::string& configuration, Terminal& terminal)
      : folder_(input.config.output.folder),
        resolved_(input.resolved),
        configuration_(configuration),
        begin_log_anew_(input.config.output.overwrite && !input.config.output.resume),
        terminal_(terminal),
        new_folder_(folder_) {}

  void open() {
    if (opened_) return;
    std::error_code failed;
    fs::create_directories(folder_, failed);
    if (failed)
      throw UserError(
          fmt::format("the folder {} cannot be made: {}", folder_.string(), failed.message()));
    opened_ = true;
    terminal_.log_to((folder_ / "ptyle.log").string(), begin_log_anew_, head_of_log());
  }
  /// The result is there: what fails now is missing, no more.
  void finish() {
    try {
      open();
    } catch (const UserError& e) {
      terminal_.warn(e.what());
    }
    const auto file = folder_ / "config.yaml";
    std::error_code ignored;
    if (!fs::equivalent(file, configuration_, ignored)) {
      PartFile part(file.string());
      std::ofstream out(part.name());
      out << resolved_;
      out.close();
      if (!out || part.commit())
        terminal_.warn(fmt::format("{} cannot be written; result.h5 holds the configuration, too",
                                   file.string()));
    }
    new_folder_.keep();
  }
  /// A checkpoint of what was computed is worth the log of how.
  void take_away() {
    if (opened_ && !has_checkpoint(folder_.string())) terminal_.remove_log();
  }

 private:
  fs::path folder_;
  const std::string& resolved_;
  const std::string& configuration_;  // the user's file
  bool begin_log_anew_;
  Terminal& terminal_;
  NewFolder new_folder_;
  bool opened_ = false;
};

int run(ReconstructInput input, const std::string& configuration, const WallTime& wall_time,
        Team& team) {
  const auto start = std::chrono::steady_clock::now();
  std::optional<Terminal> terminal;  // of the process that leads, which alone prints and writes
  std::optional<RunFolder> folder;
  if (team.leads()) {
    terminal.emplace(started_by_launcher());
    folder.emplace(input, configuration, *terminal);
  }
  const FftMemory fft_memory(team.leads());
  const InterruptGuard interrupt(team.leads());
  ReconstructCallbacks callbacks;
  callbacks.log = [&](const std::string& line) { terminal->say(line); };
  callbacks.warn = [&](const std::string& line) { terminal->warn(line); };
  callbacks.measured = [&](const ReconstructConfig& config, const auto& where) {
    return input.resolved = resolved_text(config, where);
  };
  callbacks.progress = [&](const Progress& now) {
    folder->open();
    terminal->progress(progress_line(now));
  };
  callbacks.stop = [&] {
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
    return InterruptGuard::asked() || (wall_time.seconds > 0 && passed.count() > wall_time.seconds);
  };
  if (terminal && !wall_time.of_job.empty()) terminal->say(wall_time.of_job);
  try {
    const bool whole = reconstruct(CheckedConfig{input.config}, input.resolved, callbacks, team);
    if (folder) {
      folder->finish();
      const char* how = whole                           ? "done"
                        : InterruptGuard::by_keyboard() ? "ended by Ctrl-C"
                                                        : "ended early";
      terminal->say(fmt::format("{}, written to {}{}", how, input.config.output.folder,
                                whole ? "" : "; --resume continues from its checkpoint"));
    }
    return whole                           ? exit_status::done
           : InterruptGuard::by_keyboard() ? exit_status::interrupted
                                           : exit_status::stopped;
  } catch (const UserError&) {
    if (folder) folder->take_away();
    throw;
  } catch (const RankFailed& other) {
    if (folder && other.status() == exit_status::your_mistake) folder->take_away();
    throw;
  }
}

/// The measurement is read and prepared as for a run, and what was found is said.
int check(const ReconstructConfig& given, const std::string& file, int ranks, Team& team) {
  Terminal terminal;
  ReconstructCallbacks callbacks;
  callbacks.log = [&](const std::string& line) { terminal.say(line); };
  const ReconstructConfig config = with_fitted_optics(given, nullptr, team, callbacks).config;
  Ledger ledger = ledger_of_process();
  const auto experiment = checked_experiment(config, ranks, ledger, callbacks.log);
  for (const auto& note : experiment.notes) terminal.say(note);
  for (const auto& warning : experiment.warnings) terminal.warn(warning);
  choose_device(config.solver.device, find_gpus(), 0);
  if (const auto earlier = earlier_result(config.output); !earlier.empty())
    terminal.say("output.folder: " + earlier);
  terminal.say(fmt::format("{} is consistent{}, and its data can be read", file,
                           ranks > 1 ? fmt::format(" on {} ranks", ranks) : ""));
  return exit_status::done;
}

/// What the options ask for: something printed, a check, or a run.
int start(const Options& options, Team& team) {
  if (options.print_template) {
    if (team.leads()) print_out(reconstruct_template());
    return exit_status::done;
  }
  if (options.print_schema) {
    if (team.leads()) print_out(reconstruct_json_schema());
    return exit_status::done;
  }
  if (options.ranks && !options.check)
    throw UserError(
        "--ranks belongs to --check; a run has the ranks that it is started with: mpirun -n 6 "
        "ptyle reconstruct run.yaml");
  if (options.file.empty())
    throw UserError(
        "reconstruct needs a configuration; ptyle reconstruct --print-template writes one to "
        "start from");
  auto settings = options.settings;
  set_device(options.device, settings);
  if (options.verify) settings.emplace_back("ranks.verify_halos=true");
  auto input =
      read_reconstruct(options.file, settings, options.overwrite, options.resume, !options.check);
  const WallTime time = wall_time(options.wall_time, std::time(nullptr));
  input.config.output.minutes_by_default = minutes_by_default(time);
  if (options.check) {
    alone(team, "ptyle reconstruct --check", ", and say by --ranks for how many ranks");
    const int ranks = options.ranks.value_or(ranks_to_check(input.config.ranks));
    return check(input.config, options.file, ranks, team);
  }
  return run(input, options.file, time, team);
}

}  // namespace

void add_reconstruct(CLI::App& app, Command& chosen) {
  auto* command = app.add_subcommand("reconstruct", "from measured patterns to object and probe");
  auto options = std::make_shared<Options>();
  command->add_option("configuration", options->file, "YAML file; --print-template writes one");
  command
      ->add_option("--set", options->settings,
                   "key=value, in place of the configuration's; repeatable; files are relative "
                   "to the current folder; key=~ takes the default")
      ->allow_extra_args(false);
  command->add_flag("--overwrite", options->overwrite, "replace an earlier result");
  command->add_flag(
      "--resume", options->resume,
      "resume from the checkpoint in output.folder; from the beginning where there is "
      "none. On any number of ranks");
  command->add_option("--wall-time", options->wall_time,
                      "minutes, or hours:minutes:seconds from the program's start: then finish the "
                      "mini-batch, write checkpoint and result, and exit with status 3; by "
                      "default shortly before a Slurm job ends");
  add_device(*command, options->device);
  command->add_flag("--verify-halos", options->verify,
                    "compare all copies of a voxel after every exchange (ranks.verify_halos)");
  command->add_flag("--check", options->check,
                    "only check the configuration and read the data; nothing is written");
  command
      ->add_option("--ranks", options->ranks,
                   "with --check: ranks of the run that is checked (mpirun -n); default: those of "
                   "ranks.mesh, or one")
      ->check(CLI::PositiveNumber);
  command->add_flag("--print-template", options->print_template,
                    "print a commented configuration to start from");
  command->add_flag("--print-schema", options->print_schema,
                    "print the JSON schema of configurations, for editors");
  command->footer(help);
  command->callback(
      [options, &chosen] { chosen = [options](Team& team) { return start(*options, team); }; });
}

}  // namespace ptyle
