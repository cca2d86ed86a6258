#include "simulate/recipe_checks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "core/error.hpp"
#include "core/text.hpp"
#include "physics/scattering.hpp"
#include "simulate/regions.hpp"
#include "simulate/streams.hpp"

namespace ptyle {
namespace {

// "Pb=0.85"
std::pair<int, double> named_value(const char* key, const std::string& text, double most) {
  const auto equal = text.find('=');
  const auto Z = atomic_number(std::string_view(text).substr(0, equal));
  const double value = equal == std::string::npos
                           ? -1
                           : number_of(std::string_view(text).substr(equal + 1)).value_or(-1);
  if (!Z || !(value >= 0 && value <= most))
    throw UserError(
        fmt::format("{}: \"{}\" is not an element and its value from 0 to {}, as in \"Pb={}\"", key,
                    text, most, most > 10 ? 0.85 : 0.1));
  return {*Z, value};
}

}  // namespace

std::vector<KeyFault> mismatches(const Recipe& r) {
  std::vector<KeyFault> all;
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
  if (r.thermal.motion == Motion::none && !(r.thermal.B.empty() && r.thermal.rms.empty()))
    all.push_back({"thermal.motion",
                   "is none, but thermal.B or thermal.rms is given; take debye_waller or "
                   "frozen_phonons"});
  if (1.0 * r.scan.shape[0] * r.scan.shape[1] > 1e8)
    all.push_back({"scan.shape", "more than 100 million positions"});
  if (1.0 * repeat[0] * repeat[1] * repeat[2] > 1e7)
    all.push_back({"specimen.repeat", "more than 10 million cells"});
  for (const auto& [key, jitter] :
       {std::pair{"scan.jitter", r.scan.jitter}, {"scan.line_jitter", r.scan.line_jitter}})
    if (jitter > std::max(r.scan.step[0], r.scan.step[1]))
      all.push_back({key, fmt::format("{} Å is more than a step", jitter)});
  for (const auto& text : r.specimen.regions) {
    Region region;
    if (auto wrong = read_region(text, region); !wrong.empty())
      all.push_back({"specimen.regions", wrong});
  }
  for (const auto& text : r.specimen.substitutions) {
    Substitution substitution;
    if (auto wrong = read_substitution(text, substitution); !wrong.empty())
      all.push_back({"specimen.substitutions", wrong});
  }
  if (std::ssize(r.specimen.substitutions) > most_substitutions)
    all.push_back({"specimen.substitutions", fmt::format("more than {}", most_substitutions)});
  return all;
}

void check_recipe(const Recipe& recipe) {
  check_limits(recipe);
  raise(mismatches(recipe));
}

std::map<int, double> thermal_factors(const ThermalRecipe& thermal, const std::set<int>& elements,
                                      const std::set<int>& possible) {
  std::map<int, double> B;
  if (thermal.motion == Motion::none) return B;
  const auto add = [&](const char* key, int Z, double value) {
    if (!possible.contains(Z))
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
                                  element_symbol(Z), word_of(thermal.motion)));
  return B;
}

}  // namespace ptyle
