// Recovery of thick lead titanate from an empty object, by slices, with and without continuation
//
// The noise-free sets of bench/recovery_set.hpp. ptyle reconstruct with its default settings; only
// the number of iterations is said. Compared with the truth over the scanned area
// (analysis/comparison). After the last iteration the correlation of every slice, from the entrance
// on, is printed, ten in a line.
//
//   bench-recovery [SLICES[:ITERATIONS[:wrong|:fitted]] …]    default 10:12 20:20 40:40; and
//   100:100 on request; wrong: positions 0.1 Å r.m.s. off and defocus 10 % off what the run is
//   told; fitted: the same, with geometry.refine: [defocus] last line: the least of the summed
//   phase's correlations with default settings, of all slice counts

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <sstream>
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
#include "solver/variables/geometry_options.hpp"

namespace fs = std::filesystem;
using namespace ptyle;

namespace {

void print_by_slice(const std::vector<double>& correlations) {
  for (std::size_t z = 0; z < correlations.size(); ++z)
    fmt::print("{}{:7.3f}", z % 10 == 0 ? fmt::format("\n  slice {:3d}:", z) : "", correlations[z]);
  fmt::print("\n");
}

struct Case {
  int slices = 0, iterations = 40;
  bool wrong = false, fitted = false;
};

Case case_named(const std::string& text) {
  std::istringstream parts(text);
  Case c;
  char colon = 0;
  std::string last;
  const UserError unknown(text + " is not SLICES[:ITERATIONS[:wrong|:fitted]]");
  if (!(parts >> c.slices) || (parts >> colon && !(parts >> c.iterations))) throw unknown;
  c.wrong = static_cast<bool>(parts >> colon >> last);
  c.fitted = last == "fitted";
  if (c.wrong && last != "wrong" && !c.fitted) throw unknown;
  return c;
}

/// Runs one reconstruction and prints its table; returns the last correlation of the summed phase.
double recover(const Case& what, bool continuation, const fs::path& file, const fs::path& folder) {
  const auto& [slices, iterations, wrong, fitted] = what;
  const Result truth = read_result(file.string());
  fmt::print("\n{} slices, {:.4g} Å, {}{}\n", slices, 1.25 * slices,
             continuation ? "default settings" : "solver.continuation: off",
             !wrong   ? ""
             : fitted ? ", positions 0.1 Å r.m.s. and defocus 10 % off, which is fitted"
                      : ", positions 0.1 Å r.m.s. and defocus 10 % off");
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
    fmt::print("  {:3d}  {:.3e}   {:8.4f}   {:6.4f}            {:7.3f} {:7.3f}  {:7.1f}  {}{}{}\n",
               p.iteration, p.r_factor, correlation, c.summed.ssim, mean, least, p.seconds,
               p.geometry, p.geometry.empty() ? "" : "  ", p.stage);
    std::fflush(stdout);
  };
  ReconstructConfig config = bench::recovery_run(slices, iterations, file, wrong);
  if (!continuation) config.solver.continuation = Switch::off;
  if (fitted) config.parts.of<GeometryOptions>().refine = {"defocus"};
  config.output = {.folder = folder.string(), .overwrite = true, .pictures = false, .tiff = false};
  reconstruct(config, "", callbacks, *make_local_team());
  print_by_slice(by_slice);
  return correlation;
}

}  // namespace

int main(int argc, char** argv) try {
  std::vector<Case> cases;
  for (int i = 1; i < argc; ++i) cases.push_back(case_named(argv[i]));
  if (cases.empty()) cases = {{10, 12}, {20, 20}, {40, 40}};
  std::string pattern = (fs::temp_directory_path() / "ptyle-recovery-XXXXXX").string();
  if (!mkdtemp(pattern.data())) throw std::runtime_error("no temporary folder can be made");
  const fs::path folder = pattern;
  double worst = 1;
  for (const Case& one : cases) {
    const fs::path file = folder / fmt::format("lead-titanate-{}.h5", one.slices);
    simulate(bench::recovery_recipe(one.slices, file, one.wrong), std::nullopt, {});
    worst = std::min(worst, recover(one, true, file, folder));
    if (!one.wrong) recover({one.slices, std::min(one.iterations, 8)}, false, file, folder);
    fs::remove(file);
  }
  fs::remove_all(folder);
  fmt::print("\nrecovery = {:.4f} correlation\n", worst);
} catch (const std::exception& e) {
  fmt::print(stderr, "recovery: {}\n", e.what());
  return dynamic_cast<const UserError*>(&e) ? 2 : 1;
}
