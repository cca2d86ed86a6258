#include "session/plan_ranks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <utility>

#include "core/error.hpp"
#include "core/units.hpp"
#include "solver/batches.hpp"

namespace ptyle {
namespace {

/// Some mini-batches' step is estimated (two propagations of a position) and tried (one), where a
/// gradient is worth two.
double gradients_an_iteration(const FitOptions& options, i64 positions) {
  if (asked_parts<float>(options).rule || !options.parts.of<DescentOptions>().estimated()) return 1;
  const i64 batches = std::min(options.batches, positions);
  const double estimated =
      double((batches + estimate_every - 1) / estimate_every) / double(batches);
  return 1 + (positions / batches < large_batch ? 1.5 : 1) * estimated;
}

/// Of the first iteration; of all positions, as a plan does not know which are left out.
Load load_of_ranks(const Division& division, const FitOptions& options) {
  const auto& positions = division.frame.positions;
  std::vector<i64> all(positions.size());
  std::iota(all.begin(), all.end(), 0);
  return load_of(make_batches(positions, all, options.batches, options.seed, 1, options.group_of),
                 division.shares);
}

/// A run and how it is divided, where that can be.
struct Planned {
  Division division;
  FitOptions options;
};
Planned planned(const ReconstructConfig& config, const Experiment& experiment, i64 window,
                int ranks, int threads) {
  Planned run;
  run.division = divide(config, experiment.positions, window, experiment.calibration.pixel, ranks);
  run.options = fit_options(config, experiment, run.division, threads);
  check_options(run.options, run.division.sharing);
  return run;
}

/// The outlook for a run with this scheme: halos, positions and penalties may differ from
/// another's.
ExchangeOutlook outlook(ReconstructConfig config, const Experiment& experiment,
                        const OperatorSetup& setup, int ranks, Scheme scheme) {
  ExchangeOutlook o;
  o.scheme = scheme;
  config.ranks.exchange = scheme;
  Sharing sharing;
  try {
    sharing = planned(config, experiment, setup.window, ranks, 1).division.sharing;
  } catch (const UserError& e) {
    o.refused = e.what();
    return o;
  }
  const int bytes = config.solver.precision == Precision::float64 ? 8 : 4;
  const ExchangeCost cost = cost_of(sharing, exchanged_planes(setup.slices, setup.absorption),
                                    bytes, network_of(config.ranks));
  o.bytes = cost.bytes;
  o.messages = cost.messages;
  o.hops = cost.hops;
  o.seconds = cost.seconds;
  return o;
}

template <class T>
void plan_memory(const ReconstructConfig& config, const OperatorSetup& setup,
                 const Experiment& experiment, i64 batches, const GpuFacts* gpu, double program,
                 RanksOutlook& plan) {
  const double budget = memory_budget(config, 1);
  const std::size_t pattern = experiment.patterns->bytes_a_pattern();
  const auto needed = [](const RankMemory& m) { return m.gpu.empty() ? m.total() : m.gpu_least; };
  for (int rank = 0; rank < plan.ranks; ++rank) {
    RankMemory memory =
        gpu ? gpu_rank_memory<T>(config, setup, plan.division, rank, pattern, batches, *gpu)
            : rank_memory<T>(config, setup, plan.division, rank, plan.threads, pattern, budget);
    memory.program = program + (program > 0 && plan.ranks > 1 ? mpi_bytes : 0);
    if (rank == 0) plan.writing = memory.program + sum_of(memory.writing);
    plan.mean_memory += (gpu ? memory.gpu_total() : memory.total()) / plan.ranks;
    if (needed(memory) > needed(plan.memory)) plan.memory = memory;
  }
}

/// The least number of ranks, a power of two above `ranks`, whose GPUs have the memory; 0: none.
int ranks_that_fit(const ReconstructConfig& config, const Experiment& experiment, int ranks,
                   const GpuFacts& gpu) {
  constexpr int most = 4096;
  ReconstructConfig c = config;
  c.ranks.mesh = {};
  for (int n = 2; n <= most; n *= 2) {
    if (n <= ranks) continue;
    const RanksOutlook plan = plan_ranks(c, experiment, n, 1, 0, &gpu);
    if (plan.refused.empty() && plan.memory.gpu_least <= usable(gpu)) return n;
  }
  return 0;
}

}  // namespace

double measure_position_seconds(const ReconstructConfig& config, const Experiment& experiment,
                                int threads, Memory* gpu) {
  const OperatorSetup setup = operator_setup(config, experiment);
  const i64 window = setup.window, side = window + 32;
  const auto op =
      gpu ? make_gpu_operator<float>(setup, *gpu) : make_cpu_operator<float>(setup, threads);
  Array<float, 3> phase({setup.slices, side, side}), mu, gradient(phase.shape()), mu_gradient;
  if (setup.absorption) {
    mu = Array<float, 3>(phase.shape());
    mu_gradient = Array<float, 3>(phase.shape());
  }
  Array<float, 2> illumination({side, side});
  Array<Complex<float>, 3> probe({setup.modes, window, window}), probe_gradient(probe.shape());
  probe.fill(1);
  op->set_object({phase.view(), mu.view()});
  op->set_probe(probe);
  const auto measured = [&](i64, float* to) { std::fill_n(to, window * window, 1.0F); };
  const auto run = [&](int positions) {
    std::vector<Placement> places;
    for (int i = 0; i < positions; ++i) places.push_back({i % 16, 16 - i % 16, 0.3, -0.2});
    const auto start = std::chrono::steady_clock::now();
    op->gradient(
        places, measured,
        Wanted{Part::object, Part::illumination}.with(Part::probe, config.probe.refine_from > 0),
        {gradient, mu_gradient, illumination, probe_gradient});
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  double seconds = run(threads);  // also makes the buffers
  int positions = threads;
  for (double spent = 0; spent < 2 && positions < (1 << 20); positions *= 2) {
    const double took = run(positions);
    spent += took;
    seconds = took / positions;
  }
  return seconds;
}

RanksOutlook plan_ranks(const ReconstructConfig& config, const Experiment& experiment, int ranks,
                        int threads, double position_seconds, const GpuFacts* gpu, double program) {
  RanksOutlook plan;
  plan.ranks = ranks;
  plan.threads = threads;
  const OperatorSetup setup = operator_setup(config, experiment);
  FitOptions options;
  try {
    Planned run = planned(config, experiment, setup.window, ranks, threads);
    plan.division = std::move(run.division);
    options = std::move(run.options);
  } catch (const UserError& e) {
    plan.refused = e.what();
    return plan;
  }
  const Sharing& sharing = plan.division.sharing;
  plan.least = static_cast<i64>(experiment.positions.size());
  for (int rank = 0; rank < ranks; ++rank) {
    const auto& share = plan.division.shares[static_cast<std::size_t>(rank)];
    const i64 count = static_cast<i64>(share.own.size() + share.extra.size());
    plan.least = std::min(plan.least, count);
    plan.most = std::max(plan.most, count);
    const Box box = sharing.mesh.extended(rank);
    if (box.area() > plan.largest_tile[0] * plan.largest_tile[1])
      plan.largest_tile = {box.rows.size(), box.cols.size()};
  }
  if (config.solver.precision == Precision::float64)
    plan_memory<double>(config, setup, experiment, options.batches, gpu, program, plan);
  else
    plan_memory<float>(config, setup, experiment, options.batches, gpu, program, plan);
  if (ranks > 1)
    for (const Scheme scheme : all_schemes) {
      plan.exchanges.push_back(outlook(config, experiment, setup, ranks, scheme));
      if (scheme == sharing.scheme) plan.exchanging = plan.exchanges.back().seconds;
    }
  const auto positions = static_cast<i64>(experiment.positions.size());
  plan.batches = std::min(options.batches, positions);
  plan.load = load_of_ranks(plan.division, options);
  plan.exchanging *= double(plan.batches);
  plan.computing =
      double(plan.load.busiest) * position_seconds * gradients_an_iteration(options, positions);
  return plan;
}

void check_gpu_memory(const RankMemory& memory, const GpuFacts& gpu,
                      const ReconstructConfig& config, const Experiment& experiment, int ranks) {
  if (memory.gpu_least <= usable(gpu)) return;
  const int enough = ranks_that_fit(config, experiment, ranks, gpu);
  throw UserError(fmt::format(
      "a rank needs {:.1f} GB of the GPU's memory, of which {} has {:.1f} GB for it: {}, or "
      "compute "
      "with --device cpu",
      memory.gpu_least / 1e9, gpu.name, usable(gpu) / 1e9,
      enough > 0 ? fmt::format("{} ranks, a GPU each, would fit", enough)
                 : std::string("use fewer slices, a smaller window or a smaller halo")));
}

}  // namespace ptyle
