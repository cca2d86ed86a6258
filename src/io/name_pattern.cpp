#include "io/name_pattern.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "core/error.hpp"

namespace fs = std::filesystem;

namespace ptyle {
namespace {

bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

/// The end of the digits that begin at `from`.
std::size_t end_of_number(std::string_view text, std::size_t from) {
  while (from < text.size() && is_digit(text[from])) ++from;
  return from;
}

/// The digits without leading zeros: the longer, then the later, is the larger.
std::string_view significant(std::string_view digits) {
  while (digits.size() > 1 && digits.front() == '0') digits.remove_prefix(1);
  return digits;
}

/// The text in the place of the pattern's only '*'; empty: none, or there are several.
std::string at_star(const std::string& pattern, const std::string& name) {
  const auto star = pattern.find('*');
  if (star == std::string::npos || pattern.find('*', star + 1) != std::string::npos) return "";
  if (name.size() < pattern.size() || !matches(pattern, name)) return "";
  return name.substr(star, name.size() - pattern.size() + 1);
}

}  // namespace

bool has_star(std::string_view pattern) { return pattern.find('*') != std::string_view::npos; }

bool matches(std::string_view pattern, std::string_view name) {
  const auto star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == name;
  if (!name.starts_with(pattern.substr(0, star))) return false;
  const auto rest = pattern.substr(star + 1);
  for (std::size_t from = star; from <= name.size(); ++from)
    if (matches(rest, name.substr(from))) return true;
  return false;
}

bool natural_less(const std::string& a, const std::string& b) {
  std::size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (is_digit(a[i]) && is_digit(b[j])) {
      const auto i_end = end_of_number(a, i), j_end = end_of_number(b, j);
      const auto x = significant(std::string_view(a).substr(i, i_end - i)),
                 y = significant(std::string_view(b).substr(j, j_end - j));
      if (x.size() != y.size()) return x.size() < y.size();
      if (x != y) return x < y;
      i = i_end, j = j_end;
    } else {
      if (a[i] != b[j]) return a[i] < b[j];
      ++i, ++j;
    }
  }
  return a.size() - i != b.size() - j ? a.size() - i < b.size() - j : a < b;
}

std::optional<i64> number_at_star(const std::string& pattern, const std::string& name) {
  const std::string text = at_star(pattern, name);
  if (text.empty() || text.size() > 18 || end_of_number(text, 0) != text.size()) return {};
  return std::stoll(text);
}

std::vector<std::string> in_order(const std::string& pattern, std::vector<std::string> names) {
  std::vector<std::string> numbered;
  for (const auto& name : names)
    if (number_at_star(pattern, name)) numbered.push_back(name);
  if (!numbered.empty()) names = std::move(numbered);
  std::sort(names.begin(), names.end(), natural_less);
  return names;
}

std::optional<std::string> missing_between(const std::string& pattern,
                                           std::span<const std::string> names) {
  std::vector<i64> numbers;
  for (const auto& name : names) {
    const auto number = number_at_star(pattern, name);
    if (!number) return {};
    numbers.push_back(*number);
  }
  const std::size_t n = numbers.size();
  const auto step = [&](std::size_t i) { return numbers[i + 1] - numbers[i]; };
  bool even = n >= 4;
  for (std::size_t i = 0; even && i + 1 < n; ++i) even = step(i) == step(0);
  for (std::size_t i = 0; !even && i + 1 < n; ++i)
    if (step(i) > 1) {
      const std::string digits = at_star(pattern, names[i]);
      const bool padded = digits.size() > 1 && digits.front() == '0';
      const std::string number = padded ? fmt::format("{:0{}}", numbers[i] + 1, digits.size())
                                        : fmt::format("{}", numbers[i] + 1);
      return std::string(pattern).replace(pattern.find('*'), 1, number);
    }
  return {};
}

std::vector<std::string> patterns_of(const std::string& name) {
  std::vector<std::string> all;
  for (std::size_t i = 0; i < name.size();) {
    const auto end = end_of_number(name, i);
    if (end > i) all.push_back(name.substr(0, i) + "*" + name.substr(end));
    i = std::max(end, i + 1);
  }
  return all;
}

std::string short_list(std::span<const std::string> names) {
  constexpr std::size_t most = 8;
  const std::string list =
      fmt::format("{}", fmt::join(names.first(std::min(most, names.size())), ", "));
  return names.size() <= most ? list : fmt::format("{} and {} more", list, names.size() - most);
}

std::vector<std::string> data_files(const std::string& name) {
  std::error_code error;
  const fs::path path(name);
  const std::string pattern = path.filename().string();
  if (!has_star(pattern) || fs::exists(path, error)) return {name};
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  std::vector<std::string> files;
  for (fs::directory_iterator one(folder, error), end; !error && one != end; one.increment(error))
    if (matches(pattern, one->path().filename().string()) && one->is_regular_file(error))
      files.push_back(one->path().filename().string());
  if (files.empty())
    throw UserError(
        fmt::format("no file is called as '{}' says, where * stands for any letters", name));
  files = in_order(pattern, std::move(files));
  if (const auto missing = missing_between(pattern, files))
    throw UserError(fmt::format("file '{}' is missing between those that '{}' names",
                                (path.parent_path() / *missing).string(), name));
  for (auto& file : files) file = (path.parent_path() / file).string();
  return files;
}

std::string first_data_file(const std::string& name) {
  if (!has_star(name)) return name;
  try {
    return data_files(name).front();
  } catch (const UserError&) {
    return name;
  }
}

}  // namespace ptyle
