// Recovery of thick lead titanate from an empty object, by slices, with and without continuation
//
// Noise-free sets: PbTiO3 along c, 200 kV, 30 mrad, 250 Å underfocus, window 256² at 0.1 Å, 144
// positions 1.45 Å apart, slices of 1.25 Å. ptyle reconstruct with its default settings; only the
// number of iterations is said. Compared with the truth over the scanned area
// (analysis/comparison).
//
//   bench-recovery [SLICES[:ITERATIONS] …]    default 10:12 20:20 40:40; and 100:100 on request
//   last line: the worse of the summed phase's correlations at 20 and 40 slices

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>

#include "analysis/comparison.hpp"
#include "core/error.hpp"
#include "core/parallel.hpp"
#include "exchange/local/team.hpp"
#include "io/result.hpp"
#include "session/reconstruct.hpp"
#include "simulate/simulate.hpp"

namespace fs = std::filesystem;
using namespace ptyle;

namespace {

Recipe recipe(int slices, const fs::path& file) {
  Recipe r;
  r.specimen.structure = BuiltIn::PbTiO3;
  r.specimen.slice_thickness = 1.25;
  r.specimen.thickness = 1.25 * slices;
  r.thermal.motion = Motion::debye_waller;
  r.thermal.B = {"Pb=0.5", "Ti=0.5", "O=0.5"};
  r.optics = {.energy = 200, .semi_angle = 30, .defocus = 250};
  r.detector = {.window = 256, .pixel_size = 0.1};
  r.scan = {.shape = {12, 12}, .step = {1.45, 1.45}};
  r.output = file.string();
  return r;
}

ReconstructConfig configuration(int slices, int iterations, bool continuation, const fs::path& file,
                                const fs::path& folder) {
  ReconstructConfig c;
  c.data.file = file.string();
  c.data.patterns = "/patterns";
  c.calibration.pixel_size = 0.1;
  c.scan.positions = "/positions";
  c.optics.energy = 200;
  c.optics.semi_angle = 30;
  c.optics.defocus = 250;
  c.object.slices = slices;
  c.object.slice_thickness = 1.25;
  c.solver.iterations = iterations;
  if (!continuation) c.solver.continuation = Switch::off;
  c.output = {.folder = folder.string(), .overwrite = true, .pictures = false, .tiff = false};
  return c;
}

/// Runs one reconstruction and prints its table; returns the last correlation of the summed phase.
double recover(int slices, int iterations, bool continuation, const fs::path& file,
               const fs::path& folder) {
  const Result truth = read_result(file.string());
  fmt::print("\n{} slices, {:.4g} Å, {}\n", slices, 1.25 * slices,
             continuation ? "default settings" : "solver.continuation: off");
  fmt::print("  it      R        correlation  SSIM    by slice: mean   least   seconds  stage\n");
  double correlation = 0;
  ReconstructCallbacks callbacks;
  callbacks.warn = [](const std::string& line) { fmt::print("  warning: {}\n", line); };
  callbacks.look = [&](const Progress& p, View<const float, 3> phase,
                       const std::vector<Position>& positions) {
    const Comparison c = compare_objects({phase, positions, 0.1, 1.25, {}},
                                         {truth.phase.view(), truth.positions, truth.pixel_size,
                                          truth.slice_thickness, truth.origin},
                                         available_threads());
    double mean = 0, least = 1;
    for (const auto& slice : c.slices) {
      mean += slice.correlation / double(c.slices.size());
      least = std::min(least, slice.correlation);
    }
    correlation = c.summed.correlation;
    fmt::print("  {:3d}  {:.3e}   {:8.4f}   {:6.4f}            {:7.3f} {:7.3f}  {:7.1f}  {}\n",
               p.iteration, p.r_factor, correlation, c.summed.ssim, mean, least, p.seconds,
               p.stage);
    std::fflush(stdout);
  };
  reconstruct(configuration(slices, iterations, continuation, file, folder), "", callbacks,
              *make_local_team());
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
    simulate(recipe(slices, file), std::nullopt, {});
    const double with = recover(slices, iterations, true, file, folder);
    recover(slices, std::min(iterations, 8), false, file, folder);
    if (slices == 20 || slices == 40) worst = std::min(worst, with);
    fs::remove(file);
  }
  fs::remove_all(folder);
  fmt::print("\nrecovery = {:.4f} correlation\n", worst);
} catch (const std::exception& e) {
  fmt::print(stderr, "recovery: {}\n", e.what());
  return dynamic_cast<const UserError*>(&e) ? 2 : 1;
}
