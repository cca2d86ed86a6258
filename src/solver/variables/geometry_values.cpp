// The fitted geometry in the words and units of its users.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "core/units.hpp"
#include "solver/penalties/quadratic.hpp"
#include "solver/regularisers/blur.hpp"
#include "solver/variables/geometry_options.hpp"
#include "solver/variables/refined_words.hpp"

namespace ptyle {

bool GeometryOptions::has(GeometryPart part) const { return has_word(refine, part); }

bool GeometryOptions::any_of_optics() const {
  return std::any_of(refine.begin(), refine.end(),
                     [](const auto& word) { return word != word_of(GeometryPart::descan); });
}

std::optional<std::string> fault_of_refine(const GeometryOptions& options) {
  return fault_of_words<GeometryPart>(options.refine);
}

bool holds_slices_alike(const PartOptions& parts) {
  return parts.of<PenaltyOptions>().along_z > 0 || parts.of<BlurOptions>().along_z > 0;
}

std::optional<std::string> fault_of_slices(const PartOptions& parts, i64 slices, bool tied) {
  const auto& options = parts.of<GeometryOptions>();
  if (options.fits_propagator() && slices < 2)
    return "a single slice has neither thickness nor tilt: leave them out, or set object.slices";
  if (options.has(GeometryPart::tilt) && !tied && !holds_slices_alike(parts))
    return "tilt needs slices that are alike, as free ones take it up as their shear: set "
           "solver.continuation: on, penalty.along_z or object.blur_z";
  return {};
}

std::vector<FittedValue> fitted_geometry(const GeometryOptions& options,
                                         const std::map<std::string, double>& numbers) {
  using enum GeometryPart;
  std::vector<FittedValue> all;
  const auto change = [&](const char* name) {
    const auto at = numbers.find(std::string("geometry.") + name);
    return at == numbers.end() ? 0.0 : at->second;
  };
  const auto polar = [&](const std::string& name, double size, double azimuth, int symmetry) {
    const auto [a, b] =
        std::array{size * std::cos(symmetry * azimuth) + change((name + ".cos").c_str()),
                   size * std::sin(symmetry * azimuth) + change((name + ".sin").c_str())};
    all.push_back({name, "Å", size, std::hypot(a, b)});
    all.push_back({"phi" + name.substr(1), "degrees", azimuth * 180 / pi,
                   std::atan2(b, a) / symmetry * 180 / pi});
  };
  const Aberrations& given = options.given;
  if (options.has(defocus))
    all.push_back({"defocus", "Å", -given.C10, -given.C10 + change("defocus")});
  if (options.has(astigmatism)) polar("C12", given.C12, given.phi12, 2);
  if (options.has(coma)) polar("C21", given.C21, given.phi21, 1);
  if (options.has(trefoil)) polar("C23", given.C23, given.phi23, 3);
  if (options.has(spherical)) all.push_back({"C30", "Å", given.C30, given.C30 + change("C30")});
  if (options.has(thickness))
    all.push_back({"slice_thickness", "Å", options.slice_thickness,
                   options.slice_thickness + change("thickness")});
  const auto angle = [&](const char* name, double from) {
    all.push_back({name, "mrad", from / mrad, (from + change(name)) / mrad});
  };
  if (options.has(tilt)) {
    angle("tilt_row", options.tilt.row);
    angle("tilt_col", options.tilt.col);
  }
  for (std::size_t k = 0; options.has(descan) && k < descan_names.size(); ++k) {
    const auto at = numbers.find(std::string("geometry.") + descan_names[k]);
    const double from = options.descan[k];
    all.push_back({descan_names[k], options.in_pixels ? "px/px" : "px/Å", from,
                   at == numbers.end() ? from : at->second});
  }
  return all;
}

std::vector<std::pair<std::string, std::string>> geometry_names(bool in_pixels) {
  GeometryOptions all;
  all.in_pixels = in_pixels;
  all.refine = words_of<GeometryPart>();
  std::vector<std::pair<std::string, std::string>> names;
  for (const FittedValue& value : fitted_geometry(all, {}))
    names.emplace_back(value.name, value.unit);
  return names;
}

std::string describe(const std::vector<FittedValue>& values, bool from) {
  std::string text;
  for (const FittedValue& value : values) {
    const bool azimuth = value.unit == "degrees";
    const std::string unit = azimuth ? "°" : " " + value.unit;
    text += fmt::format("{}{} {:.4g}{}", text.empty() ? "" : ", ", value.name, value.to, unit);
    if (from) text += fmt::format(", from {:.4g}", value.from);
  }
  return text;
}

}  // namespace ptyle
