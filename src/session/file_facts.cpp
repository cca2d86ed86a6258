// 1. An attribute's value: numbers, or texts that spell them.
// 2. One number is expected of most: several equal ones stand for it.
// 3. The number is inside the limits of the key that a user would give, or it is not taken.

#include "session/file_facts.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string_view>

#include "core/error.hpp"
#include "core/printable.hpp"
#include "core/text.hpp"
#include "session/config.hpp"
#include "session/file_dialects.hpp"
#include "session/keys.hpp"

namespace ptyle {
namespace {

/// The number that a text spells, with blanks around it or a plus before it.
std::optional<double> number_in(std::string_view text) {
  constexpr std::string_view blanks = " \t\n";
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  text = text.substr(first, text.find_last_not_of(blanks) - first + 1);
  if (text.starts_with('+')) text.remove_prefix(1);
  return number_of(text);
}

std::vector<double> numbers_of(const h5::Attribute& attribute) {
  std::vector<double> numbers = attribute.numbers;
  for (const std::string& text : attribute.texts) {
    const auto number = number_in(text);
    if (!number) return {};
    numbers.push_back(*number);
  }
  return numbers;
}

/// "0.2", "[0.2, 0.3]", "\"high\"", of a long list the first.
std::string shown(const h5::Attribute& attribute) {
  constexpr std::size_t most = 4, longest = 60;
  std::vector<std::string> values;
  for (const double number : attribute.numbers)
    if (values.size() <= most) values.push_back(fmt::format("{:.8g}", number));
  for (const std::string& text : attribute.texts)
    if (values.size() <= most) {
      const bool long_one = text.size() > longest;
      values.push_back(fmt::format(
          "\"{}{}\"", std::string_view(text).substr(0, long_one ? longest - 3 : longest),
          long_one ? "..." : ""));
    }
  if (values.empty()) return attribute.type.is_real() ? "empty" : h5::to_string(attribute.type);
  if (values.size() == 1) return printable(values.front());
  if (values.size() > most) values.back() = "...";
  return printable(fmt::format("[{}]", fmt::join(values, ", ")));
}

/// The one number that all of some are, but for rounding.
std::optional<double> one_of(const std::vector<double>& numbers) {
  if (numbers.empty()) return {};
  const double first = numbers.front();
  const bool equal = std::all_of(numbers.begin(), numbers.end(), [&](double v) {
    return v == first || std::abs(v - first) <= 1e-6 * std::abs(first);
  });
  return equal ? std::optional(first) : std::nullopt;
}

class FactReader {
 public:
  explicit FactReader(const h5::File& file) : file_(file) { keys(keys_, config_); }

  /// The first of the attributes that says what the key takes. The others have to agree.
  std::optional<double> number(const char* path, std::initializer_list<const char*> names) {
    const Key& key = key_of(path);
    std::optional<double> taken;
    for (const char* name : names) {
      const auto attribute = read(key, name);
      if (!attribute) continue;
      auto value = one_of(numbers_of(*attribute));
      if (value && !inside(*value, key.limits)) value = from_electronvolts(key, name, *value);
      if (!value || !std::isfinite(*value)) value = refused(key, name, *attribute);
      if (value && taken && one_of({*value, *taken}) == std::nullopt)
        reserve(
            key, name,
            fmt::format("is {:.8g} and is not taken, as another one says {:.8g}; give {} if that "
                        "is wrong",
                        *value, *taken, key.path));
      if (!taken) taken = value;
    }
    return taken;
  }

  /// Two numbers; where `or_one`, one stands for both.
  std::optional<std::array<double, 2>> pair(const char* path,
                                            std::initializer_list<const char*> names) {
    const Key& key = key_of(path);
    for (const char* name : names) {
      const auto attribute = read(key, name);
      if (!attribute) continue;
      const auto numbers = numbers_of(*attribute);
      const bool enough = numbers.size() == 2 || (numbers.size() == 1 && key.limits.or_one);
      const bool whole = std::holds_alternative<std::array<int, 2>*>(key.field);
      const bool good =
          enough && std::all_of(numbers.begin(), numbers.end(), [&](double v) {
            return std::isfinite(v) && inside(v, key.limits) &&
                   (!whole || (v == std::floor(v) && v <= std::numeric_limits<int>::max()));
          });
      if (good) return std::array{numbers.front(), numbers.back()};
      refused(key, name, *attribute);
    }
    return {};
  }

  /// The layout's value for this key, within its limits; else why it is not taken.
  std::vector<double> of_layout(const DialectFacts& layout, const char* path) {
    const auto found = layout.values.find(path);
    if (found == layout.values.end()) return {};
    const auto& [numbers, where] = found->second;
    const Key& key = key_of(path);
    const bool good = std::all_of(numbers.begin(), numbers.end(),
                                  [&](double v) { return inside(v, key.limits); });
    if (good) return numbers;
    if (numbers.size() == 1)
      if (const auto kV = kilovolts(key, numbers[0])) {
        reservations.push_back(
            {key.path, fmt::format("{} is {:.8g}{}", where, numbers[0], taken_as_eV(key, *kV))});
        return {*kV};
      }
    reservations.push_back(
        {key.path, fmt::format("{} is {:.8g} and is not taken, it must be {}; give {} instead",
                               where, fmt::join(numbers, ", "), expected(key), key.path)});
    return {};
  }

  std::vector<KeyFault> reservations;

 private:
  const Key& key_of(const char* path) const {
    for (const Key& key : keys_.all())
      if (key.path == path) return key;
    throw std::logic_error(fmt::format("there is no key {}", path));
  }

  std::optional<h5::Attribute> read(const Key& key, const char* name) {
    try {
      return file_.attribute("/", name);
    } catch (const UserError& error) {
      reservations.push_back({key.path, error.what()});
      return {};
    }
  }

  void reserve(const Key& key, const char* name, const std::string& what) {
    reservations.push_back(
        {key.path, fmt::format("the attribute '{}' of '{}' {}", name, file_.path(), what)});
  }

  std::nullopt_t refused(const Key& key, const char* name, const h5::Attribute& attribute) {
    reserve(key, name,
            fmt::format("is {} and is not taken, it must be {}; give {} instead", shown(attribute),
                        expected(key), key.path));
    return std::nullopt;
  }

  /// An accelerating voltage beyond the limits can only be in V; nothing where it is none, or would
  /// still be beyond them.
  static std::optional<double> kilovolts(const Key& key, double value) {
    if (key.path != "optics.energy" || value < key.limits.max || !inside(value / 1000, key.limits))
      return {};
    return value / 1000;
  }
  static std::string taken_as_eV(const Key& key, double kV) {
    return fmt::format(
        ": beyond {:g} kV it can only be in eV, and is taken as {:.8g} kV; give {} if that is "
        "wrong",
        key.limits.max, kV, key.path);
  }

  std::optional<double> from_electronvolts(const Key& key, const char* name, double value) {
    const auto kV = kilovolts(key, value);
    if (kV) reserve(key, name, fmt::format("is {:.8g}{}", value, taken_as_eV(key, *kV)));
    return kV;
  }

  const h5::File& file_;
  ReconstructConfig config_;
  Keys keys_;
};

/// Facts that the layout states where no attribute of the root group does.
void add_layout(FactReader& reader, const DialectFacts& layout, StatedFacts& stated) {
  FileFacts& f = stated.facts;
  const auto take = [&](std::optional<double>& to, const char* key) {
    const auto numbers = reader.of_layout(layout, key);
    if (to || numbers.size() != 1) return;
    to = numbers[0];
    f.where[key] = layout.values.at(key).where;
  };
  if (!f.pixel_size) {
    take(f.dk, "calibration.dk");
    take(f.mrad_per_pixel, "calibration.mrad_per_pixel");
  }
  take(f.energy, "optics.energy");
  if (!f.energy) take(f.xray_energy, "optics.xray_energy");
  take(f.semi_angle, "optics.semi_angle");
  if (const auto step = reader.of_layout(layout, "scan.step");
      step.size() == 2 && f.scan_step[0] == 0) {
    f.scan_step = {step[0], step[1]};
    f.where["scan.step"] = layout.values.at("scan.step").where;
  }
  stated.notes = layout.notes;
  stated.positions = layout.positions;
  stated.mask = layout.mask;
  stated.probe = layout.probe;
}

/// A doubt where the file states the shape that its dataset would have with the scan's axes
/// exchanged.
std::optional<KeyFault> doubt_of_shape(const FileFacts& stated, const Frames& frames) {
  const auto lies = frames.scan_shape();
  const std::array<i64, 2> said = stated.scan_shape;
  if (frames.axes_said() || lies[0] == lies[1] || said[0] != lies[1] || said[1] != lies[0])
    return {};
  return KeyFault{
      "data.axes",
      fmt::format("the file's attribute scan_shape says {} x {}, and {} has {} x {}: is "
                  "the fast axis its first? Then data.axes=[x, y, ky, kx] reads it so",
                  said[0], said[1], frames.name(), lies[0], lies[1])};
}

}  // namespace

StatedFacts read_file_facts(const h5::File& file, const Frames* frames) {
  FactReader reader(file);
  StatedFacts stated;
  FileFacts& f = stated.facts;
  f.pixel_size =
      reader.number("calibration.pixel_size", {"pixel_size", "object_pixel_size_angstrom"});
  f.energy = reader.number("optics.energy", {"energy_kV"});
  f.semi_angle =
      reader.number("optics.semi_angle", {"semi_angle_mrad", "convergence_semiangle_mrad"});
  f.defocus = reader.number("optics.defocus", {"defocus_A", "defocus_angstrom"});
  f.scan_rotation = reader.number("scan.rotation", {"scan_rotation_deg"});
  f.band_limit = reader.number("object.band_limit", {"band_limit"});
  f.dk = reader.number("calibration.dk", {"dk_inv_A"});
  f.mrad_per_pixel = reader.number("calibration.mrad_per_pixel", {"mrad_per_pixel"});
  if (const auto step = reader.pair("scan.step", {"scan_step_A", "scan_step_angstrom"}))
    f.scan_step = *step;
  if (const auto shape = reader.pair("data.scan_shape", {"scan_shape"}))
    f.scan_shape = {static_cast<i64>((*shape)[0]), static_cast<i64>((*shape)[1])};
  if (frames) add_layout(reader, dialect_facts(file, *frames), stated);
  stated.reservations = std::move(reader.reservations);
  if (frames)
    if (auto doubt = doubt_of_shape(f, *frames)) stated.reservations.push_back(std::move(*doubt));
  return stated;
}

std::vector<std::string> warnings_of(const StatedFacts& stated,
                                     const CalibrationConfig& calibration, const ScanConfig& scan,
                                     const OpticsConfig& optics, bool positions, bool shape) {
  const FileFacts& f = stated.facts;
  const bool calibrated = !keys_given(calibration).empty();
  const bool stepped = scan.gives_step();
  const auto needed = [&](const std::string& key) {
    if (key == "calibration.pixel_size") return !calibrated;
    if (key == "optics.energy") return optics.energy == 0 && optics.xray_energy == 0;
    if (key == "optics.semi_angle") return optics.semi_angle == 0;
    if (key == "optics.defocus") return !optics.defocus;
    if (key == "scan.step") return !positions && !stepped;
    if (key == "scan.rotation") return !positions && !stepped && !scan.rotation;
    if (key == "data.scan_shape") return !positions && !shape;
    return true;
  };
  std::vector<std::string> warnings;
  for (const auto& [key, text] : stated.reservations)
    if (needed(key)) warnings.push_back(text);
  const bool other_beam = optics.energy > 0 && f.energy && *f.energy != optics.energy;
  const bool angle = f.semi_angle && optics.semi_angle == 0, defocus = f.defocus && !optics.defocus;
  if (other_beam && (angle || defocus))
    warnings.push_back(fmt::format(
        "optics.energy is {:.6g} kV, the file's attributes say {:.6g} kV: their {} not taken",
        optics.energy, *f.energy,
        angle && defocus ? "semi-angle and defocus are"
        : angle          ? "semi-angle is"
                         : "defocus is"));
  return warnings;
}

}  // namespace ptyle
