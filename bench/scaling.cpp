// Are 6 to 4158 ranks all at work on the paper's sets, and how long would they take?
//
//   1. who has what: the large Lead Titanate raster (126 × 132 positions 1.45 Å apart, 100 slices
//      of 0.1 Å pixels, windows 256², exact halo), the same turned by 30°, and a spiral of as many
//      positions as dense. Tilings, mini-batches and shares are those of a run with `auto`; a
//      mini-batch waits for its busiest rank. Memory: the largest rank's, as `ptyle plan` has it
//   2. how long (the paper's Fig. 7a, Tables II and III): an iteration of the small set (63 × 66
//      positions) and of the large one, its mini-batches one after the other, each the busiest
//      rank's gradients, then the exchange of gradients and the probe's sum. Both by the models of
//      tiles/cost (12.5 GB/s, 1.5 µs; ./run-bench exchange-sim runs the exchanges' code on a
//      simulated network), with nothing computed meanwhile. Gradients at three rates:
//        the paper's 6 GPUs        5543 min for 100 iterations, by the operations of FFTs
//        V100, H200 at 25 %        of the time that 900 GB/s and 4.8 TB/s of memory need to
//                                  move the waves, the transmission and the gradient of a
//                                  position once
//      windows 1024² with the paper's halo of 60 px, and 256² with the exact halo
//   3. what the time goes into (Fig. 7b): computing, waiting for the busiest rank, communicating,
//      by the paper's passes without and with its pipelining (APPP), and by `owner`
//   4. weak scaling: 240 positions a rank, up to a million
//   5. how long to the quality of the paper's 100 iterations, by the rule that `auto` takes at each
//      number of ranks: passes as `./run-bench convergence rules` has them on its set of 6 slices
//      (momentum's with solver.transfer_damping 0.02, which is not the default), each with its
//      sums; the convolutions beside it, as this machine's host takes them, without the fills of
//      halos that they look at
//   6. what of an exchange (`owner`, the sum and the fill) leaves nodes of 4 and 8 ranks, with
//      tiles taken in the order of ranks, row by row, and in blocks (tiles/nodes), as a run does
//
//   ./run-bench scaling
//   last line: seconds for 100 iterations at 1024², halo 60 px, on 4158 V100 (the paper: 132 s)

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <numbers>
#include <numeric>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "core/error.hpp"
#include "core/raster.hpp"
#include "core/units.hpp"
#include "device/cpu/block_filter.hpp"
#include "prepare/calibration.hpp"
#include "session/rank_memory.hpp"
#include "session/settings.hpp"
#include "solver/batches.hpp"
#include "solver/rules/rule_options.hpp"
#include "tiles/cost.hpp"
#include "tiles/nodes.hpp"

namespace {

using namespace ptyle;

constexpr std::array rank_counts{6, 54, 198, 462, 924, 4158};
constexpr int slices = 100;
constexpr double pixel = 0.1, step = 1.45;  // Å
constexpr i64 positions_of_set = 126 * 132;

// Scans, Å

std::vector<Position> raster(i64 rows, i64 cols, double degrees = 0) {
  return positions_of(Raster{{rows, cols}, {step, step}, degrees});
}

/// Archimedean: turns a step apart, and positions along them.
std::vector<Position> spiral(i64 count) {
  constexpr double pitch = step / (2 * std::numbers::pi);
  std::vector<Position> all;
  for (double turn = 2; std::ssize(all) < count; turn += step / std::hypot(pitch * turn, pitch))
    all.push_back({pitch * turn * std::cos(turn), pitch * turn * std::sin(turn)});
  return all;
}

// A run

struct Run {
  Division division;
  Load load;  ///< of an iteration's mini-batches
  i64 batches = 1;
  i64 least = 0, most = 0;  ///< positions of a rank
  double memory = 0;        ///< bytes, of the rank that needs most
};

/// The choices of a run beside its positions.
struct Ask {
  i64 window = 256;
  double halo = 0;  ///< Å; 0: exact
  int ranks = 1;
  Thickness thickness = Thickness::thin;
  bool with_memory = false;
  Tiling tiling = Tiling::automatic;
  bool rule = false;  ///< mini-batches by the rule that is chosen
};

ReconstructConfig configuration(const Ask& ask) {
  ReconstructConfig config;
  config.object.slices = slices;
  config.object.type = ObjectType::potential;
  config.object.slice_thickness = 1.25;
  config.optics.energy = 200;
  config.optics.semi_angle = 30;
  config.parts.of<PositionOptions>().refine = Switch::off;
  config.ranks.tiling = ask.tiling;
  config.ranks.of = ask.ranks;
  if (ask.halo > 0) config.ranks.halo = fmt::format("{}", ask.halo);
  return config;
}

i64 reach_of_kernel(const ReconstructConfig& config, i64 window) {
  return reach_of_transfer({}, config.optics.semi_angle * mrad / wavelength_of(config.optics),
                           pixel, window);
}

Run run_of(const std::vector<Position>& positions, const Ask& ask) {
  const ReconstructConfig config = configuration(ask);
  const int ranks = ask.ranks;
  Run run;
  run.division = divide(config, positions, ask.window, pixel, ranks);
  run.division.transfer_reach = reach_of_kernel(config, ask.window);
  const auto& shared = run.division.group_of;
  const std::vector<int> group_of = shared ? *shared : std::vector<int>{};
  const auto count = static_cast<i64>(positions.size());
  constexpr double many_counts = 1e6;
  const bool whole_scan = ask.rule && run.division.rule == RuleChoice::lbfgs;
  run.batches = whole_scan ? 1
                           : batches_of_groups(group_sizes(group_of, count, ranks),
                                               default_batches(count, many_counts, ask.thickness));
  std::vector<i64> all(positions.size());
  std::iota(all.begin(), all.end(), 0);
  run.load = load_of(make_batches(run.division.frame.positions, all, run.batches, 0, 1, group_of),
                     run.division.shares);
  const auto by_size = [](const PositionShare& a, const PositionShare& b) {
    return a.own.size() < b.own.size();
  };
  const auto [few, many] =
      std::minmax_element(run.division.shares.begin(), run.division.shares.end(), by_size);
  run.least = std::ssize(few->own);
  run.most = std::ssize(many->own);
  if (!ask.with_memory) return run;
  OperatorSetup setup;
  setup.window = ask.window;
  setup.slices = slices;
  setup.propagator.resize(static_cast<std::size_t>(ask.window * ask.window));
  for (int rank = 0; rank < ranks; ++rank)
    run.memory = std::max(
        run.memory, rank_memory<float>(config, setup, run.division, rank, 1,
                                       static_cast<std::size_t>(2 * ask.window * ask.window), 64e9)
                        .total());
  return run;
}

/// The raster's runs, then those of another scan, whose memory is compared with them.
struct Scan {
  const char* name;
  std::vector<Position> positions;
};

bool print_shares() {
  const std::array scans{Scan{"raster", raster(126, 132)},
                         Scan{"turned by 30 deg", raster(126, 132, 30)},
                         Scan{"spiral", spiral(positions_of_set)}};
  fmt::print(
      "who has what: windows 256², exact halo; computing: share of the ranks' time, the rest waits "
      "for the busiest\n"
      "{:>6}  {:<17} {:<26} {:>11} {:>8} {:>8} {:>15} {:>20}\n",
      "ranks", "scan", "tiling", "positions", "GB", "raster=1", "batches: share",
      "very thick specimen");
  bool good = true;
  for (const int ranks : rank_counts) {
    double of_raster = 0;
    for (const Scan& scan : scans) {
      const Run run = run_of(scan.positions, {.ranks = ranks, .with_memory = true});
      const Run thick =
          run_of(scan.positions, {.ranks = ranks, .thickness = Thickness::very_thick});
      if (of_raster == 0) of_raster = run.memory;
      const double larger = run.memory / of_raster;
      fmt::print("{:>6}  {:<17} {:<26} {:>11} {:>8.3f} {:>8.2f} {:>8}: {:>5.3f} {:>13}: {:>5.3f}\n",
                 ranks, scan.name, run.division.sharing.mesh.describe(),
                 fmt::format("{}-{}", run.least, run.most), run.memory / 1e9, larger, run.batches,
                 run.load.share(), thick.batches, thick.load.share());
      std::fflush(stdout);
      const bool straight = &scan == scans.data();
      if (straight && ranks == 462) good = good && run.load.share() >= 0.85;
      if (straight && ranks == 4158) good = good && run.load.share() >= 0.90;
      if (!straight && (ranks == 54 || ranks == 198))
        good = good && run.load.share() >= 0.90 && larger <= 1.5;
    }
  }
  return good;
}

// Time

/// Operations of the FFTs of a position's gradient: 5 W² log2 W² each.
double operations(i64 window) {
  const auto pixels = static_cast<double>(window * window);
  return double(4 * (slices - 1) + 2) * 5 * pixels * std::log2(pixels);
}
/// The least that a GPU moves for it, bytes: the wave four times a slice, waves and transmission
/// that are kept and read, the gradient (bench/gradient-gpu).
double least_bytes(i64 window) { return double(window * window) * slices * (20 + 16 + 64); }

struct Rate {
  const char* name;
  double operations, bytes;  ///< a second
  [[nodiscard]] double seconds(i64 window) const {
    return operations > 0 ? ::operations(window) / operations : least_bytes(window) / bytes;
  }
};

/// 100 iterations of 2772 positions in 5543 min.
double papers_rate() { return ::operations(1024) / (5543.0 * 60 / 100 / 2772); }

/// 100 iterations, min.
struct Time {
  double computing = 0;  ///< the mean rank's gradients
  double waiting = 0;    ///< for the busiest rank of each mini-batch
  double exchange = 0, probe = 0;
  [[nodiscard]] double all() const { return computing + waiting + exchange + probe; }
  [[nodiscard]] double share() const { return computing / all(); }
};
constexpr double hundred = 100.0 / 60;  // iterations, min/s

double seconds_of_exchange(const Run& run, Scheme scheme) {
  return cost_of(Sharing{run.division.sharing.mesh, scheme}, exchanged_planes(slices, false),
                 sizeof(float), Network())
      .seconds;
}
double seconds_of_probe(i64 window, int ranks) {
  return seconds_of_reduction(ranks, double(window * window) * sizeof(Complex<float>), Network());
}

Time time_of(const Run& run, i64 window, double seconds_a_position, double exchange) {
  const auto ranks = double(run.load.ranks), batches = double(run.batches);
  const double each = hundred * seconds_a_position;
  Time time;
  time.computing = double(run.load.all) / ranks * each;
  time.waiting = double(run.load.busiest) * each - time.computing;
  time.exchange = hundred * batches * exchange;
  time.probe = hundred * batches * seconds_of_probe(window, run.load.ranks);
  return time;
}

/// Columns of Tables II and III, min.
struct Published {
  int ranks;
  const char *gd, *hve;
};
constexpr std::array table_ii{Published{6, "360.0", "463.3"}, Published{24, "73.0", "95.3"},
                              Published{54, "20.6", "43.7"},  Published{126, "11.5", "NA"},
                              Published{198, "5.5", "-"},     Published{462, "3.0", "-"}};
constexpr std::array table_iii{Published{6, "5543.0", "7213.3"}, Published{54, "183.0", "271.7"},
                               Published{198, "37.5", "59.2"},   Published{462, "14.2", "189.5"},
                               Published{924, "7.0", "-"},       Published{4158, "2.2", "NA"}};

const Rate v100{"V100 at 25 %", 0, 0.25 * 900e9}, h200{"H200 at 25 %", 0, 0.25 * 4.8e12};

/// Returns the seconds of 100 iterations on the most V100. The paper's are of windows 1024².
double print_times(const char* name, const std::vector<Position>& positions, i64 window,
                   double halo, std::span<const Published> published) {
  const std::array rates{v100, h200, Rate{"the paper's rate", papers_rate(), 0}};
  const bool beside = window == 1024;
  fmt::print("\n100 iterations, min (share of the ranks' time that computes): {}\n", name);
  for (const Rate& rate : rates)
    fmt::print("  {}: {:.3g} ms a gradient, {:.0f} GFLOP/s of FFTs\n", rate.name,
               1e3 * rate.seconds(window), operations(window) / rate.seconds(window) / 1e9);
  fmt::print("{:>5} {:>7} {:>9} {:>12} {:>9}", "ranks", "batches", "waits not", "exchange, ms",
             "probe, ms");
  for (const Rate& rate : rates) fmt::print(" {:>17}", rate.name);
  fmt::print("{}\n", beside ? "  paper: GD / HVE" : "");
  double last = 0;
  for (const Published& paper : published) {
    const Run run = run_of(positions, {.window = window, .halo = halo, .ranks = paper.ranks});
    const double exchange = seconds_of_exchange(run, run.division.sharing.scheme);
    fmt::print("{:>5} {:>7} {:>9.3f} {:>12.3g} {:>9.3g}", paper.ranks, run.batches,
               run.load.share(), 1e3 * exchange, 1e3 * seconds_of_probe(window, paper.ranks));
    for (const Rate& rate : rates) {
      const Time t = time_of(run, window, rate.seconds(window), exchange);
      fmt::print(" {:>10.3g} ({:>3.0f}%)", t.all(), 100 * t.share());
      if (&rate == rates.data()) last = 60 * t.all();
    }
    fmt::print("{}\n", beside ? fmt::format(" {:>7} / {:>6}", paper.gd, paper.hve) : "");
    std::fflush(stdout);
  }
  return last;
}

/// Tiles are cut by lines, as the passes need.
void print_breakdown() {
  constexpr i64 window = 1024;
  fmt::print(
      "\nwhat the time goes into (Fig. 7b): 100 iterations of the large set, min, windows 1024², "
      "halo 60 px, V100 at 25 %\n{:>5} {:>7} {:>9} {:>7} {:>9}  communicating: {:>8} {:>9} {:>6}  "
      "{}\n",
      "ranks", "batches", "computing", "waiting", "the probe", "w/o APPP", "with APPP", "owner",
      "without / with");
  const auto positions = raster(126, 132);
  for (const int ranks : {24, 54, 126, 198, 462}) {
    const Run run =
        run_of(positions, {.window = window, .halo = 6.0, .ranks = ranks, .tiling = Tiling::mesh});
    const auto time = [&](Scheme scheme) {
      return time_of(run, window, v100.seconds(window), seconds_of_exchange(run, scheme));
    };
    const Time passes = time(Scheme::passes), pipelined = time(Scheme::pipelined),
               owner = time(Scheme::owner);
    fmt::print("{:>5} {:>7} {:>9.3g} {:>7.2g} {:>9.2g} {:>24.3g} {:>9.3g} {:>6.2g}  {:>14.1f}\n",
               ranks, run.batches, owner.computing, owner.waiting, owner.probe, passes.exchange,
               pipelined.exchange, owner.exchange, passes.exchange / pipelined.exchange);
    std::fflush(stdout);
  }
}

void print_weak_scaling() {
  constexpr i64 of_rank = 240, window = 256;
  fmt::print(
      "\nweak scaling, {} positions a rank, windows 256², exact halo, V100 at 25 %\n"
      "{:>6} {:>9} {:>8} {:>12} {:>12} {:>10}\n",
      of_rank, "ranks", "positions", "batches", "computing, s", "all, s", "computes");
  for (const int ranks : rank_counts) {
    const i64 rows = std::llround(std::sqrt(double(of_rank * ranks)));
    const i64 cols = of_rank * ranks / rows;
    const Run run = run_of(raster(rows, cols), {.window = window, .ranks = ranks});
    const Time t = time_of(run, window, v100.seconds(window),
                           seconds_of_exchange(run, run.division.sharing.scheme));
    fmt::print("{:>6} {:>9} {:>8} {:>12.4g} {:>12.4g} {:>9.0f}%\n", ranks, rows * cols, run.batches,
               0.6 * (t.computing + t.waiting), 0.6 * t.all(), 100 * t.share());
    std::fflush(stdout);
  }
}

/// Seconds of a convolution of a core with a kernel that reaches so far, on one thread here.
double seconds_of_convolution(const Box& core, i64 reach) {
  const i64 side = 2 * reach + 1, rows = core.rows.size() + 2 * reach,
            cols = core.cols.size() + 2 * reach;
  const BlockFilter<float> filter(Kernel3({2 * slices - 1, side, side}),
                                  std::max(core.rows.size(), core.cols.size()), 1, nullptr);
  const Array<float, 3> from({slices, rows, cols});
  Array<float, 2> weight({rows, cols});
  weight.fill(1);
  Array<float, 3> to({slices, core.rows.size(), core.cols.size()});
  const auto start = std::chrono::steady_clock::now();
  filter.apply(from, std::as_const(weight), {{reach, rows - reach}, {reach, cols - reach}}, to);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// The core of the rank whose core is of median size: what lies far beyond the scan, in larger ones
/// at its rim, is dark and takes no time.
Box usual_core(const Mesh& mesh) {
  std::vector<Box> cores;
  for (int rank = 0; rank < mesh.ranks(); ++rank) cores.push_back(mesh.core(rank));
  const auto middle = cores.begin() + std::ssize(cores) / 2;
  std::nth_element(cores.begin(), middle, cores.end(),
                   [](const Box& a, const Box& b) { return a.area() < b.area(); });
  return *middle;
}

/// The share of the ranks' time that computes at the most ranks.
double print_seconds_to_quality(const std::vector<Position>& positions) {
  constexpr i64 window = 1024;
  constexpr double passes_of_lbfgs = 15.6, passes_of_momentum = 13.4;
  fmt::print(
      "\nto the quality of the paper's 100 iterations: the large set, windows 1024², halo 60 px, "
      "V100 at 25 %\n{:>5} {:<9} {:>8} {:>7} {:>12} {:>12} {:>9} {:>14} {:>9} {:>8} {:>9} {:>7}\n",
      "ranks", "rule", "batches", "passes", "computing, s", "exchange, s", "probe, s",
      "convolution, s", "all, s", "computes", "paper, s", "GB");
  double share = 0;
  for (const Published& paper : table_iii) {
    const Run run = run_of(
        positions,
        {.window = window, .halo = 6.0, .ranks = paper.ranks, .with_memory = true, .rule = true});
    const bool lbfgs = run.division.rule == RuleChoice::lbfgs;
    const double passes = lbfgs ? passes_of_lbfgs : passes_of_momentum;
    Time t = time_of(run, window, v100.seconds(window),
                     seconds_of_exchange(run, run.division.sharing.scheme));
    const double scale = 0.6 * passes;  // s, of minutes of 100 iterations
    const double convolved =
        passes * double(lbfgs ? 2 : run.batches) *
        seconds_of_convolution(usual_core(run.division.sharing.mesh), run.division.transfer_reach);
    const double all = scale * t.all() + convolved;
    share = (scale * t.computing + convolved) / all;
    fmt::print(
        "{:>5} {:<9} {:>8} {:>7.1f} {:>12.3g} {:>12.3g} {:>9.3g} {:>14.3g} {:>9.3g} {:>7.0f}% "
        "{:>9.0f} {:>7.3f}\n",
        paper.ranks, word_of(run.division.rule), run.batches, passes, scale * t.computing,
        scale * t.exchange, scale * t.probe, convolved, all, 100 * share, 60 * std::stod(paper.gd),
        run.memory / 1e9);
    std::fflush(stdout);
  }
  return share;
}

/// Bytes that leave nodes in an exchange of all planes.
void print_nodes() {
  fmt::print(
      "\nan exchange of the raster: GB that leave nodes\n{:>6} {:<18} {:>7} {:>8} {:>12} "
      "{:>10} {:>8}\n",
      "ranks", "windows", "a node", "of all", "row by row", "in blocks", "less by");
  const auto positions = raster(126, 132);
  for (const int ranks : {462, 4158})
    for (const auto& [window, halo, name] :
         {std::tuple{256, 0.0, "256², exact halo"}, {1024, 6.0, "1024², halo 60 px"}}) {
      const Division division =
          divide(positions, window, pixel, configuration({.halo = halo}).ranks, ranks,
                 exchanged_planes(slices, false), sizeof(float), 0, 0, 32);
      const Mesh& mesh = division.sharing.mesh;
      const Schedule schedule = sum_schedule(mesh, SumKind::owner);
      for (const int of_node : {4, 8}) {
        std::vector<int> node_of(static_cast<std::size_t>(ranks)), placed(node_of.size());
        for (std::size_t i = 0; i < node_of.size(); ++i) node_of[i] = static_cast<int>(i) / of_node;
        const std::vector<int> tile_of = tiles_on_nodes(mesh, node_of);
        for (std::size_t i = 0; i < node_of.size(); ++i)
          placed[static_cast<std::size_t>(tile_of[i])] = node_of[i];
        std::vector<int> alone(node_of.size());
        std::iota(alone.begin(), alone.end(), 0);
        const auto gb = [&](const std::vector<int>& nodes) {
          return 2 * double(pixels_between_nodes(schedule, nodes)) * sizeof(float) *
                 double(exchanged_planes(slices, false)) / 1e9;
        };
        fmt::print("{:>6} {:<18} {:>7} {:>8.3g} {:>12.3g} {:>10.3g} {:>7.0f}%\n", ranks, name,
                   of_node, gb(alone), gb(node_of), gb(placed),
                   100 * (1 - gb(placed) / gb(node_of)));
      }
    }
}

}  // namespace

int main() try {
  bool good = print_shares();
  print_times("the small set, windows 1024², halo 60 px (Table II)", raster(63, 66), 1024, 6.0,
              table_ii);
  const auto large = raster(126, 132);
  const double seconds = print_times("the large set, windows 1024², halo 60 px (Table III)", large,
                                     1024, 6.0, table_iii);
  print_times("the large set, windows 256², exact halo", large, 256, 0, table_iii);
  print_breakdown();
  print_weak_scaling();
  good = print_seconds_to_quality(large) >= 0.9 && good;
  print_nodes();
  if (!good) fmt::print("shares or memory fall short of what is wanted\n");
  fmt::print("scaling = {:.1f} s\n", seconds);
  return good ? 0 : 1;
} catch (const std::exception& e) {
  fmt::print(stderr, "scaling: {}\n", e.what());
  return 1;
}
