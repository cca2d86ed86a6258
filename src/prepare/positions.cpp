#include "prepare/positions.hpp"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "core/error.hpp"
#include "core/text.hpp"
#include "core/units.hpp"

namespace ptyle {

std::optional<LengthUnit> unit_named(const std::string& attribute) {
  const std::string u = lower_case(attribute);
  if (u == "å" || u == "Å" || u == "a" || u.starts_with("angstr") || u.starts_with("ångstr"))
    return LengthUnit::angstrom;
  if (u == "px" || u.find("pixel") != std::string::npos) return LengthUnit::pixel;
  if (u.starts_with("micron") || u == "µm" || u == "μm")  // the sign, and the letter
    return LengthUnit::micrometre;
  const std::pair<LengthUnit, const char*> metric[] = {{LengthUnit::metre, ""},
                                                       {LengthUnit::millimetre, "milli"},
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
    case LengthUnit::millimetre:
      return 1e7;
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
    throw UserError(fmt::format("{} states the unit '{}', which is not known; give scan.unit ({})",
                                raw.name, raw.unit, fmt::join(words_of<LengthUnit>(), ", ")));
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

Pairs pairs_in(const RawPositions& raw, PairOrder order, i64 patterns) {
  const auto is_pair = [&](i64 numbers) {  // or (x, y, z), as CXI's translation
    return numbers == 2 || (numbers == 3 && order == PairOrder::x_y);
  };
  const auto& shape = raw.shape;
  if (shape.size() < 2 || shape.size() > 3) return {};
  const i64 numbers = static_cast<i64>(raw.values.size());
  const bool in_rows = shape.size() == 2 && is_pair(shape[0]) && shape[1] == patterns &&
                       !(is_pair(shape[1]) && shape[0] == patterns);
  if (in_rows) return {shape[1], 1, shape[1]};
  return is_pair(shape.back()) ? Pairs{numbers / shape.back(), shape.back(), 1} : Pairs{};
}

std::vector<Position> positions_from(const RawPositions& raw, const ScanConfig& scan, i64 n,
                                     const std::string& frames, double pixel, bool pixel_units,
                                     std::vector<std::string>& warnings) {
  const Pairs pairs = pairs_in(raw, scan.order, n);
  if (pairs.count == 0)
    throw UserError(fmt::format("{} has the shape {}, (N, 2) or (slow, fast, 2) is needed",
                                raw.name, fmt::join(raw.shape, " x ")));
  if (pairs.count != n)
    throw UserError(fmt::format(
        "{} has {} positions but {} has {} patterns: one position per pattern is needed{}",
        raw.name, pairs.count, frames, n,
        raw.others.empty() ? "" : "; scan.positions=" + raw.others));
  const LengthUnit unit = unit_of(raw, scan, warnings);
  if (pixel_units && unit != LengthUnit::pixel)
    throw NotGiven(fmt::format(
        "scan.unit is {} but there is no energy and no calibration: give them, or scan.unit: px",
        word_of(unit)));
  const double scale = angstroms_in(unit, pixel);
  std::vector<Position> positions(static_cast<std::size_t>(n));
  for (i64 i = 0; i < n; ++i) {
    const i64 at = i * pairs.next;
    const double a = raw.values[at] * scale, b = raw.values[at + pairs.second] * scale;
    positions[i] = scan.order == PairOrder::x_y ? Position{b, a} : Position{a, b};
  }
  return positions;
}

}  // namespace ptyle
