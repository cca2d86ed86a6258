// Are 6 to 4158 ranks all at work on the paper's large set, and how long would they take?
//
//   1. who has what: the large Lead Titanate raster (126 × 132 positions 1.45 Å apart, 100 slices
//      of 0.1 Å pixels, windows 256², exact halo), the same turned by 30°, and a spiral of as many
//      positions as dense. Tilings, mini-batches and shares are those of a run with `auto`; a
//      mini-batch waits for its busiest rank. Memory: the largest rank's, as `ptyle plan` has it
//   2. how long: an iteration of the raster, its mini-batches one after the other, each the busiest
//      rank's gradients, then the exchange of gradients and the probe's sum. Exchanges by the model
//      of tiles/cost (12.5 GB/s, 1.5 µs; ./run-bench exchange-sim runs the code itself on a
//      simulated network), with nothing computed meanwhile. Gradients at three rates:
//        the paper's 6 GPUs        5543 min for 100 iterations, by the operations of FFTs
//        V100, H200 at 25 %        of the time that 900 GB/s and 4.8 TB/s of memory need to
//                                  move the waves, the transmission and the gradient of a
//                                  position once
//      windows 256² with the exact halo, and 1024² with the paper's halo of 60 px
//   3. weak scaling: 240 positions a rank, up to a million
//
//   ./run-bench scaling
//   last line: seconds for 100 iterations at 1024², halo 60 px, on 4158 V100 (the paper: 132 s)

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numbers>
#include <numeric>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/raster.hpp"
#include "session/rank_memory.hpp"
#include "solver/batches.hpp"
#include "tiles/cost.hpp"

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

ReconstructConfig configuration(double halo) {
  ReconstructConfig config;
  config.object.slices = slices;
  config.object.type = ObjectType::potential;
  config.object.slice_thickness = 1.25;
  if (halo > 0) config.ranks.halo = fmt::format("{}", halo);
  return config;
}

Run run_of(const std::vector<Position>& positions, i64 window, double halo, int ranks,
           Thickness thickness, bool with_memory) {
  const ReconstructConfig config = configuration(halo);
  RanksConfig of_ranks = config.ranks;
  of_ranks.of = ranks;
  Run run;
  run.division = divide(positions, window, pixel, of_ranks, ranks, exchanged_planes(slices, false),
                        sizeof(float), 0, -1, 32);
  const auto& shared = run.division.group_of;
  const std::vector<int> group_of = shared ? *shared : std::vector<int>{};
  const auto count = static_cast<i64>(positions.size());
  constexpr double many_counts = 1e6;
  run.batches = batches_of_groups(group_sizes(group_of, count, ranks),
                                  default_batches(count, many_counts, thickness));
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
  if (!with_memory) return run;
  OperatorSetup setup;
  setup.window = window;
  setup.slices = slices;
  setup.propagator.resize(static_cast<std::size_t>(window * window));
  for (int rank = 0; rank < ranks; ++rank)
    run.memory =
        std::max(run.memory, rank_memory<float>(config, setup, run.division, rank, 1,
                                                static_cast<std::size_t>(2 * window * window), 64e9)
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
      const Run run = run_of(scan.positions, 256, 0, ranks, Thickness::thin, true);
      const Run thick = run_of(scan.positions, 256, 0, ranks, Thickness::very_thick, false);
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

struct Time {
  double computing = 0, exchanging = 0, probe = 0, share = 0;  ///< s an iteration
  [[nodiscard]] double all() const { return computing + exchanging + probe; }
};

/// A sum over all ranks of a probe's gradient, by halving and doubling: 2 (n − 1)/n of it goes out
/// of each, in 2 log2 n messages.
double probe_seconds(i64 window, int ranks, const Network& network) {
  const double bytes = double(window * window) * sizeof(Complex<float>);
  return 2 * bytes * (ranks - 1) / ranks / network.bandwidth +
         2 * std::ceil(std::log2(ranks)) * network.latency;
}

Time time_of(const Run& run, i64 window, int ranks, double seconds_a_position, i64 positions) {
  const Network network;
  Time time;
  time.computing = double(run.load.busiest) * seconds_a_position;
  const auto batches = double(run.batches);
  time.exchanging = batches * cost_of(run.division.sharing, exchanged_planes(slices, false),
                                      sizeof(float), network)
                                  .seconds;
  time.probe = batches * probe_seconds(window, ranks, network);
  time.share = double(positions) * seconds_a_position / (ranks * time.all());
  return time;
}

double print_times() {
  const std::array rates{Rate{"the paper's rate", papers_rate(), 0},
                         Rate{"V100 at 25 %", 0, 0.25 * 900e9},
                         Rate{"H200 at 25 %", 0, 0.25 * 4.8e12}};
  struct Paper {
    const char *gd, *hve;
  };
  constexpr std::array<Paper, rank_counts.size()> paper{{{"5543", "7213"},
                                                         {"183", "271.7"},
                                                         {"37.5", "59.2"},
                                                         {"14.2", "189.5"},
                                                         {"-", "-"},
                                                         {"2.2", "NA"}}};
  const auto positions = raster(126, 132);
  double last = 0;
  struct Windows {
    i64 window;
    double halo;
    const char* name;
  };
  for (const Windows& w : {Windows{256, 0, "256², exact halo"}, {1024, 6.0, "1024², halo 60 px"}}) {
    std::vector<Run> runs;
    for (const int ranks : rank_counts)
      runs.push_back(run_of(positions, w.window, w.halo, ranks, Thickness::thin, false));
    for (const Rate& rate : rates) {
      const double each = rate.seconds(w.window);
      fmt::print(
          "\nan iteration, windows {}; {}: {:.3g} ms a gradient, {:.0f} GFLOP/s of FFTs\n"
          "{:>6} {:>8} {:>12} {:>12} {:>10} {:>10} {:>16} {:>16}\n",
          w.name, rate.name, 1e3 * each, operations(w.window) / each / 1e9, "ranks", "batches",
          "computing, s", "exchange, s", "probe, s", "computes", "100 iterations",
          "paper: GD / HVE");
      for (std::size_t i = 0; i < rank_counts.size(); ++i) {
        const int ranks = rank_counts[i];
        const Run& run = runs[i];
        const Time t = time_of(run, w.window, ranks, each, positions_of_set);
        fmt::print("{:>6} {:>8} {:>12.4g} {:>12.4g} {:>10.3g} {:>9.0f}% {:>12.3g} min {:>8} / {}\n",
                   ranks, run.batches, t.computing, t.exchanging, t.probe, 100 * t.share,
                   100 * t.all() / 60, paper[i].gd, paper[i].hve);
        std::fflush(stdout);
        if (w.window == 1024 && &rate == &rates[1]) last = 100 * t.all();
      }
    }
  }
  return last;
}

void print_weak_scaling() {
  const Rate v100{"V100 at 25 %", 0, 0.25 * 900e9};
  constexpr i64 of_rank = 240, window = 256;
  fmt::print(
      "\nweak scaling, {} positions a rank, windows 256², exact halo, V100 at 25 %\n"
      "{:>6} {:>9} {:>8} {:>12} {:>12} {:>10}\n",
      of_rank, "ranks", "positions", "batches", "computing, s", "all, s", "computes");
  for (const int ranks : rank_counts) {
    const i64 rows = std::llround(std::sqrt(double(of_rank * ranks)));
    const i64 cols = of_rank * ranks / rows;
    const Run run = run_of(raster(rows, cols), window, 0, ranks, Thickness::thin, false);
    const Time t = time_of(run, window, ranks, v100.seconds(window), rows * cols);
    fmt::print("{:>6} {:>9} {:>8} {:>12.4g} {:>12.4g} {:>9.0f}%\n", ranks, rows * cols, run.batches,
               t.computing, t.all(), 100 * t.share);
    std::fflush(stdout);
  }
}

}  // namespace

int main() try {
  const bool good = print_shares();
  const double seconds = print_times();
  print_weak_scaling();
  if (!good) fmt::print("shares or memory fall short of what is wanted\n");
  fmt::print("scaling = {:.1f} s\n", seconds);
  return good ? 0 : 1;
} catch (const std::exception& e) {
  fmt::print(stderr, "scaling: {}\n", e.what());
  return 1;
}
