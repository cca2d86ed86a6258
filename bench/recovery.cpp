// Recovery of thick lead titanate from an empty object, by slices, with and without continuation
//
// The noise-free sets of bench/recovery_set.hpp. ptyle reconstruct with its default settings; only
// the number of iterations is said. Compared with the truth over the scanned area
// (analysis/comparison). After the last iteration the correlation of every slice, from the entrance
// on, is printed, ten in a line.
//
//   bench-recovery [SLICES[:ITERATIONS] …]    default 10:12 20:20 40:40; and 100:100 on request
//   last line: the least of the summed phase's correlations with default settings, of all slice
//   counts

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "analysis/comparison.hpp"
#include "core/error.hpp"
#include "core/parallel.hpp"
#include "exchange/local/team.hpp"
#include "io/result.hpp"
#include "recovery_set.hpp"
#include "session/reconstruct.hpp"
#include "simulate/simulate.hpp"

namespace fs = std::filesystem;
using namespace ptyle;

namespace {

void print_by_slice(const std::vector<double>& correlations) {
  for (std::size_t z = 0; z < correlations.size(); ++z)
    fmt::print("{}{:7.3f}", z % 10 == 0 ? fmt::format("\n  slice {:3d}:", z) : "", correlations[z]);
  fmt::print("\n");
}

/// Runs one reconstruction and prints its table; returns the last correlation of the summed phase.
double recover(int slices, int iterations, bool continuation, const fs::path& file,
               const fs::path& folder) {
  const Result truth = read_result(file.string());
  fmt::print("\n{} slices, {:.4g} Å, {}\n", slices, 1.25 * slices,
             continuation ? "default settings" : "solver.continuation: off");
  fmt::print("  it      R        correlation  SSIM    by slice: mean   least   seconds  stage\n");
  double correlation = 0;
  std::vector<double> by_slice;
  ReconstructCallbacks callbacks;
  callbacks.warn = [](const std::string& line) { fmt::print("  warning: {}\n", line); };
  callbacks.look = [&](const Progress& p, View<const float, 3> phase,
                       const std::vector<Position>& positions) {
    const Comparison c = compare_objects({phase, positions, 0.1, 1.25, {}},
                                         {truth.phase.view(), truth.positions, truth.pixel_size,
                                          truth.slice_thickness, truth.origin},
                                         available_threads());
    double mean = 0, least = 1;
    by_slice.clear();
    for (const auto& slice : c.slices) {
      by_slice.push_back(slice.correlation);
      mean += slice.correlation / double(c.slices.size());
      least = std::min(least, slice.correlation);
    }
    correlation = c.summed.correlation;
    fmt::print("  {:3d}  {:.3e}   {:8.4f}   {:6.4f}            {:7.3f} {:7.3f}  {:7.1f}  {}\n",
               p.iteration, p.r_factor, correlation, c.summed.ssim, mean, least, p.seconds,
               p.stage);
    std::fflush(stdout);
  };
  ReconstructConfig config = bench::recovery_run(slices, iterations, file);
  if (!continuation) config.solver.continuation = Switch::off;
  config.output = {.folder = folder.string(), .overwrite = true, .pictures = false, .tiff = false};
  reconstruct(config, "", callbacks, *make_local_team());
  print_by_slice(by_slice);
  return correlation;
}

}  // namespace

int main(int argc, char** argv) try {
  std::map<int, int> cases;
  for (int i = 1; i < argc; ++i) {
    const std::string text = argv[i];
    const auto colon = text.find(':');
    cases[std::stoi(text)] = colon == std::string::npos ? 40 : std::stoi(text.substr(colon + 1));
  }
  if (cases.empty()) cases = {{10, 12}, {20, 20}, {40, 40}};
  std::string pattern = (fs::temp_directory_path() / "ptyle-recovery-XXXXXX").string();
  if (!mkdtemp(pattern.data())) throw std::runtime_error("no temporary folder can be made");
  const fs::path folder = pattern;
  double worst = 1;
  for (const auto& [slices, iterations] : cases) {
    const fs::path file = folder / fmt::format("lead-titanate-{}.h5", slices);
    simulate(bench::recovery_recipe(slices, file), std::nullopt, {});
    const double with = recover(slices, iterations, true, file, folder);
    recover(slices, std::min(iterations, 8), false, file, folder);
    worst = std::min(worst, with);
    fs::remove(file);
  }
  fs::remove_all(folder);
  fmt::print("\nrecovery = {:.4f} correlation\n", worst);
} catch (const std::exception& e) {
  fmt::print(stderr, "recovery: {}\n", e.what());
  return dynamic_cast<const UserError*>(&e) ? 2 : 1;
}
