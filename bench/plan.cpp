// How far is what `ptyle plan` says from runs on 1 to 12 real ranks of this machine?
//
// A simulated set (PbTiO3 along c, 200 kV, 30 mrad, 250 Å underfocus, windows 128² at 0.2 Å, 24 ×
// 24 positions 1.45 Å apart, 10 slices) is reconstructed by `mpirun -n R ptyle reconstruct`, a
// thread a rank, three times on each number of ranks, with the default's 20 mini-batches and with
// 4. Beside the plan of it (session/plan_ranks):
//
//   1. counted: positions of the rank that has most, bytes and messages that the busiest rank sends
//      in a mini-batch, MiB that the largest allocates
//   2. timed: seconds of the quickest iteration, and the fraction of the ranks' time that the run
//      that has it spends in gradients. The plan has a gradient take what it takes in the run on
//      one rank, and gives each rank a core of its own; where there are fewer cores, a mini-batch
//      here takes the busiest rank's gradients or an equal share of all of them a core, whichever
//      is longer
//
//   ./run-bench plan [PREFIX ...]    words before mpirun: "chrt -r 5" where other processes share
//                                    the cores, which then stand still for seconds at a time
//   last line: the largest error of an iteration's seconds

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "io/result.hpp"
#include "run_on_ranks.hpp"
#include "session/open_experiment.hpp"
#include "session/plan_ranks.hpp"
#include "session/reconstruct_keys.hpp"
#include "simulate/simulate.hpp"

namespace {

using namespace ptyle;

constexpr std::array rank_counts{1, 2, 4, 6, 9, 12};
constexpr int slices = 10, iterations = 3, repeats = 3;
constexpr double mib = 1 << 20;

Recipe recipe(const std::string& output) {
  Recipe r;
  r.output = output;
  r.specimen.structure = BuiltIn::PbTiO3;
  r.specimen.slice_thickness = 1.25;
  r.specimen.thickness = 1.25 * slices;
  r.optics = {.energy = 200, .semi_angle = 30, .defocus = 250};
  r.detector = {.window = 128, .pixel_size = 0.2};
  r.scan = {.shape = {24, 24}, .step = {1.45, 1.45}};
  return r;
}

void write_configuration(const std::string& file, const std::string& data) {
  std::ofstream(file) << fmt::format(
      "data: {{file: {}}}\n"
      "object: {{slices: {}, slice_thickness: 1.25}}\n"
      "probe: {{refine_from: 1}}\n"
      "positions: {{refine: off}}\n"
      "solver: {{iterations: {}, threads: 1, continuation: off}}\n"
      "output: {{pictures: false, tiff: false}}\n",
      data, slices, iterations);
}

/// The figures of a run, or of its plan.
struct Figures {
  i64 most = 0;                                   ///< positions of a rank
  double bytes = 0, messages = 0, allocated = 0;  ///< the busiest rank's in a mini-batch; B
  double seconds = 0;                             ///< an iteration
  double gradients = 0;                           ///< fraction of the ranks' time
};

// Runs

double sum(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}
double largest(const std::vector<double>& values) {
  return *std::max_element(values.begin(), values.end());
}

Figures run(const bench::Folder& folder, const std::string& prefix, int ranks, i64 batches) {
  bench::run_on_ranks(folder, prefix, ranks, {fmt::format("solver.batches={}", batches)});
  const ResultReader reader(folder / "result/result.h5");
  const ResultFacts& facts = reader.facts();
  const auto& seconds = facts.history.seconds;
  const double exchanges = double(batches) * iterations;
  Figures f;
  f.most = std::llround(largest(bench::figure(facts, "positions")));
  f.bytes = largest(bench::figure(facts, "sent/bytes")) / exchanges;
  f.messages = largest(bench::figure(facts, "sent/messages")) / exchanges;
  const auto &all = bench::figure(facts, "memory/booked"),
             &program = bench::figure(facts, "memory/program");
  for (std::size_t r = 0; r < all.size(); ++r)
    f.allocated = std::max(f.allocated, all[r] - program[r]);
  f.seconds = seconds.back();
  for (std::size_t i = 1; i < seconds.size(); ++i)
    f.seconds = std::min(f.seconds, seconds[i] - seconds[i - 1]);
  f.gradients = sum(bench::figure(facts, "iterations/gradients")) /
                sum(bench::figure(facts, "iterations/all"));
  return f;
}

Figures quickest(const bench::Folder& folder, const std::string& prefix, int ranks, i64 batches) {
  Figures best;
  for (int i = 0; i < repeats; ++i) {
    const Figures f = run(folder, prefix, ranks, batches);
    if (i == 0 || f.seconds < best.seconds) best = f;
  }
  return best;
}

// The plan

/// When the last rank has finished, in all mini-batches of an iteration: positions' gradients on a
/// core.
double last_finished(const RanksOutlook& plan, std::uint64_t seed, int cores) {
  const auto& positions = plan.division.frame.positions;
  std::vector<i64> all(positions.size());
  std::iota(all.begin(), all.end(), 0);
  double last = 0;
  for (const auto& batch : make_batches(positions, all, plan.batches, seed, 1)) {
    std::vector<double> work;
    for (const PositionShare& share : plan.division.shares)
      work.push_back(double(members_of(batch, share.own).size()));
    last += std::max(largest(work), sum(work) / std::min(cores, plan.ranks));
  }
  return last;
}

Figures figures_of(const RanksOutlook& plan, std::uint64_t seed, double gradient, int cores) {
  Figures f;
  f.most = plan.most;
  for (const ExchangeOutlook& one : plan.exchanges)
    if (one.scheme == plan.division.sharing.scheme)
      f.bytes = one.bytes, f.messages = double(one.messages);
  f.allocated = plan.memory.total();
  const double busiest = last_finished(plan, seed, cores) / double(plan.load.busiest);
  f.seconds = plan.computing * busiest + plan.exchanging + plan.summing_probe;
  f.gradients = double(plan.load.all) * gradient / (plan.ranks * f.seconds);
  return f;
}

std::string beside(double planned, double found, int digits) {
  return fmt::format("{:.{}f} / {:.{}f}", planned, digits, found, digits);
}

/// Largest errors, as fractions.
struct Errors {
  double seconds = 0, counted = 0;
};

/// A table of all numbers of ranks, with so many mini-batches an iteration; 0: as by default.
void compare(const bench::Folder& folder, const std::string& prefix, int batches, Errors& worst) {
  const ReconstructConfig config =
      read_reconstruct(folder / "run.yaml", {fmt::format("solver.batches={}", batches)}, true)
          .config;
  const Experiment experiment =
      plan_experiment(config.data, config.calibration, config.scan, config.optics);
  const int cores = available_threads();
  const auto positions = double(experiment.positions.size());
  const double of_plan = measure_position_seconds(config, experiment, 1);
  const i64 chosen = plan_ranks(config, experiment, 1, 1, of_plan).batches;
  const Figures alone = quickest(folder, prefix, 1, chosen);
  const double gradient = alone.gradients * alone.seconds / positions;
  fmt::print(
      "{} mini-batches; a gradient takes {:.3f} ms as ptyle plan measures it, {:.3f} ms in the run "
      "on one rank\n{:>5} {:>11} {:>17} {:>13} {:>15} {:>16} {:>6} {:>15}\n",
      chosen, 1e3 * of_plan, 1e3 * gradient, "ranks", "positions", "KiB a mini-batch", "messages",
      "MiB allocated", "s an iteration", "error", "% in gradients");
  for (const int ranks : rank_counts) {
    const Figures found = ranks == 1 ? alone : quickest(folder, prefix, ranks, chosen);
    const Figures planned = figures_of(plan_ranks(config, experiment, ranks, 1, gradient),
                                       config.solver.seed, gradient, cores);
    const double error = planned.seconds / found.seconds - 1;
    worst.seconds = std::max(worst.seconds, std::abs(error));
    for (const auto& [plan, run] :
         {std::pair(planned.bytes, found.bytes), std::pair(planned.messages, found.messages),
          std::pair(planned.allocated, found.allocated)})
      if (run > 0) worst.counted = std::max(worst.counted, std::abs(plan / run - 1));
    fmt::print("{:>5} {:>11} {:>17} {:>13} {:>15} {:>16} {:>+5.0f}% {:>15}\n", ranks,
               fmt::format("{} / {}", planned.most, found.most),
               beside(planned.bytes / 1024, found.bytes / 1024, 1),
               beside(planned.messages, found.messages, 1),
               beside(planned.allocated / mib, found.allocated / mib, 1),
               beside(planned.seconds, found.seconds, 3), 100 * error,
               beside(100 * planned.gradients, 100 * found.gradients, 0));
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) try {
  const std::string prefix = fmt::format("{}", fmt::join(argv + 1, argv + argc, " "));
  const bench::Folder folder;
  simulate(recipe(folder / "set.h5"), std::nullopt, {});
  write_configuration(folder / "run.yaml", folder / "set.h5");
  fmt::print("{} cores; planned / found\n", available_threads());
  Errors worst;
  for (const int batches : {0, 4}) compare(folder, prefix, batches, worst);
  fmt::print("traffic and memory: largest error {:.1f} %\n", 100 * worst.counted);
  fmt::print("plan = {:.0f} % largest error of an iteration's time\n", 100 * worst.seconds);
} catch (const std::exception& e) {
  fmt::print(stderr, "plan: {}\n", e.what());
  return dynamic_cast<const UserError*>(&e) ? 2 : 1;
}
