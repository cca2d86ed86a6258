#include "session/plan_ranks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <iterator>
#include <numeric>
#include <tuple>
#include <utility>

#include "core/error.hpp"
#include "core/units.hpp"
#include "session/start.hpp"
#include "session/write_result.hpp"
#include "solver/batches.hpp"
#include "solver/states.hpp"
#include "tiles/hand_over.hpp"

namespace ptyle {
namespace {

/// Some mini-batches' step is estimated (two propagations of a position) and tried (one), where a
/// gradient is worth two.
double gradients_an_iteration(const FitOptions& options, i64 positions) {
  const auto rule = asked_parts<float>(options).rule;  // none: descent
  const bool estimates = rule ? rule->estimates() && rule->whole_scan_for().empty()
                              : options.parts.of<RuleOptions>().estimated();
  if (!estimates) return rule ? rule->passes_an_iteration() : 1;
  const i64 batches = std::min(options.batches, positions);
  const double estimated =
      double((batches + estimate_every - 1) / estimate_every) / double(batches);
  return 1 + (positions / batches < large_batch ? 1.5 : 1) * estimated;
}

/// The load of the first iteration, with all positions: a plan does not know which are left out.
Load load_of_ranks(const Division& division, const FitOptions& options) {
  const auto& positions = division.frame.positions;
  std::vector<i64> all(positions.size());
  std::iota(all.begin(), all.end(), 0);
  return load_of(make_batches(positions, all, options.batches, options.seed, 1, options.groups()),
                 division.shares);
}

/// Plans of so many ranks; what does not depend on the exchange is made once.
class Planner {
 public:
  Planner(ScanToPlan& scan, i64 window, int ranks) : scan_(scan), window_(window), ranks_(ranks) {}

  [[nodiscard]] const ScanOnObject& scan(const ReconstructConfig& config) {
    return scan_.with_margin(margin_of_moves(config.parts.of<PositionOptions>(), config.ranks,
                                             ranks_, std::ssize(scan_.experiment().positions),
                                             scan_.extent(), window_, pixel()));
  }
  /// The cut of a run, where it can be. Throws UserError.
  Cut cut(const ReconstructConfig& config) {
    const ScanOnObject& on_object = scan(config);
    const std::pair key(on_object.margin, needs_lines(config.ranks));
    auto found = cores_.find(key);
    if (found == cores_.end())
      found =
          cores_.emplace(key, cores_of(on_object, config.ranks, ranks_, planes_of(config))).first;
    return cut_along(found->second, on_object, pixel(), config);
  }
  /// Positions that a rank fits at most, its neighbours' included.
  i64 most_positions(const ReconstructConfig& config, const Cut& cut) {
    const auto [at, is_new] =
        most_.try_emplace({cut.margin, cut.extra, needs_lines(config.ranks)}, 0);
    if (!is_new) return at->second;
    const Mesh& mesh = cut.sharing.mesh;
    const auto& centres = scan(config).centres;
    std::vector<i64> counts = count_positions(mesh, centres);
    if (cut.extra > 0) {
      const auto others = most_that_come(mesh, centres, cut.extra);  // from as far as that
      std::transform(counts.begin(), counts.end(), others.begin(), counts.begin(), std::plus());
    }
    return at->second = *std::max_element(counts.begin(), counts.end());
  }
  FitOptions options(const ReconstructConfig& config, const Cut& cut, int threads) const {
    FitOptions options = fit_options(config, scan_.experiment(), cut, threads);
    check_options(options, cut.sharing, config.object.slices);
    return options;
  }

 private:
  [[nodiscard]] double pixel() const { return scan_.experiment().calibration.pixel; }
  ScanToPlan& scan_;
  i64 window_;
  int ranks_;
  // By the margin, by the reach of extra positions, and whether tiles are cut by lines:
  std::map<std::pair<i64, bool>, Cores> cores_;
  std::map<std::tuple<i64, i64, bool>, i64> most_;  // positions
};

/// A run with this scheme: halos, positions and penalties may differ from those of another, and its
/// chunks are its own.
ExchangeOutlook outlook(ReconstructConfig config, Planner& planner, Scheme scheme) {
  ExchangeOutlook o;
  o.scheme = scheme;
  config.ranks.exchange = scheme;
  try {
    const Cut cut = planner.cut(config);
    static_cast<void>(planner.options(config, cut, 1));
    o.bytes = cut.cost.bytes;
    o.messages = cut.cost.messages;
    o.hops = cut.cost.hops;
    o.seconds = cut.cost.seconds;
    o.positions = planner.most_positions(config, cut);
  } catch (const UserError& e) {
    o.refused = e.what();
  }
  return o;
}

template <class T>
void plan_memory(const ReconstructConfig& config, const OperatorSetup& setup, ScanToPlan& scan,
                 i64 batches, const GpuFacts* gpu, double program, RanksOutlook& plan) {
  program += program > 0 && plan.ranks > 1 ? mpi_bytes : 0;
  const double budget = memory_budget(config, 1, program);
  const std::size_t pattern = scan.experiment().patterns->bytes_a_pattern();
  const auto needed = [](const RankMemory& m) { return m.gpu.empty() ? m.total() : m.gpu_least; };
  for (int rank = 0; rank < plan.ranks; ++rank) {
    RankMemory memory =
        gpu ? gpu_rank_memory<T>(config, setup, plan.division, rank, pattern, batches, *gpu, budget)
            : rank_memory<T>(config, setup, plan.division, rank, plan.threads, pattern, budget);
    memory.program = program;
    add_starting<T>(memory, setup, plan.division, rank, scan.start_probe(config.probe));
    if (rank == 0) {
      plan.writing = memory.program + sum_of(memory.writing);
      plan.first_rank = memory.total();
    }
    plan.mean_memory += (gpu ? memory.gpu_total() : memory.total()) / plan.ranks;
    if (needed(memory) > needed(plan.memory)) plan.memory = memory;
  }
}

void count_files(const ReconstructConfig& config, const Experiment& experiment,
                 RanksOutlook& plan) {
  plan.read = double(experiment.bytes_a_frame) * double(experiment.positions.size());
  if (config.output.folder.empty()) return;
  const ObjectFrame& frame = plan.division.frame;
  plan.written =
      output_bytes({config.object.slices, frame.rows, frame.cols}, config.object.absorbs(),
                   config.output.tiff, config.parts.of<StatesOptions>().states);
}

/// The least number of ranks, a power of two above `ranks`, whose GPUs have the memory; 0: none.
int ranks_that_fit(const ReconstructConfig& config, const Experiment& experiment, int ranks,
                   const GpuFacts& gpu) {
  constexpr int most = 4096;
  ReconstructConfig c = config;
  c.ranks.mesh = {};
  ScanToPlan scan(experiment);
  for (int n = 2; n <= most; n *= 2) {
    if (n <= ranks) continue;
    const RanksOutlook plan = plan_ranks(c, scan, n, 1, 0, &gpu);
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
  Array<float, 3> phase({setup.planes(), side, side}), mu, gradient(phase.shape()), mu_gradient;
  if (setup.absorption) {
    mu = Array<float, 3>(phase.shape());
    mu_gradient = Array<float, 3>(phase.shape());
  }
  Array<float, 2> illumination({side, side});
  Array<Complex<float>, 3> probe({setup.probe_modes(), window, window}),
      probe_gradient(probe.shape());
  probe.fill(1);
  const std::vector<Complex<double>> mixture(static_cast<std::size_t>(setup.modes * setup.basis),
                                             1);
  op->set_object({phase.view(), mu.view()});
  op->set_probe(probe);
  const auto measured = [&](i64, float* to) { std::fill_n(to, window * window, 1.0F); };
  const auto run = [&](int positions) {
    std::vector<Placement> places;
    for (int i = 0; i < positions; ++i)
      places.push_back(
          {i % 16, 16 - i % 16, 0.3, -0.2, setup.basis > 0 ? mixture.data() : nullptr});
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

ScanToPlan::ScanToPlan(const Experiment& experiment)
    : experiment_(experiment), extent_(scan_extent(experiment.positions)) {}

const ScanOnObject& ScanToPlan::with_margin(i64 margin) {
  const auto found = scans_.find(margin);
  if (found != scans_.end()) return found->second;
  return scans_
      .emplace(margin, scan_on_object(experiment_.positions, experiment_.patterns->window(),
                                      experiment_.calibration.pixel, margin))
      .first->second;
}

double ScanToPlan::start_probe(const ProbeConfig& config) {
  if (!start_probe_) start_probe_ = start_probe_bytes(config, experiment_);
  return *start_probe_;
}

RanksOutlook plan_ranks(const ReconstructConfig& config, const Experiment& experiment, int ranks,
                        int threads, double position_seconds, const GpuFacts* gpu, double program) {
  ScanToPlan scan(experiment);
  return plan_ranks(config, scan, ranks, threads, position_seconds, gpu, program);
}

RanksOutlook plan_ranks(const ReconstructConfig& config, ScanToPlan& scan, int ranks, int threads,
                        double position_seconds, const GpuFacts* gpu, double program) {
  const Experiment& experiment = scan.experiment();
  RanksOutlook plan;
  plan.ranks = ranks;
  plan.threads = threads;
  const OperatorSetup setup = operator_setup(config, experiment);
  Planner planner(scan, setup.window, ranks);
  FitOptions options;
  try {
    Cut cut = planner.cut(config);
    options = planner.options(config, cut, threads);
    plan.division = divide(planner.scan(config), std::move(cut));
    plan.division.transfer_reach = transfer_reach(config, experiment);
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
    plan_memory<double>(config, setup, scan, options.batches, gpu, program, plan);
  else
    plan_memory<float>(config, setup, scan, options.batches, gpu, program, plan);
  if (ranks > 1)
    for (const Scheme scheme : all_schemes) {
      plan.exchanges.push_back(outlook(config, planner, scheme));
      if (scheme == sharing.scheme) plan.exchanging = plan.exchanges.back().seconds;
    }
  const auto positions = static_cast<i64>(experiment.positions.size());
  plan.batches = std::min(options.batches, positions);
  const auto batches = double(plan.batches);
  if (!config.ranks.exchange_at_end) plan.exchanging *= batches;
  const double probe = config.solver.precision == Precision::float64
                           ? wave_bytes<double>(setup, setup.probe_modes())
                           : wave_bytes<float>(setup, setup.probe_modes());
  if (options.probe_from > 0)
    plan.summing_probe = batches * seconds_of_reduction(ranks, probe, network_of(config.ranks));
  count_files(config, experiment, plan);
  plan.load = load_of_ranks(plan.division, options);
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
