// Do patterns that memory does not hold cost time, and change any number?
//
// 32 × 32 simulated patterns of lead titanate (128² as uint16, one slice of 5 Å, 1.46 Å apart, so
// that 32 steps are twelve lattice constants) are repeated over a scan of so many GB. It is
// reconstructed by `mpirun -n R ptyle reconstruct` on 1 and on 4 ranks, two iterations each, with
// the patterns in memory and with solver.memory of a sixth of their size for all ranks together.
// Pairs are run one after the other; the file's pages are in the system's cache where there is
// room.
//
//   ./run-bench larger-than-memory [GB=6] [PAIRS=2]
//   last line: the largest of the medians of time on disk ÷ time in memory of an iteration. Exits
//   with 1 where a number differs, or ranks have more memory together than they were given

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/quantile.hpp"
#include "io/hdf5.hpp"
#include "io/result.hpp"
#include "kept_set.hpp"
#include "lead_titanate.hpp"
#include "run_on_ranks.hpp"
#include "simulate/in_memory.hpp"

namespace {

using namespace ptyle;
namespace fs = std::filesystem;

constexpr i64 window = 128, side = 32;
constexpr int iterations = 2;
constexpr double share_of_memory = 1.0 / 6;

Recipe recipe() {
  Recipe r = bench::lead_titanate(4);
  r.detector = {.window = window, .pixel_size = 0.2};
  r.scan = {.shape = {side, side}, .step = {1.46, 1.46}};
  r.dose.electrons_per_A2 = 1e5;
  return r;
}

/// The set, made anew unless one of as many patterns is there.
std::string repeated_set(i64 times) {
  const auto folder = fs::temp_directory_path() / "ptyle-bench-sets";
  fs::create_directories(folder);
  const std::string path = (folder / fmt::format("repeated-{}.h5", times)).string();
  if (fs::exists(path)) return path;
  const MemorySet one = simulate_in_memory(recipe());
  std::vector<std::uint16_t> line(static_cast<std::size_t>(side * times * window * window));
  const i64 all = side * times, pixels = window * window;
  h5::File file = h5::File::create(path, true);
  {
    auto patterns = file.create_dataset<std::uint16_t>("/patterns", {all, all, window, window},
                                                       {1, 1, window, window});
    for (i64 y = 0; y < all; ++y) {
      for (i64 x = 0; x < all; ++x)
        std::transform(&one.patterns((y % side) * side + x % side, 0, 0),
                       &one.patterns((y % side) * side + x % side, 0, 0) + pixels,
                       line.begin() + x * pixels,
                       [](float v) { return static_cast<std::uint16_t>(v); });
      patterns.write({y, 0, 0, 0}, {1, all, window, window}, line.data());
    }
  }
  file.commit();
  return path;
}

void write_configuration(const std::string& file, const std::string& data) {
  std::ofstream(file) << fmt::format(
      "data: {{file: {}}}\n"
      "calibration: {{pixel_size: 0.2}}\n"
      "optics: {{energy: 200, semi_angle: 30, defocus: 250}}\n"
      "scan: {{step: [1.46, 1.46]}}\n"
      "positions: {{refine: off}}\n"
      "solver: {{iterations: {}}}\n"
      "output: {{pictures: false, tiff: false}}\n",
      data, iterations);
}

struct Run {
  double seconds = 0;  ///< of an iteration
  double memory = 0;   ///< peak of the processes together, B
  double cost = 0;
  std::vector<float> phase;
};

/// `memory`: GB of a rank; 0: the machine's.
Run run(const bench::Folder& folder, int ranks, double memory) {
  bench::run_on_ranks(folder, "", ranks, {fmt::format("solver.memory={}", memory)});
  const std::string file = folder / "result/result.h5";
  const ResultFacts facts = ResultReader(file).take_facts();
  const auto& peaks = bench::figure(facts, "memory/process");
  Run r;
  r.seconds = facts.history.seconds.back() / iterations;
  r.cost = facts.history.cost.back();
  r.memory = std::accumulate(peaks.begin(), peaks.end(), 0.0);
  r.phase = h5::File::open(file).read<float>("/object/phase");
  return r;
}

double argument(int count, char** arguments, int i, double otherwise) {
  return i < count ? std::strtod(arguments[i], nullptr) : otherwise;
}

}  // namespace

int main(int count, char** arguments) {
  const double wanted = argument(count, arguments, 1, 6);
  const int pairs = static_cast<int>(argument(count, arguments, 2, 2));
  const double one = 2.0 * side * side * window * window;
  const i64 times = std::max<i64>(1, std::llround(std::sqrt(1e9 * wanted / one)));
  const double bytes = one * double(times * times), given = share_of_memory * bytes;
  const bench::Folder folder;
  write_configuration(folder / "run.yaml", repeated_set(times));
  fmt::print("{} patterns, {:.2f} GB; {:.2f} GB of memory for all ranks\n",
             side * side * times * times, 1e-9 * bytes, 1e-9 * given);
  fmt::print("{:>5} {:>5} {:>22} {:>22} {:>7} {:>8}\n", "ranks", "pair", "in memory: s, GB",
             "on disk: s, GB", "ratio", "numbers");
  double worst = 0;
  bool good = true;
  for (const int ranks : {1, 4}) {
    std::vector<double> ratios;
    for (int pair = 0; pair < pairs; ++pair) {
      const Run here = run(folder, ranks, 0), there = run(folder, ranks, 1e-9 * given / ranks);
      const bool same = here.phase == there.phase && here.cost == there.cost;
      good = good && same && there.memory <= given;
      ratios.push_back(there.seconds / here.seconds);
      fmt::print("{:>5} {:>5} {:>13.2f} {:>8.3f} {:>13.2f} {:>8.3f} {:>7.3f} {:>8}\n", ranks,
                 pair + 1, here.seconds, 1e-9 * here.memory, there.seconds, 1e-9 * there.memory,
                 ratios.back(), same ? "equal" : "DIFFER");
    }
    worst = std::max(worst, upper_median(ratios));
  }
  fmt::print("larger-than-memory = {:.3f} of the time in memory\n", worst);
  return good ? 0 : 1;
}
