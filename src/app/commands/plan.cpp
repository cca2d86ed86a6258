// ptyle plan:
//   1. read and check the configuration; open the measurement without its patterns
//   2. how long a position's gradient takes here, unless ranks.seconds_per_position says it
//   3. for each number of ranks: mesh, memory, exchanges and time, as a table

#include <fmt/format.h>

#include <cmath>
#include <ctime>
#include <map>
#include <memory>
#include <optional>

#include "app/commands/commands.hpp"
#include "app/device_option.hpp"
#include "app/terminal.hpp"
#include "app/wall_time.hpp"
#include "core/error.hpp"
#include "core/ledger.hpp"
#include "session/device.hpp"
#include "session/fft_memory.hpp"
#include "session/open_experiment.hpp"
#include "session/plan_ranks.hpp"
#include "session/reconstruct_keys.hpp"

namespace ptyle {
namespace {

struct Options {
  std::string file;
  std::vector<std::string> settings;
  std::vector<int> ranks{1, 2, 4, 8, 16};
  std::string device;
  std::optional<std::string> wall_time;
};

constexpr const char* help =
    "Examples:\n"
    "  ptyle plan run.yaml                                 1, 2, 4, 8 and 16 ranks\n"
    "  ptyle plan run.yaml --ranks 1,6,54,198,462,4158\n"
    "  ptyle plan run.yaml --ranks 54 --set ranks.halo=6.0 --set ranks.exchange=voxel\n"
    "  ptyle plan run.yaml --set ranks.seconds_per_position=0.002   a known rate: not measured\n"
    "\n"
    "For each number of ranks (mpirun -n): the mesh of tiles, the memory that the largest rank\n"
    "needs, the program itself and the writing of the result included, what each exchange sends\n"
    "and how long it takes on a network of ranks.bandwidth and ranks.latency, and the seconds of\n"
    "an iteration; at the end a line for each, and what is read and written at ranks.disk. With\n"
    "--device cuda also the memory of each rank's GPU: this machine's, or an H100. Nothing is\n"
    "reconstructed or written.\n"
    "\n"
    "Exit status: 0 done, 1 a fault of ptyle, 2 a mistake in what was given.";

constexpr double mib = 1 << 20;

void say_names(Terminal& terminal, std::map<std::string, double> bytes_by_name,
               double program = 0) {
  bytes_by_name["program"] = program;
  std::string names;
  for (const auto& [name, bytes] : bytes_by_name)
    if (bytes > 0.05 * mib)
      names += fmt::format("{}{} {:.1f}", names.empty() ? "" : ", ", name, bytes / mib);
  terminal.say("    of the largest, MiB: " + names);
}

void say_what_may_come(Terminal& terminal, const RankMemory& memory) {
  if (memory.on_disk > 0)
    terminal.say(fmt::format(
        "    patterns lie in a file: {:.1f} MiB of the disk (output.scratch), as memory does not "
        "hold them (solver.memory)",
        memory.on_disk / mib));
  if (memory.may_come > 0)
    terminal.say(fmt::format(
        "    patterns that may be handed over to it as positions move: at most {:.1f} MiB more",
        memory.may_come / mib));
}

/// Memory of the host: while the result is written, and of all ranks.
void say_what_is_needed(Terminal& terminal, const RanksOutlook& plan) {
  terminal.say(
      fmt::format("    while the result is written, MiB: {:.1f} of rank 0, whose peak is {:.1f}",
                  plan.writing / mib, plan.first_rank / mib));
  terminal.say(fmt::format("    free memory for {} on one machine: {:.0f} MiB",
                           plan.ranks == 1 ? "it" : "all ranks",
                           std::ceil(free_memory_for(plan.memory.total(), plan.ranks) / mib)));
}

void say_memory(Terminal& terminal, const RanksOutlook& plan) {
  const RankMemory& memory = plan.memory;
  if (memory.gpu.empty()) {
    terminal.say(fmt::format("  memory of a rank: {:.1f} MiB, largest {:.1f} MiB; waves {}",
                             plan.mean_memory / mib, memory.total() / mib,
                             describe(memory.options)));
    say_names(terminal, memory.at_the_peak(), memory.program);
    say_what_is_needed(terminal, plan);
    return say_what_may_come(terminal, memory);
  }
  terminal.say(
      fmt::format("  memory of a rank's GPU: {:.1f} MiB, largest {:.1f} MiB, at least {:.1f} MiB; "
                  "waves {}",
                  plan.mean_memory / mib, memory.gpu_total() / mib, memory.gpu_least / mib,
                  memory.gpu_options.waves == WaveStorage::store ? "store" : "recompute"));
  say_names(terminal, memory.gpu);
  terminal.say(fmt::format("  and on the host: {:.1f} MiB", memory.total() / mib));
  say_names(terminal, memory.at_the_peak(), memory.program);
  say_what_is_needed(terminal, plan);
  say_what_may_come(terminal, memory);
}

void say_exchanges(Terminal& terminal, const RanksOutlook& plan) {
  terminal.say(
      "  exchange          MiB sent  messages  hops        ms  positions   (most of a rank, one "
      "synchronisation)");
  for (const ExchangeOutlook& e : plan.exchanges) {
    const bool chosen = e.scheme == plan.division.sharing.scheme;
    const std::string name = fmt::format("{}{}", name_of(e.scheme), chosen ? " *" : "");
    if (!e.refused.empty())
      terminal.say(fmt::format("    {:<16} {}", name, e.refused));
    else
      terminal.say(fmt::format("    {:<16} {:>7.2f}  {:>8}  {:>4}  {:>8.3f}  {:>9}", name,
                               e.bytes / mib, e.messages, e.hops, 1e3 * e.seconds, e.positions));
  }
}

void say_load(Terminal& terminal, const RanksOutlook& plan) {
  const int of = plan.division.of;
  terminal.say(
      fmt::format("  {} mini-batch{} an iteration{}; each waits for its busiest rank: the ranks "
                  "compute {:.0f} % "
                  "of the time",
                  plan.batches, plan.batches == 1 ? "" : "es",
                  of > 1 ? fmt::format(", dealt for {} ranks", of) : "", 100 * plan.load.share()));
}

double iteration(const RanksOutlook& plan) {
  return plan.computing + plan.exchanging + plan.summing_probe;
}

/// A number of ranks in the last table.
struct Line {
  std::string text;
  double read = 0, written = 0;
};
Line line_of(const RanksOutlook& plan) {
  const Sharing& sharing = plan.division.sharing;
  const Mesh& mesh = sharing.mesh;
  const std::string tiles =
      mesh.is_tensor() ? fmt::format("{} x {}", mesh.rows(), mesh.cols()) : "bisection";
  const double memory = plan.memory.gpu.empty() ? plan.memory.total() : plan.memory.gpu_total();
  return {fmt::format("{:>8}  {:>9}  {:>9}  {:>14.1f}  {:>7.1f}  {:<16}  {:>17.4g}", plan.ranks,
                      tiles, plan.most, memory / mib, plan.first_rank / mib,
                      plan.ranks > 1 ? name_of(sharing.scheme) : "-", iteration(plan)),
          plan.read, plan.written};
}

void say(Terminal& terminal, const RanksOutlook& plan) {
  if (!plan.refused.empty()) {
    terminal.say(fmt::format("{} ranks: cannot run. {}", plan.ranks, plan.refused));
    return;
  }
  const Mesh& mesh = plan.division.sharing.mesh;
  terminal.say(fmt::format("{} rank{}: {} of up to {} x {} px, halo {} px, {} to {} positions each",
                           plan.ranks, plan.ranks == 1 ? "" : "s", mesh.describe(),
                           plan.largest_tile[0], plan.largest_tile[1],
                           mesh.ranks() > 1 ? mesh.halo().before : 0, plan.least, plan.most));
  say_memory(terminal, plan);
  if (plan.ranks > 1) say_exchanges(terminal, plan);
  if (plan.ranks > 1) say_load(terminal, plan);
  std::string travelling = duration_text(plan.exchanging) + " exchanging";
  if (plan.summing_probe > 0)
    travelling +=
        fmt::format(", {} summing the probe's gradient", duration_text(plan.summing_probe));
  if (plan.computing > 0)
    terminal.say(fmt::format("  an iteration: {} ({} computing, {})",
                             duration_text(iteration(plan)), duration_text(plan.computing),
                             travelling));
  else
    terminal.say("  an iteration: " + travelling);
}

/// A line for each number of ranks that can be, and what all of them read and write.
void say_all(Terminal& terminal, const std::vector<Line>& lines, double disk) {
  if (lines.empty()) return;
  if (lines.size() > 1) {
    terminal.say("");
    terminal.say(
        "   ranks      tiles  positions   MiB of a rank   rank 0  exchange             s an "
        "iteration");
    for (const Line& line : lines) terminal.say(line.text);
  }
  const double read = lines.back().read, written = lines.back().written;
  terminal.say(fmt::format(
      "files: {:.0f} MiB of patterns are read, {:.0f} MiB of result written: {} at {:g} GB/s "
      "(ranks.disk)",
      read / mib, written / mib, duration_text((read + written) / (1e9 * disk)), disk));
}

/// The GPU that ranks would have: this machine's, or one that is assumed; none: they compute on the
/// CPU.
struct PlannedGpu {
  std::optional<GpuFacts> facts;
  std::unique_ptr<Memory> here;
};

PlannedGpu gpu_of(ComputeOn device, Terminal& terminal) {
  if (device == ComputeOn::cpu) return {};
  const GpuCensus census = find_gpus();
  const DeviceChoice choice = choose_device(ComputeOn::automatic, census, 0);
  if (choice.gpu < 0 && device == ComputeOn::automatic) return {};
  PlannedGpu gpu{assumed_gpu(), nullptr};
  if (choice.gpu >= 0) {
    gpu.facts = census.gpus[static_cast<std::size_t>(choice.gpu)];
    gpu.here = open_gpu(choice.gpu);
    gpu.facts->free_bytes = free_bytes(*gpu.here);
  }
  terminal.say("each rank on " + describe(*gpu.facts));
  return gpu;
}

int run(const Options& options) {
  auto settings = options.settings;
  set_device(options.device, settings);
  auto input = read_reconstruct(options.file, settings, true);
  const auto by_default = minutes_by_default(wall_time(options.wall_time, std::time(nullptr)));
  input.config.output.minutes_by_default = by_default;
  const auto program = static_cast<double>(program_bytes());  // as much is there when a run opens
  const ReconstructConfig& config = input.config;
  Terminal terminal;
  if (by_default > 0 && config.output.minutes_between_checkpoints() == by_default)
    terminal.say(fmt::format(
        "a run that is to end by a time writes a checkpoint every {:.0f} min from a copy in memory",
        by_default));
  const FftMemory fft_memory(true);
  const Experiment experiment =
      plan_experiment(config.data, config.calibration, config.scan, config.optics);
  for (const auto& note : experiment.notes) terminal.say(note);
  for (const auto& warning : experiment.warnings) terminal.warn(warning);
  if (config.optics.fitted && experiment.by_step && !config.scan.rotation)
    terminal.say(
        "optics.fitted: planned without the scan's rotation, which is measured at the start and "
        "makes the object larger");
  const int threads = config.solver.threads > 0 ? config.solver.threads : default_threads(1);
  const PlannedGpu gpu = gpu_of(config.solver.device, terminal);
  double seconds = config.ranks.seconds_per_position;
  if (seconds == 0 && gpu.facts && !gpu.here) {
    terminal.warn(
        "there is no GPU here to measure a position's gradient on: without "
        "ranks.seconds_per_position the time of computing is left out");
  } else if (seconds == 0) {
    seconds = measure_position_seconds(config, experiment, threads, gpu.here.get());
    const std::string where =
        gpu.here ? "the GPU" : fmt::format("{} thread{}", threads, threads == 1 ? "" : "s");
    terminal.say(fmt::format(
        "a position's gradient takes {:.3g} ms here, on {} (ranks.seconds_per_position: {:.3g})",
        1e3 * seconds, where, seconds));
  }
  ScanToPlan scan(experiment);
  std::vector<Line> lines;
  for (const int ranks : options.ranks) {
    terminal.say("");
    const RanksOutlook plan = plan_ranks(config, scan, ranks, threads, seconds,
                                         gpu.facts ? &*gpu.facts : nullptr, program);
    say(terminal, plan);
    if (plan.refused.empty()) lines.push_back(line_of(plan));
  }
  say_all(terminal, lines, config.ranks.disk);
  return exit_status::done;
}

}  // namespace

void add_plan(CLI::App& app, Command& chosen) {
  auto* command = app.add_subcommand("plan", "memory, exchanges and time of a run on many ranks");
  auto options = std::make_shared<Options>();
  command->add_option("configuration", options->file, "YAML file of ptyle reconstruct")->required();
  command
      ->add_option("--set", options->settings,
                   "key=value, in place of the configuration's; repeatable")
      ->allow_extra_args(false);
  add_device(*command, options->device);
  command->add_option(
      "--wall-time", options->wall_time,
      "minutes, or hours:minutes:seconds, as of ptyle reconstruct: memory is then planned with the "
      "copy for a checkpoint, unless the configuration has none; by default within a Slurm job");
  command->add_option("--ranks", options->ranks, "numbers of ranks, e.g. 1,6,54")
      ->delimiter(',')
      ->check(CLI::Range(1, 1000000));
  command->footer(help);
  command->callback([options, &chosen] {
    chosen = [options](Team& team) {
      alone(team, "ptyle plan");
      return run(*options);
    };
  });
}

}  // namespace ptyle
