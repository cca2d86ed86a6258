// ptyle tune: short reconstructions with several values of some keys, judged by what was held out.

#include "session/tune.hpp"

#include <memory>
#include <optional>

#include "app/commands/commands.hpp"
#include "app/device_option.hpp"
#include "app/interrupt.hpp"
#include "app/new_folder.hpp"
#include "app/ranks.hpp"
#include "app/terminal.hpp"
#include "session/fft_memory.hpp"

namespace ptyle {
namespace {

struct Options {
  TuneConfig config;
  std::vector<std::string> over;
  std::string device;
};

constexpr const char* help =
    "Examples:\n"
    "  ptyle tune run.yaml --over optics.defocus=150:250:10      a grid of eleven\n"
    "  ptyle tune run.yaml --over optics.defocus=150:250         a search by golden section\n"
    "  ptyle tune run.yaml --over data.flip_rows=true,false --over data.transpose=true,false\n"
    "  ptyle tune run.yaml --over 'geometry.refine=[],[defocus],[defocus,tilt]'   lists\n"
    "  ptyle tune run.yaml --over object.slice_thickness=8:12:1 --iterations 30\n"
    "  mpirun -n 6 ptyle tune run.yaml --over scan.rotation=-5:5:1\n"
    "\n"
    "Each reconstruction is judged by the R-factor of what it did not fit: solver.hold_out_pixels\n"
    "(0.05 unless the configuration holds something out). Nothing is fitted between them: the\n"
    "positions, the probe and, with optics.fitted, the optics are each time fitted anew.\n"
    "\n"
    "Writes into a folder beside the configuration (run-tune): tune.csv, a row a reconstruction;\n"
    "tune.png, R over the values; phase-001.png, ..., the summed phases; config.yaml. Started\n"
    "again, it goes on where it was stopped.\n"
    "\n"
    "Exit status: 0 done, 1 a fault of ptyle, 2 a mistake in what was given,\n"
    "             3 stopped by a signal, 130 ended early by Ctrl-C.";

int run(const TuneConfig& config, Team& team) {
  std::optional<Terminal> terminal;  // of the process that leads, which alone prints and writes
  std::optional<NewFolder> folder;
  if (team.leads()) {
    terminal.emplace(started_by_launcher());
    folder.emplace(config.folder);
  }
  const FftMemory fft_memory(team.leads());
  const InterruptGuard interrupt(team.leads());
  ReconstructCallbacks callbacks;
  callbacks.log = [&](const std::string& line) {
    folder->keep();
    terminal->say(line);
  };
  callbacks.warn = [&](const std::string& line) { terminal->warn(line); };
  callbacks.progress = [&](const Progress& now) { terminal->progress(progress_line(now)); };
  callbacks.stop = [] { return InterruptGuard::asked(); };
  const TuneReport report = tune(config, callbacks, team);
  if (terminal)
    terminal->say((report.whole ? "written to " : "ended early; the same command goes on: ") +
                  report.folder);
  return report.whole                    ? exit_status::done
         : InterruptGuard::by_keyboard() ? exit_status::interrupted
                                         : exit_status::stopped;
}

}  // namespace

void add_tune(CLI::App& app, Command& chosen) {
  auto* command =
      app.add_subcommand("tune", "which values of some keys describe the measurement best");
  auto options = std::make_shared<Options>();
  TuneConfig& config = options->config;
  command->add_option("configuration", config.file, "YAML file of ptyle reconstruct")->required();
  command
      ->add_option(
          "--over", options->over,
          "KEY=FROM:TO:STEP or KEY=A,B,C (lists in brackets: KEY=[A,B],[C]): a grid, of all "
          "combinations where it is given several times; KEY=FROM:TO: searched by golden section, "
          "one key alone")
      ->required()
      ->allow_extra_args(false);
  command
      ->add_option("--set", config.settings,
                   "key=value, in place of the configuration's; repeatable")
      ->allow_extra_args(false);
  command->add_option("--iterations", config.iterations, "of each reconstruction")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  command->add_option("--evaluations", config.evaluations, "reconstructions of a search")
      ->capture_default_str()
      ->check(CLI::Range(3, 1000));
  command->add_option("--folder", config.folder, "for table and pictures; default: run-tune");
  command->add_flag("--overwrite", config.overwrite, "begin anew");
  add_device(*command, options->device);
  command->footer(help);
  command->callback([options, &chosen] {
    chosen = [options](Team& team) {
      TuneConfig config = options->config;
      for (const auto& text : options->over) config.over.push_back(read_tune_axis(text));
      set_device(options->device, config.settings);
      if (config.folder.empty()) config.folder = tune_folder(config.file);
      return run(config, team);
    };
  });
}

}  // namespace ptyle
