#include "simulate/recipe_checks.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>

#include "core/error.hpp"
#include "physics/scattering.hpp"

namespace ptyle {
namespace {

void need(bool right, const char* key, double value, std::string_view limits) {
  if (!right) throw UserError(fmt::format("{}: {} is not {}", key, value, limits));
}

void positive(const char* key, double value, double most, std::string_view unit) {
  need(value > 0 && value <= most, key, value,
       fmt::format("above 0 and at most {} {}", most, unit));
}

void between(const char* key, double value, double least, double most) {
  need(value >= least && value <= most, key, value, fmt::format("from {} to {}", least, most));
}

void one_of(const char* key, const std::string& value, std::initializer_list<const char*> all) {
  if (std::find(all.begin(), all.end(), value) == all.end())
    throw UserError(fmt::format("{}: \"{}\" is none of {}", key, value, fmt::join(all, ", ")));
}

void check_optics(const SimulatedOptics& o) {
  positive("optics.energy", o.energy, 3000, "kV");
  positive("optics.semi_angle", o.semi_angle, 200, "mrad");
  between("optics.aperture_edge", o.aperture_edge, 0, 100);
  between("optics.modes", o.modes, 1, 32);
  between("optics.mode_power", o.mode_power, 0, 1);
  for (const double c : {o.defocus, o.C12, o.phi12, o.C21, o.phi21, o.C23, o.phi23, o.C30})
    need(std::isfinite(c), "optics", c, "finite");
}

void check_detector(const DetectorRecipe& d) {
  between("detector.window", d.window, 8, 8192);
  positive("detector.pixel_size", d.pixel_size, 1e4, "Å");
  between("detector.bin", d.bin, 1, d.window);
  between("detector.band_limit", d.band_limit, 0, 1);
}

void check_scan(const ScanRecipe& s) {
  for (const int n : s.shape) between("scan.shape", n, 1, 100000);
  if (1.0 * s.shape[0] * s.shape[1] > 1e8)
    throw UserError("scan.shape: more than 100 million positions");
  for (const double step : s.step) positive("scan.step", step, 1e6, "Å");
  need(std::isfinite(s.rotation), "scan.rotation", s.rotation, "finite");
  need(s.jitter >= 0 && std::isfinite(s.jitter), "scan.jitter", s.jitter, "at least 0 Å");
}

// "Pb=0.85"
std::pair<int, double> named_value(const char* key, const std::string& text, double most) {
  const auto equal = text.find('=');
  const auto Z = atomic_number(std::string_view(text).substr(0, equal));
  double value = -1;
  const char* end = text.data() + text.size();
  if (equal != std::string::npos) {
    const auto read = std::from_chars(text.data() + equal + 1, end, value);
    if (read.ptr != end || read.ec != std::errc()) value = -1;
  }
  if (!Z || !(value >= 0 && value <= most))
    throw UserError(
        fmt::format("{}: \"{}\" is not an element and its value from 0 to {}, as in \"Pb={}\"", key,
                    text, most, most > 10 ? 0.85 : 0.1));
  return {*Z, value};
}

}  // namespace

std::vector<Mismatch> mismatches(const Recipe& r) {
  std::vector<Mismatch> all;
  const auto& repeat = r.specimen.repeat;
  if (r.specimen.zone_axis == std::array<int, 3>{})
    all.push_back({"specimen.zone_axis", "[0, 0, 0] is no direction"});
  const auto zeros = std::count(repeat.begin(), repeat.end(), 0);
  if (zeros > 0 && zeros < 3)
    all.push_back({"specimen.repeat", "give all three numbers of cells, or [0, 0, 0] to fill"});
  const DetectorRecipe& d = r.detector;
  if (d.bin > 0 && d.window % d.bin != 0)
    all.push_back(
        {"detector.bin", fmt::format("{} does not divide detector.window {}", d.bin, d.window)});
  const SimulatedOptics& o = r.optics;
  if ((o.modes - 1) * o.mode_power >= 1)
    all.push_back({"optics.mode_power",
                   fmt::format("{} modes of {} each leave nothing for the first; less is needed",
                               o.modes - 1, o.mode_power)});
  if (r.thermal.motion == "none" && !(r.thermal.B.empty() && r.thermal.rms.empty()))
    all.push_back({"thermal.motion",
                   "is none, but thermal.B or thermal.rms is given; take debye_waller or "
                   "frozen_phonons"});
  if (r.scan.jitter > std::max(r.scan.step[0], r.scan.step[1]))
    all.push_back({"scan.jitter", fmt::format("{} Å is more than a step", r.scan.jitter)});
  return all;
}

void check_recipe(const Recipe& r) {
  const SpecimenRecipe& s = r.specimen;
  one_of("specimen.potential", s.potential, {"lobato", "kirkland"});
  positive("specimen.slice_thickness", s.slice_thickness, 1e4, "Å");
  between("specimen.thickness", s.thickness, 0, 1e5);
  need(std::isfinite(s.rotation), "specimen.rotation", s.rotation, "finite");
  for (const int n : s.repeat) between("specimen.repeat", n, 0, 10000);
  if (1.0 * s.repeat[0] * s.repeat[1] * s.repeat[2] > 1e7)
    throw UserError("specimen.repeat: more than 10 million cells");
  one_of("thermal.motion", r.thermal.motion, {"none", "debye_waller", "frozen_phonons"});
  between("thermal.configurations", r.thermal.configurations, 1, 1000);
  check_optics(r.optics);
  check_detector(r.detector);
  check_scan(r.scan);
  between("dose.electrons_per_A2", r.dose.electrons_per_A2, 0, 1e12);
  one_of("dose.type", r.dose.type, {"auto", "uint8", "uint16", "uint32"});
  one_of("precision", r.precision, {"float", "double"});
  between("threads", r.threads, 0, 4096);
  for (const auto& [key, what] : mismatches(r)) throw UserError(fmt::format("{}: {}", key, what));
}

std::map<int, double> thermal_factors(const ThermalRecipe& thermal, const std::set<int>& elements) {
  std::map<int, double> B;
  if (thermal.motion == "none") return B;
  const auto add = [&](const char* key, int Z, double value) {
    if (!elements.contains(Z))
      throw UserError(fmt::format("{}: the specimen has no {}", key, element_symbol(Z)));
    if (!B.emplace(Z, value).second)
      throw UserError(fmt::format("{}: {} is given twice", key, element_symbol(Z)));
  };
  for (const auto& text : thermal.B) {
    const auto [Z, value] = named_value("thermal.B", text, 100);
    add("thermal.B", Z, value);
  }
  for (const auto& text : thermal.rms) {
    const auto [Z, value] = named_value("thermal.rms", text, 1);
    add("thermal.rms", Z, B_of_displacement(value));
  }
  for (const int Z : elements)
    if (!B.contains(Z))
      throw UserError(fmt::format("thermal.B: no value for {}, which thermal.motion {} needs",
                                  element_symbol(Z), thermal.motion));
  return B;
}

}  // namespace ptyle
