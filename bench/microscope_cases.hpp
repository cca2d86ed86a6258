#pragma once

// The specimen of bench/microscope, its imperfections, the part that fits each, and what it finds.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numeric>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "io/hdf5.hpp"
#include "io/result.hpp"
#include "session/reconstruction.hpp"
#include "simulate/recipe.hpp"
#include "solver/penalties/quadratic.hpp"
#include "solver/states.hpp"
#include "solver/variables/detector_options.hpp"
#include "solver/variables/geometry_options.hpp"
#include "solver/variables/variable_probe_options.hpp"

namespace ptyle::bench {

inline constexpr int slices = 10, simulated = 50;
inline constexpr double gain_spread = 0.05, source_size = 0.25;
inline constexpr double thickness = 25 * 3.905, defocus = 180;
inline constexpr double true_defocus = defocus - 2 * thickness / simulated;

inline Recipe perfect() {
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

inline ReconstructConfig told(const std::string& file, int iterations) {
  ReconstructConfig c;
  c.data.file = file;
  c.optics.defocus = defocus;
  c.object.slices = slices, c.object.slice_thickness = thickness / slices;
  c.solver.iterations = iterations, c.solver.threads = 2;
  c.solver.hold_out_pixels = 0.02;
  return c;
}

/// A number of the beam or the detector by its name in results. NaN: there is none.
inline double fact(const Result& result, const std::string& name) {
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

inline std::vector<Found> of_defocus(const Result& r, const std::string& /*file*/) {
  return {{"defocus (Å)", fact(r, "defocus_A"), true_defocus, 0.03 * true_defocus}};
}
inline std::vector<Found> of_thickness(const Result& r, const std::string& /*file*/) {
  const double truth = thickness / slices;
  return {{"slice thickness (Å)", r.slice_thickness, truth, 0.02 * truth}};
}
inline std::vector<Found> of_tilt(const Result& r, const std::string& /*file*/) {
  return {{"tilt, rows (mrad)", fact(r, "tilt_row_mrad"), 3, 0.2},
          {"tilt, columns (mrad)", fact(r, "tilt_col_mrad"), -2, 0.2}};
}

/// px/Å, of the simulation and of what is found.
inline constexpr std::array<double, 2> descan_row{0.25, 0.08}, descan_col{-0.06, 0.2};
inline std::vector<Found> of_descan(const Result& r, const std::string& /*file*/) {
  const Matrix2 truth{descan_row[0], descan_row[1], descan_col[0], descan_col[1]};
  double square = 0;
  for (std::size_t k = 0; k < 4; ++k)
    square += std::pow(fact(r, std::string(descan_names[k]) + "_px_per_A") - truth[k], 2);
  const double edge = 11 * 0.8 / std::sqrt(2.0);  // Å, from the middle of the scan to its corner
  return {{"descan, error at the scan's edge (px)", edge * std::sqrt(square), 0, 0.1}};
}

inline double correlation(const std::vector<double>& a, const std::vector<double>& b) {
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
inline std::vector<Found> of_drift(const Result& r, const std::string& file) {
  const auto truth = h5::File::open(file).read<double>("/truth/defocus");
  const std::size_t each = r.mixtures.size() / truth.size();
  std::vector<double> first;
  for (std::size_t p = 0; p < truth.size() && each > 0; ++p) first.push_back(r.mixtures[p * each]);
  const double c = each > 0 ? std::abs(correlation(first, truth)) : 0;
  return {{"drift of the defocus, correlation", c, 1, 0.05}};
}

/// R.m.s. of the ratio to the truth, whose mean is 1.
inline std::vector<Found> of_current(const Result& r, const std::string& file) {
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
inline std::vector<Found> of_background(const Result& r, const std::string& file) {
  const double truth = h5::File::open(file).number("/truth", "background").value_or(NAN);
  return {{"background (counts)", fact(r, "background_counts"), truth, 0.3 * truth}};
}

/// R.m.s. error of the pixels that are known to half the spread of all gains, over that spread;
/// both about their means there.
inline std::vector<Found> of_gains(const Result& r, const std::string& file) {
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
inline void nothing_told(ReconstructConfig&) {}

struct Imperfection {
  std::string word, name;
  Change imperfect;              ///< the set
  Telling wrong = nothing_told;  ///< what the run is told
  Telling fitted;                ///< the part that is there for it
  Telling told_of_it = {};  ///< what such a part is told of the imperfection, where it is there
  Parameters parameters = {};
  bool with_all = true;   ///< one of those that "all" has
  bool with_none = true;  ///< its part is on, too, where all are and nothing is imperfect
  bool alone = true;      ///< likewise, where it is the only one
};

inline Telling geometry(std::vector<std::string> more) {
  return [more](ReconstructConfig& c) {
    auto& parts = c.parts.of<GeometryOptions>().refine;
    for (const std::string& part : more)
      if (std::find(parts.begin(), parts.end(), part) == parts.end()) parts.push_back(part);
  };
}
inline void perfect_set(Recipe&) {}
inline void tilted(Recipe& r) { r.specimen.tilt_row = 3, r.specimen.tilt_col = -2; }
inline void moving(Recipe& r) {
  r.detector.descan_row = descan_row, r.detector.descan_col = descan_col;
}
inline void drifting(Recipe& r) { r.optics.defocus_drift = 40; }
inline void flickering(Recipe& r) { r.optics.current_jitter = 0.1; }
inline void noisy(Recipe& r) { r.detector.readout_noise = 5; }
inline void few_electrons(Recipe& r) { r.dose.electrons_per_A2 = 2000; }
inline void wide_source(Recipe& r) { r.optics.source_size = source_size; }
/// Independent displacements of 0.12 Å along each axis, as of atoms that vibrate strongly.
inline void vibrating(Recipe& r) {
  r.thermal.motion = Motion::frozen_phonons;
  r.thermal.rms = {"Sr=0.12", "Ti=0.12", "O=0.12"};
  r.thermal.configurations = 8;
}
inline void with_background(Recipe& r) { r.detector.background = 3; }
inline void uneven(Recipe& r) { r.detector.gain_spread = gain_spread; }
inline constexpr int probe_varies_from = 8;
inline void vary(ReconstructConfig& c) {
  c.parts.of<VariableProbeOptions>().modes = 2;
  c.parts.of<VariableProbeOptions>().start = probe_varies_from;
}
inline void flicker(ReconstructConfig& c) {
  c.parts.of<VariableProbeOptions>().intensity = true;
  c.parts.of<VariableProbeOptions>().start = probe_varies_from;
}
inline void keep_edges(ReconstructConfig& c) { c.parts.of<PenaltyOptions>().edge = 0.1; }
inline void keep_noise(ReconstructConfig& c) { c.data.readout_noise = 5; }
inline void more_modes(ReconstructConfig& c) { c.probe.modes = 6; }
inline void their_source(ReconstructConfig& c) { c.optics.source_size = source_size; }
inline Telling detector(const char* what) {
  return [what](ReconstructConfig& c) { c.parts.of<DetectorOptions>().refine.emplace_back(what); };
}
inline void several_states(ReconstructConfig& c) { c.parts.of<StatesOptions>().states = 2; }
inline void by_intensities(ReconstructConfig& c) { c.solver.loss = Loss::intensity; }
inline void twenty_percent(ReconstructConfig& c) { c.optics.defocus = 1.2 * defocus; }
inline void ten_percent_thick(ReconstructConfig& c) { c.object.slice_thickness *= 1.1; }

inline const std::vector<Imperfection>& imperfections() {
  static const std::vector<Imperfection> all{
      {.word = "defocus",
       .name = "defocus told 20 % too large",
       .imperfect = perfect_set,
       .wrong = twenty_percent,
       .fitted = geometry({"defocus"}),
       .parameters = of_defocus},
      {.word = "thickness",
       .name = "thickness told 10 % too large",
       .imperfect = perfect_set,
       .wrong = ten_percent_thick,
       .fitted = geometry({"thickness", "defocus"}),
       .parameters = of_thickness},
      {.word = "tilt",
       .name = "tilt of 3 and -2 mrad",
       .imperfect = tilted,
       .fitted = geometry({"tilt"}),
       .parameters = of_tilt},
      {.word = "descan",
       .name = "patterns move by 3 px",
       .imperfect = moving,
       .fitted = geometry({"descan"}),
       .parameters = of_descan},
      {.word = "drift",
       .name = "defocus drifts by 40 Å",
       .imperfect = drifting,
       .fitted = vary,
       .parameters = of_drift},
      {.word = "current",
       .name = "current jitters by 10 %",
       .imperfect = flickering,
       .fitted = flicker,
       .parameters = of_current},
      // The patterns of the perfect set have no room for its offset.
      {.word = "noise",
       .name = "noise of the readout, 5 counts",
       .imperfect = noisy,
       .fitted = keep_noise,
       .with_none = false,
       .alone = false},
      {.word = "source",
       .name = "source of 0.25 Å",
       .imperfect = wide_source,
       .fitted = more_modes,
       .told_of_it = their_source},
      {.word = "background",
       .name = "background of 3 counts",
       .imperfect = with_background,
       .fitted = detector("background"),
       .parameters = of_background,
       .with_all = false},
      {.word = "gain",
       .name = "gains of pixels spread by 5 %",
       .imperfect = uneven,
       .fitted = detector("gain"),
       .parameters = of_gains,
       .with_all = false},
      {.word = "dose",
       .name = "2000 electrons/Å²",
       .imperfect = few_electrons,
       .fitted = keep_edges,
       .with_all = false,
       .with_none = false,
       .alone = false},
      {.word = "loss",
       .name = "nothing, by the intensity loss",
       .imperfect = perfect_set,
       .fitted = by_intensities,
       .with_all = false,
       .with_none = false,
       .alone = false},
      {.word = "motion",
       .name = "atoms vibrate by 0.12 Å",
       .imperfect = vibrating,
       .fitted = several_states,
       .with_all = false,
       .with_none = false},
  };
  return all;
}

/// Imperfections by their numbers, on one set.
struct Case {
  std::string name;
  std::vector<std::size_t> has = {};
  std::optional<std::size_t> part = {};  ///< of the perfect set: this one's alone
  [[nodiscard]] bool perfect() const { return has.empty(); }
  /// Bit by bit what it has.
  [[nodiscard]] std::uint64_t seed() const {
    std::uint64_t bits = 0;
    for (const std::size_t i : has) bits |= std::uint64_t{1} << i;
    return bits;
  }
};

/// "none", "all", or words joined by +; nothing: it is none of these.
inline std::optional<Case> case_named(const std::string& text) {
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

/// The perfect set with each part alone that may be on there.
inline std::vector<Case> each_part_alone() {
  std::vector<Case> all;
  for (std::size_t i = 0; i < imperfections().size(); ++i)
    if (imperfections()[i].alone)
      all.push_back({"nothing, the part of " + imperfections()[i].word, {}, i});
  return all;
}

/// Sets the parts that fit the imperfections; on the perfect set all that may be on there.
inline void fit_them(const Case& one, ReconstructConfig& config) {
  for (std::size_t i = 0; i < imperfections().size(); ++i) {
    const Imperfection& each = imperfections()[i];
    const bool there = std::find(one.has.begin(), one.has.end(), i) != one.has.end();
    const bool asked = one.part ? i == *one.part : one.perfect() ? each.with_none : there;
    if (asked) each.fitted(config);
    if (asked && each.told_of_it && !one.perfect()) each.told_of_it(config);
  }
}

}  // namespace ptyle::bench
