#include "prepare/positions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <utility>

#include "core/error.hpp"
#include "core/units.hpp"

namespace ptyle {

std::string unit_named(const std::string& attribute) {
  std::string u;
  std::transform(attribute.begin(), attribute.end(), std::back_inserter(u),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (u == "å" || u == "Å" || u == "a" || u.starts_with("angstr") || u.starts_with("ångstr"))
    return "A";
  if (u == "px" || u.find("pixel") != std::string::npos) return "px";
  if (u.starts_with("micron") || u == "µm" || u == "μm") return "um";  // the sign, and the letter
  const std::pair<const char*, const char*> metric[] = {
      {"m", ""}, {"um", "micro"}, {"nm", "nano"}, {"pm", "pico"}};
  for (const auto& [unit, prefix] : metric)
    for (const char* metre : {"metre", "meter", "metres", "meters"})
      if (u == unit || u == std::string(prefix) + metre) return unit;
  return {};
}

namespace {

/// Å in a unit that unit_named knows.
double angstroms_in(const std::string& unit, double pixel) {
  return unit == "px"   ? pixel
         : unit == "m"  ? metre
         : unit == "um" ? 1e4
         : unit == "nm" ? 10
         : unit == "pm" ? 0.01
                        : 1;
}

/// scan.unit, or with `auto` the dataset's own; Å where it says none.
std::string unit_of(const RawPositions& raw, const ScanConfig& scan,
                    std::vector<std::string>& warnings) {
  const std::string said = unit_named(raw.unit);
  const bool given = scan.unit != "auto";
  if (said.empty() && !raw.unit.empty() && !given)
    throw UserError(
        fmt::format("{} says its unit is '{}', which is not known; say scan.unit (A, m or px)",
                    raw.name, raw.unit));
  const std::string unit = given ? scan.unit : "A";
  if (said.empty() || said == unit) return unit;
  warnings.push_back(given ? fmt::format("{} says its unit is '{}', scan.unit is {}", raw.name,
                                         raw.unit, scan.unit)
                           : fmt::format("{} says its unit is '{}', which is taken for scan.unit",
                                         raw.name, raw.unit));
  return given ? unit : said;
}

}  // namespace

std::vector<Position> positions_from(const RawPositions& raw, const ScanConfig& scan, i64 n,
                                     const std::string& frames, double pixel, bool pixel_units,
                                     std::vector<std::string>& warnings) {
  const i64 columns = raw.shape.empty() ? 0 : raw.shape.back();
  const bool three = columns == 3 && scan.order == "x_y";  // (x, y, z), as CXI's translation
  if (raw.shape.size() < 2 || raw.shape.size() > 3 || (columns != 2 && !three))
    throw UserError(fmt::format("{} has the shape {}, (N, 2) or (slow, fast, 2) is needed",
                                raw.name, fmt::join(raw.shape, " x ")));
  const i64 count = static_cast<i64>(raw.values.size()) / columns;
  if (count != n)
    throw UserError(
        fmt::format("{} has {} positions but {} has {} patterns: one position a pattern is needed",
                    raw.name, count, frames, n));
  const std::string unit = unit_of(raw, scan, warnings);
  if (pixel_units && unit != "px")
    throw UserError(fmt::format(
        "scan.unit is {} but there is no energy and no calibration: give them, or scan.unit: px",
        unit));
  const double scale = angstroms_in(unit, pixel);
  std::vector<Position> positions(static_cast<std::size_t>(n));
  for (i64 i = 0; i < n; ++i) {
    const double a = raw.values[i * columns] * scale, b = raw.values[i * columns + 1] * scale;
    if (!std::isfinite(a) || !std::isfinite(b))
      throw UserError(fmt::format("{} has no finite numbers for position {}", raw.name, i));
    positions[i] = scan.order == "x_y" ? Position{b, a} : Position{a, b};
  }
  return positions;
}

}  // namespace ptyle
