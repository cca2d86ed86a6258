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
//   ./run-bench microscope [ITERATIONS=20] [CASE …] [trace] [FOLDER]
//   cases: none (the perfect set with all parts on), defocus, thickness, tilt, descan, drift,
//   current, noise, source, background, gain, several of them as drift+source, all (of them but
//   background, gain and what follows); motion (of the atoms), dose (few electrons), loss (the
//   perfect set by the intensity loss); default: none, each alone, and all
//   KEY=VALUE: of the runs with the parts, on top
//   times: what each part takes, in iterations without it
//   trace: a line an iteration of the run with the parts, in place of the table
//   into the folder, which is there, a picture of each (microscope_pictures.hpp)
//   last line: the worst of the parameters found, in units of its bound. Exits with 1 if that is
//   above 1, or where a part makes the object or what is held out worse on the perfect set

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <functional>
#include <memory>
#include <numeric>
#include <optional>
#include <sstream>
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
#include "session/reconstruct_keys.hpp"
#include "session/reconstruction.hpp"
#include "solver/penalties/quadratic.hpp"
#include "solver/states.hpp"
#include "solver/variables/detector_options.hpp"
#include "solver/variables/geometry_options.hpp"
#include "solver/variables/position_options.hpp"
#include "solver/variables/variable_probe_options.hpp"

using namespace ptyle;

namespace {

constexpr int slices = 10, simulated = 50;
constexpr double gain_spread = 0.05;
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
  const Comparison c = bench::compared(f.result, truth);
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

/// px/Å, of the simulation and of what is found.
constexpr std::array<double, 2> descan_row{0.25, 0.08}, descan_col{-0.06, 0.2};
std::vector<Found> of_descan(const Result& r, const std::string& /*file*/) {
  const Matrix2 truth{descan_row[0], descan_row[1], descan_col[0], descan_col[1]};
  double square = 0;
  for (std::size_t k = 0; k < 4; ++k)
    square += std::pow(fact(r, std::string(descan_names[k]) + "_px_per_A") - truth[k], 2);
  const double edge = 11 * 0.8 / std::sqrt(2.0);  // Å, from the middle of the scan to its corner
  return {{"descan, error at the scan's edge (px)", edge * std::sqrt(square), 0, 0.1}};
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

/// The roots of few counts make it a tenth too small, and the object takes up as much.
std::vector<Found> of_background(const Result& r, const std::string& file) {
  const double truth = h5::File::open(file).number("/truth", "background").value_or(NAN);
  return {{"background (counts)", fact(r, "background_counts"), truth, 0.3 * truth}};
}

/// R.m.s. error of the pixels that are known to half the spread of all gains, over that spread;
/// both about their means there.
std::vector<Found> of_gains(const Result& r, const std::string& file) {
  const auto truth = h5::File::open(file).read<double>("/truth/gain");
  std::vector<double> off, spread;
  for (std::size_t k = 0; k < truth.size() && !r.gain.empty(); ++k) {
    const auto found = static_cast<double>(r.gain.data()[k]),
               error = static_cast<double>(r.gain_error.data()[k]);
    if (!(error > 0 && error < gain_spread / 2)) continue;
    off.push_back(found - truth[k]);
    spread.push_back(truth[k]);
  }
  const auto rms = [](const std::vector<double>& values) {
    const auto n = static_cast<double>(values.size());
    const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
    double square = 0;
    for (const double value : values) square += (value - mean) * (value - mean) / n;
    return std::sqrt(square);
  };
  return {{fmt::format("gains of {} px, error over spread", off.size()),
           off.empty() ? 1 : rms(off) / rms(spread), 0, 0.7}};
}

using Change = std::function<void(Recipe&)>;
using Telling = std::function<void(ReconstructConfig&)>;
struct Imperfection {
  std::string word, name;
  Change imperfect;  ///< the set
  Telling wrong;     ///< what the run is told
  Telling fitted;    ///< the part that is there for it
  Parameters parameters = {};
  bool with_all = true;   ///< one of those that "all" has
  bool with_none = true;  ///< its part is on, too, where nothing is imperfect
};

Telling geometry(std::vector<std::string> more) {
  return [more](ReconstructConfig& c) {
    auto& parts = c.parts.of<GeometryOptions>().refine;
    for (const std::string& part : more)
      if (std::find(parts.begin(), parts.end(), part) == parts.end()) parts.push_back(part);
  };
}
void nothing_told(ReconstructConfig&) {}
void perfect_set(Recipe&) {}
void tilted(Recipe& r) { r.specimen.tilt_row = 3, r.specimen.tilt_col = -2; }
void moving(Recipe& r) { r.detector.descan_row = descan_row, r.detector.descan_col = descan_col; }
void drifting(Recipe& r) { r.optics.defocus_drift = 40; }
void flickering(Recipe& r) { r.optics.current_jitter = 0.1; }
void noisy(Recipe& r) { r.detector.readout_noise = 5; }
void few_electrons(Recipe& r) { r.dose.electrons_per_A2 = 2000; }
void wide_source(Recipe& r) { r.optics.source_size = 0.25; }
/// Independent displacements of 0.12 Å along each axis, as of atoms that vibrate strongly.
void vibrating(Recipe& r) {
  r.thermal.motion = Motion::frozen_phonons;
  r.thermal.rms = {"Sr=0.12", "Ti=0.12", "O=0.12"};
  r.thermal.configurations = 8;
}
void with_background(Recipe& r) { r.detector.background = 3; }
void uneven(Recipe& r) { r.detector.gain_spread = gain_spread; }
constexpr int probe_varies_from = 8;
void vary(ReconstructConfig& c) {
  c.parts.of<VariableProbeOptions>().modes = 2;
  c.parts.of<VariableProbeOptions>().start = probe_varies_from;
}
void flicker(ReconstructConfig& c) {
  c.parts.of<VariableProbeOptions>().intensity = true;
  c.parts.of<VariableProbeOptions>().start = probe_varies_from;
}
void keep_edges(ReconstructConfig& c) { c.parts.of<PenaltyOptions>().edge = 0.1; }
void keep_noise(ReconstructConfig& c) { c.data.readout_noise = 5; }
void more_modes(ReconstructConfig& c) { c.probe.modes = 6; }
Telling detector(const char* what) {
  return [what](ReconstructConfig& c) { c.parts.of<DetectorOptions>().refine.emplace_back(what); };
}
void several_states(ReconstructConfig& c) { c.parts.of<StatesOptions>().states = 2; }
void by_intensities(ReconstructConfig& c) { c.solver.loss = Loss::intensity; }
void twenty_percent(ReconstructConfig& c) { c.optics.defocus = 1.2 * defocus; }
void ten_percent_thick(ReconstructConfig& c) { c.object.slice_thickness *= 1.1; }

const std::vector<Imperfection>& imperfections() {
  static const std::vector<Imperfection> all{
      {"defocus", "defocus told 20 % too large", perfect_set, twenty_percent, geometry({"defocus"}),
       of_defocus},
      {"thickness", "thickness told 10 % too large", perfect_set, ten_percent_thick,
       geometry({"thickness", "defocus"}), of_thickness},
      {"tilt", "tilt of 3 and -2 mrad", tilted, nothing_told, geometry({"tilt"}), of_tilt},
      {"descan", "patterns move by 3 px", moving, nothing_told, geometry({"descan"}), of_descan},
      {"drift", "defocus drifts by 40 Å", drifting, nothing_told, vary, of_drift},
      {"current", "current jitters by 10 %", flickering, nothing_told, flicker, of_current},
      // The patterns of the perfect set have no room for its offset.
      {"noise", "noise of the readout, 5 counts", noisy, nothing_told, keep_noise, {}, true, false},
      {"source", "source of 0.25 Å", wide_source, nothing_told, more_modes},
      {"background", "background of 3 counts", with_background, nothing_told,
       detector("background"), of_background, false},
      {"gain", "gains of pixels spread by 5 %", uneven, nothing_told, detector("gain"), of_gains,
       false},
      {"dose", "2000 electrons/Å²", few_electrons, nothing_told, keep_edges, {}, false, false},
      {"loss",
       "nothing, by the intensity loss",
       perfect_set,
       nothing_told,
       by_intensities,
       {},
       false,
       false},
      {"motion",
       "atoms vibrate by 0.12 Å",
       vibrating,
       nothing_told,
       several_states,
       {},
       false,
       false},
  };
  return all;
}

/// Imperfections by their numbers, on one set.
struct Case {
  std::string name;
  std::vector<std::size_t> has = {};
  [[nodiscard]] bool perfect() const { return has.empty(); }
  /// Bit by bit what it has.
  [[nodiscard]] std::uint64_t seed() const {
    std::uint64_t bits = 0;
    for (const std::size_t i : has) bits |= std::uint64_t{1} << i;
    return bits;
  }
};

/// "none", "all", or words joined by +; nothing: it is none of these.
std::optional<Case> case_named(const std::string& text) {
  const auto& known = imperfections();
  if (text == "none") return Case{"nothing, all parts on"};
  Case one{text};
  if (text == "all") {
    one.name = "all of these";
    for (std::size_t i = 0; i < known.size(); ++i)
      if (known[i].with_all) one.has.push_back(i);
    return one;
  }
  std::istringstream words(text);
  for (std::string word; std::getline(words, word, '+');) {
    const auto at = std::find_if(known.begin(), known.end(),
                                 [&](const Imperfection& i) { return i.word == word; });
    if (at == known.end()) return {};
    one.has.push_back(static_cast<std::size_t>(at - known.begin()));
  }
  if (one.has.size() == 1) one.name = known[one.has.front()].name;
  return one;
}

/// Sets the parts that fit the imperfections; on the perfect set all that may be on there.
void fit_them(const Case& one, ReconstructConfig& config) {
  for (std::size_t i = 0; i < imperfections().size(); ++i) {
    const Imperfection& each = imperfections()[i];
    const bool asked = one.perfect()
                           ? each.with_none
                           : std::find(one.has.begin(), one.has.end(), i) != one.has.end();
    if (asked) each.fitted(config);
  }
}

/// Keys on top, as by --set.
void set_keys(ReconstructConfig& config, const std::vector<std::string>& settings) {
  Schema schema = reconstruct_schema(config);
  Faults faults;
  for (const std::string& setting : settings) schema.read_setting(setting, faults);
  faults.raise("the arguments");
}

/// A line an iteration: how the object and what is fitted come along.
void trace(const Case& one, const ReconstructConfig& config, const Result& truth,
           const std::string& file) {
  const auto team = make_local_team();
  Reconstruction fit(config, *team);
  while (!fit.finished()) {
    const Progress p = fit.step();
    const Result r = fit.result();
    const Comparison c = bench::compared(r, truth);
    fmt::print("  {:3d} {:7.4f} {:7.4f} {:8.5f} {:8.5f}  {}; {}", p.iteration, c.summed.ssim,
               c.summed.rmse, p.r_factor, p.r_held_out_pixels, p.geometry, p.stage);
    for (const std::size_t i : one.has)
      if (const auto& parameters = imperfections()[i].parameters)
        for (const Found& found : parameters(r, file)) fmt::print(" {:.4f}", found.value);
    fmt::print("\n");
    std::fflush(stdout);
  }
}

/// Prints the case's rows; the worst of its parameters, in units of its bound.
double judge(const Case& one, int iterations, const std::string& folder, bool traced,
             const std::vector<std::string>& settings, bool& unharmed) {
  Recipe recipe = perfect();
  for (const std::size_t i : one.has) imperfections()[i].imperfect(recipe);
  recipe.seed = one.seed();
  const std::string file = bench::kept_set(recipe, "microscope");
  const Result truth = read_result(file);
  ReconstructConfig without = told(file, iterations);
  for (const std::size_t i : one.has) imperfections()[i].wrong(without);
  ReconstructConfig with = without;
  fit_them(one, with);
  set_keys(with, settings);
  if (traced) {
    fmt::print("{}\n", one.name);
    trace(one, with, truth, file);
    return 0;
  }
  const Figures before = run(without, truth), after = run(with, truth);
  fmt::print("{:<32} {:7.4f} {:7.4f}  {:7.4f} {:7.4f}  {:8.5f} {:8.5f}\n", one.name, before.ssim,
             after.ssim, before.rmse, after.rmse, before.held_out, after.held_out);
  if (!folder.empty())
    bench::draw_imperfection(fmt::format("{}/microscope-{}.png", folder, one.seed()), one.name,
                             before.result, after.result, truth, file);
  double worst = 0;
  for (const std::size_t i : one.has) {
    if (!imperfections()[i].parameters) continue;
    for (const Found& found : imperfections()[i].parameters(after.result, file)) {
      fmt::print("  {:<38} {:9.4f}, truth {:9.4f}, bound {:7.4f}: {:.2f}\n", found.name,
                 found.value, found.truth, found.bound, found.error());
      worst = std::max(worst, std::isfinite(found.error()) ? found.error() : INFINITY);
    }
  }
  // A tenth of the error, and of R above its noise, is what seeds differ by.
  if (one.perfect())
    unharmed = after.rmse < 1.1 * before.rmse && after.held_out < 1.02 * before.held_out;
  std::fflush(stdout);
  return worst;
}

// Time of the parts

struct Part {
  std::string name;
  Telling on;
  double bound = INFINITY;  ///< of its iterations, in those without it
};

void free_positions(ReconstructConfig& c) {
  c.parts.of<PositionOptions>().refine = Switch::on;
  c.parts.of<PositionOptions>().start = 1;
}
void vary_from_the_start(ReconstructConfig& c) {
  vary(c);
  c.parts.of<VariableProbeOptions>().start = 1;
}
void flicker_from_the_start(ReconstructConfig& c) {
  flicker(c);
  c.parts.of<VariableProbeOptions>().start = 1;
}

void gains_from_the_start(ReconstructConfig& c) {
  detector("gain")(c);
  c.parts.of<DetectorOptions>().gain_start = 1;
}

std::vector<Part> timed_parts() {
  return {
      {"the same once more", nothing_told},
      {"geometry.refine: [defocus]", geometry({"defocus"})},
      {"geometry.refine: [defocus, thickness]", geometry({"defocus", "thickness"})},
      {"geometry.refine: [descan]", geometry({"descan"})},
      {"probe.variable: 2", vary_from_the_start},
      {"probe.intensity: true", flicker_from_the_start},
      {"detector.refine: [background]", detector("background")},
      {"detector.refine: [gain]", gains_from_the_start},
      {"positions.refine: on", free_positions},
      {"probe.variable: 2, positions.refine: on",
       [](ReconstructConfig& c) { vary_from_the_start(c), free_positions(c); }, 1.3},
      {"probe.modes: 2", [](ReconstructConfig& c) { c.probe.modes = 2; }},
  };
}

/// Iterations with everything free, on one thread, by processor time, which the load of other
/// programs leaves alone: four of each in turn are a round, as what is done every second or fourth
/// is in it then. Prints the median of the rounds' quotients; the worst in units of its bound.
double time_parts() {
  constexpr int warm_up = 4, in_a_round = 4, rounds = 3;
  Recipe recipe = perfect();
  recipe.seed = 0;
  const std::string file = bench::kept_set(recipe, "microscope");
  ReconstructConfig plain = told(file, warm_up + in_a_round * rounds);
  plain.solver.continuation = Switch::off;
  plain.solver.threads = 1;
  const auto team = make_local_team();
  std::vector<std::unique_ptr<Reconstruction>> fits;
  fits.push_back(std::make_unique<Reconstruction>(plain, *team));
  const auto parts = timed_parts();
  for (const Part& part : parts) {
    ReconstructConfig with = plain;
    part.on(with);
    fits.push_back(std::make_unique<Reconstruction>(with, *team));
  }
  for (const auto& fit : fits)
    for (int i = 0; i < warm_up; ++i) fit->step();
  std::vector<std::vector<double>> quotients(parts.size());
  double seconds = 0;
  for (int round = 0; round < rounds; ++round) {
    std::vector<double> spent(fits.size(), 0);
    for (int i = 0; i < in_a_round; ++i)
      for (std::size_t f = 0; f < fits.size(); ++f) {
        const std::clock_t start = std::clock();
        fits[f]->step();
        spent[f] += double(std::clock() - start) / CLOCKS_PER_SEC;
      }
    seconds += spent[0] / (in_a_round * rounds);
    for (std::size_t p = 0; p < parts.size(); ++p) quotients[p].push_back(spent[p + 1] / spent[0]);
  }
  fmt::print("an iteration without any part: {:.2f} s of one core\n{:<40} {:>6} {:>15}\n", seconds,
             "in iterations without the part", "median", "least, greatest");
  double worst = 0;
  for (std::size_t p = 0; p < parts.size(); ++p) {
    auto& q = quotients[p];
    std::sort(q.begin(), q.end());
    fmt::print("{:<40} {:6.3f}   {:6.3f} {:6.3f}{}\n", parts[p].name, q[rounds / 2], q.front(),
               q.back(),
               std::isfinite(parts[p].bound) ? fmt::format(", bound {:.2f}", parts[p].bound) : "");
    worst = std::max(worst, q[rounds / 2] / parts[p].bound);
  }
  return worst;
}

}  // namespace

int main(int count, char** arguments) try {
  int iterations = 20;
  bool traced = false, timed = false;
  std::string folder;
  std::vector<Case> cases;
  std::vector<std::string> settings;
  for (int i = 1; i < count; ++i) {
    const std::string argument = arguments[i];
    if (argument.find_first_not_of("0123456789") == std::string::npos)
      iterations = std::stoi(argument);
    else if (argument.find('=') != std::string::npos)
      settings.push_back(argument);
    else if (argument == "trace")
      traced = true;
    else if (argument == "times")
      timed = true;
    else if (const auto one = case_named(argument))
      cases.push_back(*one);
    else
      folder = argument;
  }
  if (cases.empty() && !timed) {
    cases.push_back(*case_named("none"));
    for (const Imperfection& each : imperfections()) cases.push_back(*case_named(each.word));
    cases.push_back(*case_named("all"));
  }
  if (!cases.empty())
    fmt::print("{:<32} {:>15}  {:>15}  {:>17}\n{:<32} {:>7} {:>7}  {:>7} {:>7}  {:>8} {:>8}\n", "",
               "SSIM", "RMSE (rad)", "held-out R", "", "without", "with", "without", "with",
               "without", "with");
  double worst = 0;
  bool unharmed = true;
  if (timed) worst = time_parts();
  for (const Case& one : cases)
    worst = std::max(worst, judge(one, iterations, folder, traced, settings, unharmed));
  if (!unharmed) fmt::print("the parts make the perfect set worse\n");
  fmt::print("\nmicroscope = {:.2f} of the bound\n", worst);
  return worst <= 1 && unharmed ? 0 : 1;
} catch (const std::exception& e) {
  fmt::print(stderr, "microscope: {}\n", e.what());
  return dynamic_cast<const UserError*>(&e) ? 2 : 1;
}
