#include "simulate/regions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "core/error.hpp"
#include "core/units.hpp"
#include "physics/scattering.hpp"
#include "simulate/streams.hpp"

namespace ptyle {
namespace {

double along(const Vector3& normal, const Vector3& from, const Vector3& to) {
  return normal[0] * (to[0] - from[0]) + normal[1] * (to[1] - from[1]) +
         normal[2] * (to[2] - from[2]);
}

Vector3 place(const SpecimenAtom& a) { return {a.col, a.row, a.z}; }

Vector3 sum(const Vector3& a, const Vector3& b) { return {a[0] + b[0], a[1] + b[1], a[2] + b[2]}; }

// ---- texts

struct Word {
  std::string name, value;
};

/// "name=value name=(a b c)"; nothing where it is not that.
std::optional<std::vector<Word>> words_of(const std::string& text) {
  std::vector<Word> words;
  std::size_t i = 0;
  while ((i = text.find_first_not_of(' ', i)) != std::string::npos) {
    const auto equal = text.find('=', i);
    if (equal == std::string::npos) return {};
    const bool list = equal + 1 < text.size() && text[equal + 1] == '(';
    const auto end = text.find(list ? ')' : ' ', equal);
    if (list && end == std::string::npos) return {};
    const auto from = equal + (list ? 2 : 1), to = std::min(end, text.size());
    words.push_back({text.substr(i, equal - i), text.substr(from, to - from)});
    i = list ? end + 1 : to;
  }
  return words;
}

/// Numbers separated by blanks; none where one of them is no finite number.
std::vector<double> numbers_of(const std::string& text) {
  std::vector<double> numbers;
  const char *at = text.data(), *end = at + text.size();
  for (;;) {
    while (at != end && *at == ' ') ++at;
    if (at == end) return numbers;
    double value = 0;
    const auto read = std::from_chars(at, end, value);
    if (read.ec != std::errc() || !std::isfinite(value) || (read.ptr != end && *read.ptr != ' '))
      return {};
    numbers.push_back(value);
    at = read.ptr;
  }
}

/// (row, col) or (row, col, z) as x y z.
Vector3 point(const std::vector<double>& numbers) {
  return {numbers[1], numbers[0], numbers.size() > 2 ? numbers[2] : 0};
}

/// The words of a text by their names, each of the numbers that it has to have.
struct Wanted {
  std::size_t least = 1, most = 1;
  double min = -1e6, max = 1e6;
};

std::string read_words(const std::vector<Word>& words, const std::map<std::string, Wanted>& wanted,
                       std::map<std::string, std::vector<double>>& found) {
  for (const auto& [name, value] : words) {
    const auto at = wanted.find(name);
    if (at == wanted.end()) return fmt::format("there is no \"{}\"", name);
    const auto& [least, most, min, max] = at->second;
    const auto numbers = numbers_of(value);
    if (numbers.size() < least || numbers.size() > most) {
      const auto count =
          least == most ? std::to_string(most) : fmt::format("{} or {}", least, most);
      return fmt::format("{} must be {} number{}", name, count, most > 1 ? "s" : "");
    }
    for (const double number : numbers)
      if (number < min || number > max)
        return fmt::format("{} must be from {} to {}", name, min, max);
    if (!found.emplace(name, numbers).second) return fmt::format("{} is given twice", name);
  }
  return {};
}

// ---- atoms

/// The last region that holds a point, from 1 on; 0: none.
int region_of(const Vector3& at, const std::vector<Region>& regions, const Vector3& origin) {
  for (std::size_t k = regions.size(); k > 0; --k)
    if (along(regions[k - 1].normal, sum(regions[k - 1].at, origin), at) > 0)
      return static_cast<int>(k);
  return 0;
}

Structure moved(Structure structure, const Region& region, const Vector3& origin) {
  const double c = std::cos(region.turn), s = std::sin(region.turn);
  const Vector3 centre = sum(region.at, origin);
  const auto turned = [&](const Vector3& v) {
    return Vector3{c * v[0] - s * v[1], s * v[0] + c * v[1], v[2]};
  };
  for (auto& v : structure.lattice) v = turned(v);
  for (auto& site : structure.sites) {
    const Vector3 from{site.at[0] - centre[0], site.at[1] - centre[1], site.at[2]};
    site.at = sum(sum(turned(from), {centre[0], centre[1], 0}), region.shift);
  }
  return structure;
}

/// Atoms (those marked) that lie nearer to one of an earlier region than closest_atoms.
std::vector<bool> too_close(const std::vector<SpecimenAtom>& atoms, const std::vector<int>& region,
                            const std::vector<Region>& regions, const Vector3& origin) {
  using Key = std::array<i64, 3>;
  std::map<Key, std::vector<std::size_t>> cells;  // of closest_atoms a side, along boundaries
  const auto cell_of = [](const Vector3& at) {
    Key key{};
    for (std::size_t d = 0; d < 3; ++d)
      key[d] = static_cast<i64>(std::floor(at[d] / closest_atoms));
    return key;
  };
  for (std::size_t i = 0; i < atoms.size(); ++i)
    if (std::any_of(regions.begin(), regions.end(), [&](const Region& r) {
          return std::abs(along(r.normal, sum(r.at, origin), place(atoms[i]))) < closest_atoms;
        }))
      cells[cell_of(place(atoms[i]))].push_back(i);
  std::vector<bool> close(atoms.size());
  for (const auto& [key, members] : cells)
    for (int n = 0; n < 27; ++n) {
      const auto other =
          cells.find({key[0] + n % 3 - 1, key[1] + n / 3 % 3 - 1, key[2] + n / 9 - 1});
      if (other == cells.end()) continue;
      for (const std::size_t i : members)
        for (const std::size_t j : other->second)
          if (region[i] > region[j] &&
              std::hypot(atoms[i].row - atoms[j].row, atoms[i].col - atoms[j].col,
                         atoms[i].z - atoms[j].z) < closest_atoms)
            close[i] = true;
    }
  return close;
}

}  // namespace

std::string read_region(const std::string& text, Region& region) {
  const auto words = words_of(text);
  std::map<std::string, std::vector<double>> found;
  std::string wrong = words ? read_words(*words,
                                         {{"at", {2, 3}},
                                          {"direction", {1, 1, -360, 360}},
                                          {"inclination", {1, 1, -89, 89}},
                                          {"turn", {1, 1, -360, 360}},
                                          {"shift", {2, 3}}},
                                         found)
                            : "it is not a list of name=value";
  if (wrong.empty() && !found.contains("at")) wrong = "at=(row col z) is missing";
  if (wrong.empty() && !found.contains("turn") && !found.contains("shift"))
    wrong = "turn or shift is missing";
  if (!wrong.empty())
    return fmt::format(
        "\"{}\": {}; it must read as \"at=(0 0 40) direction=30 inclination=10 turn=1.5 "
        "shift=(0 0 0)\"",
        text, wrong);
  const auto number = [&](const char* name) {
    const auto at = found.find(name);
    return at == found.end() ? 0 : at->second.front() * degree;
  };
  const double azimuth = number("direction"), inclination = number("inclination");
  region = {point(found["at"]),
            {std::cos(inclination) * std::cos(azimuth), std::cos(inclination) * std::sin(azimuth),
             std::sin(inclination)},
            number("turn"),
            found.contains("shift") ? point(found["shift"]) : Vector3{},
            text};
  return {};
}

std::string read_substitution(const std::string& text, Substitution& substitution) {
  auto words = words_of(text);
  std::map<std::string, std::vector<double>> found;
  std::string wrong = "it is not a list of name=value";
  if (words && !words->empty()) {
    const auto from = atomic_number(words->front().name), to = atomic_number(words->front().value);
    if (from && to) {
      substitution.from = *from, substitution.to = *to;
      words->erase(words->begin());
      wrong = read_words(
          *words, {{"at", {2, 3}}, {"radius", {1, 1, 0, 1e6}}, {"share", {1, 1, 0, 1}}}, found);
    } else {
      wrong = "it must begin with two elements";
    }
  }
  if (wrong.empty() && !found.contains("at")) wrong = "at=(row col z) is missing";
  if (wrong.empty() && !found.contains("radius")) wrong = "radius is missing";
  if (!wrong.empty())
    return fmt::format("\"{}\": {}; it must read as \"Sr=Ba share=0.6 at=(0 0 40) radius=9\"", text,
                       wrong);
  substitution.share = found.contains("share") ? found["share"].front() : 1;
  substitution.at = point(found["at"]);
  substitution.cylinder = found["at"].size() == 2;
  substitution.radius = found["radius"].front();
  substitution.text = text;
  return {};
}

std::vector<SpecimenAtom> fill(const Structure& structure, const SpecimenBox& box,
                               const std::vector<Region>& regions, const Vector3& origin) {
  std::vector<SpecimenAtom> atoms;
  std::vector<int> region;
  for (std::size_t k = 0; k <= regions.size(); ++k)
    for (const SpecimenAtom& atom :
         fill(k == 0 ? structure : moved(structure, regions[k - 1], origin), box))
      if (region_of(place(atom), regions, origin) == static_cast<int>(k)) {
        atoms.push_back(atom);
        region.push_back(static_cast<int>(k));
      }
  if (regions.empty()) return atoms;
  for (std::size_t k = 1; k <= regions.size(); ++k)
    if (std::find(region.begin(), region.end(), static_cast<int>(k)) == region.end())
      throw UserError(fmt::format(
          "specimen.regions: \"{}\" holds no atom; at=(row col z) counts, in Å, from the "
          "scan's middle and from the entrance, and a later region takes what it holds",
          regions[k - 1].text));
  const auto close = too_close(atoms, region, regions, origin);
  std::vector<SpecimenAtom> left;
  for (std::size_t i = 0; i < atoms.size(); ++i)
    if (!close[i]) left.push_back(atoms[i]);
  return left;
}

void substitute(std::vector<SpecimenAtom>& atoms, const std::vector<Substitution>& substitutions,
                const Vector3& origin, std::uint64_t seed) {
  for (std::size_t k = 0; k < substitutions.size(); ++k) {
    const Substitution& s = substitutions[k];
    const Vector3 at = sum(s.at, origin);
    bool any = false;
    for (std::size_t i = 0; i < atoms.size(); ++i) {
      SpecimenAtom& atom = atoms[i];
      const double depth = s.cylinder ? 0 : atom.z - at[2];
      if (atom.Z != s.from || std::hypot(atom.col - at[0], atom.row - at[1], depth) > s.radius)
        continue;
      any = true;
      if (Philox(seed, substitution_stream + static_cast<std::uint32_t>(k), i).uniform() < s.share)
        atom.Z = s.to;
    }
    if (!any)
      throw UserError(fmt::format(
          "specimen.substitutions: \"{}\" finds no {} inside its radius; at=(row col z) counts, in "
          "Å, from the scan's middle and from the entrance",
          s.text, element_symbol(s.from)));
  }
}

}  // namespace ptyle
