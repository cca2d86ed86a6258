#include "prepare/positions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <utility>

#include "core/error.hpp"
#include "core/units.hpp"

namespace ptyle {

std::optional<LengthUnit> unit_named(const std::string& attribute) {
  std::string u;
  std::transform(attribute.begin(), attribute.end(), std::back_inserter(u),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (u == "å" || u == "Å" || u == "a" || u.starts_with("angstr") || u.starts_with("ångstr"))
    return LengthUnit::angstrom;
  if (u == "px" || u.find("pixel") != std::string::npos) return LengthUnit::pixel;
  if (u.starts_with("micron") || u == "µm" || u == "μm")  // the sign, and the letter
    return LengthUnit::micrometre;
  const std::pair<LengthUnit, const char*> metric[] = {{LengthUnit::metre, ""},
                                                       {LengthUnit::micrometre, "micro"},
                                                       {LengthUnit::nanometre, "nano"},
                                                       {LengthUnit::picometre, "pico"}};
  for (const auto& [unit, prefix] : metric)
    for (const char* metre : {"metre", "meter", "metres", "meters"})
      if (u == word_of(unit) || u == std::string(prefix) + metre) return unit;
  return {};
}

double angstroms_in(LengthUnit unit, double pixel) {
  switch (unit) {
    case LengthUnit::pixel:
      return pixel;
    case LengthUnit::metre:
      return metre;
    case LengthUnit::micrometre:
      return 1e4;
    case LengthUnit::nanometre:
      return 10;
    case LengthUnit::picometre:
      return 0.01;
    case LengthUnit::angstrom:
      break;
  }
  return 1;
}

namespace {

/// scan.unit, or where it is not given the dataset's own; Å where that says none.
LengthUnit unit_of(const RawPositions& raw, const ScanConfig& scan,
                   std::vector<std::string>& warnings) {
  const auto said = unit_named(raw.unit);
  if (!said && !raw.unit.empty() && !scan.unit)
    throw UserError(
        fmt::format("{} states the unit '{}', which is not known; give scan.unit (A, m or px)",
                    raw.name, raw.unit));
  const LengthUnit unit = scan.unit.value_or(LengthUnit::angstrom);
  if (!said || *said == unit) return unit;
  warnings.push_back(scan.unit
                         ? fmt::format("{} states the unit '{}', scan.unit is {}", raw.name,
                                       raw.unit, word_of(unit))
                         : fmt::format("{} states the unit '{}', which is taken for scan.unit",
                                       raw.name, raw.unit));
  return scan.unit ? unit : *said;
}

}  // namespace

std::vector<Position> positions_from(const RawPositions& raw, const ScanConfig& scan, i64 n,
                                     const std::string& frames, double pixel, bool pixel_units,
                                     std::vector<std::string>& warnings) {
  const auto is_pair = [&](i64 numbers) {  // or (x, y, z), as CXI's translation
    return numbers == 2 || (numbers == 3 && scan.order == PairOrder::x_y);
  };
  // Two rows of N numbers, as MATLAB's arrays of N rows lie in its files.
  const bool in_rows = raw.shape.size() == 2 && is_pair(raw.shape[0]) && raw.shape[1] == n &&
                       !(is_pair(raw.shape[1]) && raw.shape[0] == n);
  const i64 columns = raw.shape.empty() ? 0 : in_rows ? raw.shape[0] : raw.shape.back();
  if (raw.shape.size() < 2 || raw.shape.size() > 3 || !is_pair(columns))
    throw UserError(fmt::format("{} has the shape {}, (N, 2) or (slow, fast, 2) is needed",
                                raw.name, fmt::join(raw.shape, " x ")));
  const i64 count = static_cast<i64>(raw.values.size()) / columns;
  if (count != n)
    throw UserError(fmt::format(
        "{} has {} positions but {} has {} patterns: one position per pattern is needed{}",
        raw.name, count, frames, n, raw.others.empty() ? "" : "; scan.positions=" + raw.others));
  const LengthUnit unit = unit_of(raw, scan, warnings);
  if (pixel_units && unit != LengthUnit::pixel)
    throw UserError(fmt::format(
        "scan.unit is {} but there is no energy and no calibration: give them, or scan.unit: px",
        word_of(unit)));
  const double scale = angstroms_in(unit, pixel);
  std::vector<Position> positions(static_cast<std::size_t>(n));
  for (i64 i = 0; i < n; ++i) {
    const i64 at = in_rows ? i : i * columns, next = in_rows ? n : 1;
    const double a = raw.values[at] * scale, b = raw.values[at + next] * scale;
    if (!std::isfinite(a) || !std::isfinite(b))
      throw UserError(fmt::format("{} has no finite numbers for position {}", raw.name, i));
    positions[i] = scan.order == PairOrder::x_y ? Position{b, a} : Position{a, b};
  }
  return positions;
}

}  // namespace ptyle
