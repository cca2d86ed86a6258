#include "session/result_head.hpp"

#include <fmt/chrono.h>

#include <ctime>

#include "core/host.hpp"
#include "core/units.hpp"

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

}  // namespace

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

void add_fitted(ResultFacts& facts, const std::vector<FittedValue>& values) {
  for (const FittedValue& value : values) {
    const std::string name = value.name + (value.unit == "Å"         ? "_A"
                                           : value.unit == "degrees" ? "_deg"
                                                                     : "_mrad");
    std::erase_if(facts.optics, [&](const auto& one) { return one.first == name; });
    facts.optics.emplace_back("given_" + name, value.from);
    if (value.name == "slice_thickness")
      facts.slice_thickness = value.to;
    else
      facts.optics.emplace_back(name, value.to);
  }
}

}  // namespace ptyle
