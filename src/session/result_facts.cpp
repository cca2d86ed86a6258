#include "session/result_facts.hpp"

#include <fmt/chrono.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "core/host.hpp"
#include "core/units.hpp"
#include "prepare/screening.hpp"
#include "session/write_result.hpp"
#include "solver/states.hpp"
#include "solver/variables/gain.hpp"

namespace ptyle {
namespace {

/// Attributes, each with its unit in its name; those that a data set has too are named alike
/// (session/file_facts). Aberrations that are 0 are left out.
std::vector<std::pair<std::string, double>> optics_of(const Experiment& e) {
  const OpticsConfig& o = e.optics;
  const Calibration& c = e.calibration;
  std::vector<std::pair<std::string, double>> all;
  const auto add = [&](const char* name, double value) { all.emplace_back(name, value); };
  if (c.wavelength > 0) add("wavelength_A", c.wavelength);
  if (o.xray_energy > 0) add("xray_energy_keV", o.xray_energy);
  if (c.dk > 0 && !c.in_pixels()) add("dk_inv_A", c.dk);
  if (c.wavelength > 0 && c.dk > 0) add("mrad_per_pixel", c.dk * c.wavelength / mrad);
  if (o.semi_angle > 0) {
    add("semi_angle_mrad", o.semi_angle);
    add("defocus_A", o.defocus.value_or(0));
  }
  const auto astigmatism = [&](const char* name, double value, const char* azimuth,
                               double degrees) {
    if (value == 0) return;
    add(name, value);
    add(azimuth, degrees);
  };
  astigmatism("C12_A", o.C12, "phi12_deg", o.phi12);
  astigmatism("C21_A", o.C21, "phi21_deg", o.phi21);
  astigmatism("C23_A", o.C23, "phi23_deg", o.phi23);
  if (o.C30 != 0) add("C30_A", o.C30);
  return all;
}

void add_head(ResultFacts& facts, const Experiment& experiment) {
  facts.pixel_size = experiment.calibration.pixel;
  facts.energy_kV = experiment.optics.energy;
  facts.units = experiment.calibration.in_pixels() ? "px" : "A";
  facts.optics = optics_of(experiment);
  facts.version = PTYLE_VERSION;
  facts.date = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
  facts.host = host_name();
  facts.command = command_line();
}

/// Some of the fitted patterns, spread over the scan.
template <class T>
void add_patterns(ResultFacts& facts, Fit<T>& fit) {
  const std::vector<i64>& fitted = fit.fitted();
  if (fit.probe().shape[1] > largest_shown || std::ssize(fitted) < patterns_shown) return;
  for (i64 k = 1; k <= patterns_shown; ++k)
    facts.pattern_rows.push_back(
        fitted[static_cast<std::size_t>(k * std::ssize(fitted) / (patterns_shown + 1))]);
  facts.patterns = fit.patterns(facts.pattern_rows);
  for (i64 n = 0; n < facts.patterns.shape()[0]; ++n)
    for (i64 kind = 0; kind < 2; ++kind) {
      const View<float, 2> one = facts.patterns.view()[n][kind];
      const auto shifted = centred<float>(one);
      std::copy(shifted.begin(), shifted.end(), one.begin());
    }
}

/// The gains of the detector's pixels, with their errors, where they were fitted.
template <class T>
void add_gains(ResultFacts& facts, const Fit<T>& fit) {
  const char* const name = GainVariable<T>::field;
  if (!fit.state().has(name)) return;
  const auto all = fit.arithmetic().on_host(fit.state().field(name).waves.view());
  // Zeros stand before the first estimate.
  if (std::none_of(all.view.begin(), all.view.end(),
                   [](const Complex<T>& value) { return value.real() > 0; }))
    return;
  const std::array<i64, 2> shape{all.view.shape[1], all.view.shape[2]};
  Array<float, 2> gain(shape), error(shape);
  for (i64 k = 0; k < gain.size(); ++k) {
    const Complex<T> value = all.view.data[k];
    gain.data()[k] = value.real() > 0 ? static_cast<float>(value.real()) : 1;
    error.data()[k] = static_cast<float>(value.imag());
  }
  facts.gain = centred<float>(gain);
  facts.gain_error = centred<float>(error);
}

}  // namespace

template <class T>
ResultFacts facts_of(const OpenFit<T>& open) {
  const Experiment& experiment = open.experiment;
  const ObjectConfig& object = open.config.object;
  Fit<T>& fit = *open.fit;
  ResultFacts facts;
  facts.positions = open.positions();
  if (fit.state().has("shift")) facts.positions_start = open.positions_at_start();
  facts.mixtures = open.records("mixture");
  facts.occupancy = open.config.parts.template of<StatesOptions>().shares();
  facts.intensities = open.records("intensity");
  for (double& e : facts.intensities) e = (1 + e) * (1 + e);  // of amplitudes 1 + e
  facts.position_numbers = experiment.numbers;
  facts.frame_numbers = experiment.frames;
  facts.left_out = fit.left_out();
  facts.left_out_positions = experiment.left_out;
  facts.held_out = fit.held_out();
  add_patterns(facts, fit);
  add_gains(facts, fit);
  facts.bad_pixels = mask_of(experiment.screening);
  facts.origin = open.division->frame.origin;
  facts.slice_thickness = object.slices > 1 ? object.slice_thickness : 0;
  add_head(facts, experiment);
  facts.dealt_for = open.division->of;
  return facts;
}

template ResultFacts facts_of(const OpenFit<float>&);
template ResultFacts facts_of(const OpenFit<double>&);

void add_fitted(ResultFacts& facts, const std::vector<FittedValue>& values) {
  for (const FittedValue& value : values) {
    const std::string name = value.name + (value.unit == "Å"         ? "_A"
                                           : value.unit == "degrees" ? "_deg"
                                           : value.unit == "px/Å"    ? "_px_per_A"
                                           : value.unit == "px/px"   ? "_px_per_px"
                                                                     : "_" + value.unit);
    std::erase_if(facts.optics, [&](const auto& one) { return one.first == name; });
    facts.optics.emplace_back("given_" + name, value.from);
    if (value.name == "slice_thickness")
      facts.slice_thickness = value.to;
    else
      facts.optics.emplace_back(name, value.to);
  }
}

}  // namespace ptyle
