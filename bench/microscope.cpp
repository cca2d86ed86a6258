// What does a microscope's imperfection cost, and does the part that fits it find it?
//
// Strontium titanate of 97.6 Å, 200 kV, 24 mrad, 180 Å underfocus, window 128² at 0.16 Å, 144
// positions 0.8 Å apart, 1.28e6 electrons/Å² (50 counts a detector pixel), simulated in 50 slices
// and fitted in 10 by defaults. One imperfection a set, and all together; each set without and with
// the part that is there for it, and the perfect set with all parts on.
//
// The first slice of the fit stands for five of the simulation and lies in their middle, 3.9 Å
// below the first of them: the fit's true defocus is that much smaller.
//
//   ./run-bench microscope [ITERATIONS=20 [CASE …]] [FOLDER]    cases by their numbers, 0 to 8,
//   default all; into the folder a picture of each (microscope_pictures.hpp)
//   last line: the worst of the parameters found, in units of its bound. Exits with 1 if that is
//   above 1, or where a part makes the object or what is held out worse on the perfect set

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "analysis/comparison.hpp"
#include "core/error.hpp"
#include "core/parallel.hpp"
#include "exchange/local/team.hpp"
#include "io/hdf5.hpp"
#include "io/result.hpp"
#include "kept_set.hpp"
#include "microscope_pictures.hpp"
#include "session/reconstruction.hpp"
#include "solver/variables/geometry_options.hpp"
#include "solver/variables/variable_probe_options.hpp"

using namespace ptyle;

namespace {

constexpr int slices = 10, simulated = 50;
constexpr double thickness = 25 * 3.905, defocus = 180;
constexpr double true_defocus = defocus - 2 * thickness / simulated;

Recipe perfect() {
  Recipe r;
  r.specimen.structure = BuiltIn::SrTiO3;
  r.specimen.thickness = thickness;
  r.specimen.slice_thickness = thickness / simulated;
  r.optics.energy = 200, r.optics.semi_angle = 24, r.optics.defocus = defocus;
  r.detector.window = 128, r.detector.pixel_size = 0.16;
  r.scan.shape = {12, 12}, r.scan.step = {0.8, 0.8};
  r.dose.electrons_per_A2 = 1.28e6;
  return r;
}

ReconstructConfig told(const std::string& file, int iterations) {
  ReconstructConfig c;
  c.data.file = file;
  c.optics.defocus = defocus;
  c.object.slices = slices, c.object.slice_thickness = thickness / slices;
  c.solver.iterations = iterations, c.solver.threads = 2;
  c.solver.hold_out_pixels = 0.02;
  return c;
}

struct Figures {
  double ssim = 0, rmse = 0, held_out = 0;
  Result result;
};

Figures run(const ReconstructConfig& config, const Result& truth) {
  const auto team = make_local_team();
  Reconstruction fit(config, *team);
  while (!fit.finished()) fit.step();
  Figures f;
  f.result = fit.result();
  const Result& r = f.result;
  const Comparison c = compare_objects(
      {r.phase.view(), r.positions, r.pixel_size, r.slice_thickness, {}},
      {truth.phase.view(), truth.positions, truth.pixel_size, truth.slice_thickness, {}},
      available_threads());
  f.ssim = c.summed.ssim, f.rmse = c.summed.rmse;
  f.held_out = fit.history().r_held_out_pixels.back();
  return f;
}

/// Of the beam or the detector, by its name in results. NaN: there is none.
double fact(const Result& result, const std::string& name) {
  for (const auto& [key, value] : result.optics)
    if (key == name) return value;
  return NAN;
}

/// A parameter that was found, beside the truth.
struct Found {
  std::string name;
  double value = 0, truth = 0, bound = 1;
  [[nodiscard]] double error() const { return std::abs(value - truth) / bound; }
};
using Parameters = std::function<std::vector<Found>(const Result&, const std::string& file)>;

std::vector<Found> of_defocus(const Result& r, const std::string& /*file*/) {
  return {{"defocus (Å)", fact(r, "defocus_A"), true_defocus, 0.03 * true_defocus}};
}
std::vector<Found> of_thickness(const Result& r, const std::string& /*file*/) {
  const double truth = thickness / slices;
  return {{"slice thickness (Å)", r.slice_thickness, truth, 0.02 * truth}};
}
std::vector<Found> of_tilt(const Result& r, const std::string& /*file*/) {
  return {{"tilt, rows (mrad)", fact(r, "tilt_row_mrad"), 3, 0.2},
          {"tilt, columns (mrad)", fact(r, "tilt_col_mrad"), -2, 0.2}};
}

double correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const auto n = static_cast<double>(a.size());
  const double ma = std::accumulate(a.begin(), a.end(), 0.0) / n,
               mb = std::accumulate(b.begin(), b.end(), 0.0) / n;
  double aa = 0, bb = 0, ab = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    aa += (a[i] - ma) * (a[i] - ma);
    bb += (b[i] - mb) * (b[i] - mb);
    ab += (a[i] - ma) * (b[i] - mb);
  }
  return ab / std::sqrt(aa * bb);
}

/// The first coefficient of the variable probe goes with the defocus.
std::vector<Found> of_drift(const Result& r, const std::string& file) {
  const auto truth = h5::File::open(file).read<double>("/truth/defocus");
  const std::size_t each = r.mixtures.size() / truth.size();
  std::vector<double> first;
  for (std::size_t p = 0; p < truth.size() && each > 0; ++p) first.push_back(r.mixtures[p * each]);
  const double c = each > 0 ? std::abs(correlation(first, truth)) : 0;
  return {{"drift of the defocus, correlation", c, 1, 0.05}};
}

/// R.m.s. of the ratio to the truth, whose mean is 1.
std::vector<Found> of_current(const Result& r, const std::string& file) {
  const auto truth = h5::File::open(file).read<double>("/truth/current");
  std::vector<double> ratio;
  for (std::size_t p = 0; p < truth.size() && !r.intensities.empty(); ++p)
    ratio.push_back(r.intensities[p] / truth[p]);
  const auto n = static_cast<double>(ratio.size());
  const double mean = std::accumulate(ratio.begin(), ratio.end(), 0.0) / n;
  double square = 0;
  for (const double q : ratio) square += (q / mean - 1) * (q / mean - 1) / n;
  return {{"currents, r.m.s. error", ratio.empty() ? 1 : std::sqrt(square), 0, 0.02}};
}

using Change = std::function<void(Recipe&)>;
using Telling = std::function<void(ReconstructConfig&)>;
struct Case {
  std::string name;
  Change imperfect;  ///< the set
  Telling wrong;     ///< what the run is told
  Telling fitted;    ///< the part that is there for it
  Parameters parameters = {};
};

Telling geometry(std::vector<std::string> parts) {
  return [parts](ReconstructConfig& c) { c.parts.of<GeometryOptions>().refine = parts; };
}
void nothing_told(ReconstructConfig&) {}
void tilted(Recipe& r) { r.specimen.tilt_row = 3, r.specimen.tilt_col = -2; }
void drifting(Recipe& r) { r.optics.defocus_drift = 40; }
void flickering(Recipe& r) { r.optics.current_jitter = 0.1; }
void noisy(Recipe& r) { r.detector.readout_noise = 5; }
void wide_source(Recipe& r) { r.optics.source_size = 0.25; }
constexpr int probe_varies_from = 10;
void vary(ReconstructConfig& c) {
  c.parts.of<VariableProbeOptions>().modes = 2;
  c.parts.of<VariableProbeOptions>().start = probe_varies_from;
}
void flicker(ReconstructConfig& c) {
  c.parts.of<VariableProbeOptions>().intensity = true;
  c.parts.of<VariableProbeOptions>().start = probe_varies_from;
}
void keep_noise(ReconstructConfig& c) { c.data.readout_noise = 5; }
void more_modes(ReconstructConfig& c) { c.probe.modes = 3; }
void twenty_percent(ReconstructConfig& c) { c.optics.defocus = 1.2 * defocus; }
void ten_percent_thick(ReconstructConfig& c) { c.object.slice_thickness *= 1.1; }

std::vector<Case> cases() {
  const auto all_parts = [](ReconstructConfig& c) {
    geometry({"defocus", "thickness", "tilt"})(c);
    vary(c), flicker(c), keep_noise(c), more_modes(c);
  };
  const auto all_wrong = [](Recipe& r) {
    tilted(r), drifting(r), flickering(r), noisy(r), wide_source(r);
  };
  const auto all_found = [](const Result& r, const std::string& file) {
    std::vector<Found> all;
    for (const Parameters& each :
         {Parameters(of_defocus), Parameters(of_thickness), Parameters(of_tilt),
          Parameters(of_drift), Parameters(of_current)})
      for (Found& one : each(r, file)) all.push_back(std::move(one));
    return all;
  };
  const auto perfect_parts = [](ReconstructConfig& c) {
    geometry({"defocus", "thickness", "tilt"})(c);
    vary(c), flicker(c), more_modes(c);
  };
  return {
      {"nothing, all parts on", [](Recipe&) {}, nothing_told, perfect_parts},
      {"defocus told 20 % too large", [](Recipe&) {}, twenty_percent, geometry({"defocus"}),
       of_defocus},
      {"thickness told 10 % too large", [](Recipe&) {}, ten_percent_thick,
       geometry({"thickness", "defocus"}), of_thickness},
      {"tilt of 3 and -2 mrad", tilted, nothing_told, geometry({"tilt"}), of_tilt},
      {"defocus drifts by 40 Å", drifting, nothing_told, vary, of_drift},
      {"current jitters by 10 %", flickering, nothing_told, flicker, of_current},
      {"noise of the readout, 5 counts", noisy, nothing_told, keep_noise},
      {"source of 0.25 Å", wide_source, nothing_told, more_modes},
      {"all of these", all_wrong,
       [](ReconstructConfig& c) { twenty_percent(c), ten_percent_thick(c); }, all_parts, all_found},
  };
}

/// Prints the case's rows; the worst of its parameters, in units of its bound.
double judge(const Case& one, int number, int iterations, const std::string& folder,
             bool& unharmed) {
  Recipe recipe = perfect();
  one.imperfect(recipe);
  recipe.seed = static_cast<std::uint64_t>(number);
  const std::string file = bench::kept_set(recipe, "microscope");
  const Result truth = read_result(file);
  ReconstructConfig without = told(file, iterations);
  one.wrong(without);
  ReconstructConfig with = without;
  one.fitted(with);
  const Figures before = run(without, truth), after = run(with, truth);
  fmt::print("{:<32} {:7.4f} {:7.4f}  {:7.4f} {:7.4f}  {:8.5f} {:8.5f}\n", one.name, before.ssim,
             after.ssim, before.rmse, after.rmse, before.held_out, after.held_out);
  if (!folder.empty())
    bench::draw_imperfection(fmt::format("{}/microscope-{}.png", folder, number), one.name,
                             before.result, after.result, truth, file);
  double worst = 0;
  if (one.parameters)
    for (const Found& found : one.parameters(after.result, file)) {
      fmt::print("  {:<38} {:9.4f}, truth {:9.4f}, bound {:7.4f}: {:.2f}\n", found.name,
                 found.value, found.truth, found.bound, found.error());
      worst = std::max(worst, std::isfinite(found.error()) ? found.error() : INFINITY);
    }
  // A tenth of the error, and of R above its noise, is what seeds differ by.
  if (number == 0)
    unharmed = after.rmse < 1.1 * before.rmse && after.held_out < 1.02 * before.held_out;
  std::fflush(stdout);
  return worst;
}

}  // namespace

int main(int count, char** arguments) try {
  std::vector<int> given;
  std::string folder;
  for (int i = 1; i < count; ++i) {
    const std::string argument = arguments[i];
    if (argument.find_first_not_of("0123456789") == std::string::npos)
      given.push_back(std::stoi(argument));
    else
      folder = argument;
  }
  const int iterations = given.empty() ? 20 : given[0];
  fmt::print("{:<32} {:>15}  {:>15}  {:>17}\n{:<32} {:>7} {:>7}  {:>7} {:>7}  {:>8} {:>8}\n", "",
             "SSIM", "RMSE (rad)", "held-out R", "", "without", "with", "without", "with",
             "without", "with");
  double worst = 0;
  bool unharmed = true;
  const auto all = cases();
  std::vector<int> numbers(given.begin() + (given.empty() ? 0 : 1), given.end());
  if (numbers.empty()) {
    numbers.resize(all.size());
    std::iota(numbers.begin(), numbers.end(), 0);
  }
  for (const int number : numbers)
    worst = std::max(worst, judge(all.at(static_cast<std::size_t>(number)), number, iterations,
                                  folder, unharmed));
  if (!unharmed) fmt::print("the parts make the perfect set worse\n");
  fmt::print("\nmicroscope = {:.2f} of the bound\n", worst);
  return worst <= 1 && unharmed ? 0 : 1;
} catch (const std::exception& e) {
  fmt::print(stderr, "microscope: {}\n", e.what());
  return dynamic_cast<const UserError*>(&e) ? 2 : 1;
}
