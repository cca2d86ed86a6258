#include "io/series.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "core/error.hpp"
#include "io/name_pattern.hpp"

namespace ptyle {
namespace {

using h5::DatasetInfo;

bool may_be_patterns(const DatasetInfo& info) {
  return (info.shape.size() == 3 || info.shape.size() == 4) && info.type.is_real();
}

/// A scan line or a part of a scan, not a scan of its own.
bool may_be_part(const DatasetInfo& info) {
  return info.type.is_real() && (info.shape.size() == 2 || info.shape.size() == 3);
}

/// A dataset of a result (io/result.hpp), if the file is one.
bool may_be_of_result(const DatasetInfo& info) {
  for (const char* part : {"/object/", "/states/", "/probe", "/variable_probe/", "/detector/",
                           "/shown/", "/history/", "/ranks/", "/left_out/", "/held_out/"})
    if (info.path.starts_with(part)) return true;
  return false;
}

constexpr const char* object_of_result = "/object/phase";

/// The datasets among which patterns are looked for.
std::vector<DatasetInfo> candidates(const h5::File& file) {
  std::vector<DatasetInfo> all = file.datasets();
  if (file.has_dataset(object_of_result)) std::erase_if(all, may_be_of_result);
  return all;
}

/// The dataset of a known layout; nothing where there is none.
std::optional<DatasetInfo> known_patterns(const h5::File& file) {
  for (const char* known :
       {"/patterns", "/data", "/dp", "/datacube_root/datacube/data", "/entry_1/data_1/data"})
    if (file.has_dataset(known) && may_be_patterns(file.info(known))) return file.info(known);
  return {};
}

std::string described(const DatasetInfo& info) {
  return fmt::format("{} ({}, {})", info.path, h5::to_string(info.shape), h5::to_string(info.type));
}

/// The paths that fit a pattern, links that lead nowhere among them.
std::vector<std::string> paths_of(const h5::File& file, const std::string& pattern) {
  std::vector<std::string> paths{""};
  for (std::size_t from = pattern.find_first_not_of('/'); from < pattern.size();) {
    const auto end = std::min(pattern.find('/', from), pattern.size());
    const std::string part = pattern.substr(from, end - from);
    std::vector<std::string> next;
    for (const auto& path : paths) {
      if (!has_star(part)) next.push_back(path + "/" + part);
      for (const auto& name : has_star(part) ? file.names(path) : std::vector<std::string>{})
        if (matches(part, name)) next.push_back(path + "/" + name);
    }
    paths = std::move(next);
    from = std::min(pattern.find_first_not_of('/', end), pattern.size());
  }
  return in_order(pattern, std::move(paths));
}

/// The largest series of `all` whose members differ in one number of their paths alone.
std::optional<Series> largest_series(const std::vector<DatasetInfo>& all) {
  using Group = std::tuple<std::string, std::size_t, i64, i64, h5::Kind, int>;
  std::map<Group, Series> groups;
  for (const auto& one : all) {
    if (!may_be_part(one)) continue;
    for (const auto& pattern : patterns_of(one.path)) {
      auto& series = groups[{pattern, one.shape.size(), *(one.shape.end() - 2), one.shape.back(),
                             one.type.kind, one.type.bytes}];
      series.pattern = pattern;
      series.members.push_back(one);
    }
  }
  std::optional<Series> best;
  i64 most = 0;
  for (auto& [group, series] : groups) {
    const std::size_t fewest = std::get<1>(group) == 2 ? 4 : 2;
    i64 size = 0;
    for (const auto& one : series.members) size += one.size();
    if (series.members.size() < fewest || size <= most) continue;
    most = size;
    best = std::move(series);
  }
  return best;
}

/// A link that leads nowhere and differs from a dataset's path in one number alone is one of its
/// series: UserError.
void refuse_dead_links_beside(const h5::File& file, const std::string& path) {
  for (const auto& pattern : patterns_of(path))
    for (const auto& other : paths_of(file, pattern))
      if (number_at_star(pattern, other) && file.has(other) && !file.leads_somewhere(other))
        (void)file.dataset(other);
}

i64 total(const std::optional<Series>& series) {
  i64 size = 0;
  if (series)
    for (const auto& one : series->members) size += one.size();
  return size;
}

}  // namespace

bool same_frames(const DatasetInfo& a, const DatasetInfo& b) {
  return a.shape.size() == b.shape.size() && a.type == b.type && a.shape.size() >= 2 &&
         std::equal(a.shape.end() - 2, a.shape.end(), b.shape.end() - 2);
}

Series series_of(const h5::File& file, const std::string& name, const DatasetInfo* like) {
  const std::string pattern = name.starts_with('/') ? name : "/" + name;
  Series series{pattern, {}};
  std::vector<std::string> kept;
  const auto paths = paths_of(file, pattern);
  for (const auto& path : paths) {
    if (like && !file.has(path)) continue;
    if (!file.has(path) && !number_at_star(pattern, path) && paths.size() > 1) continue;
    if (like && file.leads_somewhere(path) && !file.has_dataset(path)) continue;
    const DatasetInfo info = file.info(path);  // refuses what leads nowhere
    if (like && !same_frames(info, *like)) continue;
    series.members.push_back(info);
    kept.push_back(path);
  }
  if (kept.empty())
    throw UserError(fmt::format("file '{}' has no datasets '{}', where * stands for any letters",
                                file.path(), pattern));
  if (const auto missing = missing_between(pattern, kept))
    throw UserError(fmt::format(
        "dataset '{}' in '{}' is {}: '{}' to '{}' are to be read as one", *missing, file.path(),
        file.has_dataset(*missing) ? described(file.info(*missing)) + ", unlike those beside it"
                                   : "missing",
        kept.front(), kept.back()));
  return series;
}

Series find_patterns(const h5::File& file) {
  if (const auto known = known_patterns(file)) return {known->path, {*known}};
  std::optional<DatasetInfo> largest;
  std::vector<std::string> there;
  const auto all = candidates(file);
  for (const auto& one : all) {
    there.push_back(described(one));
    if (may_be_patterns(one) && (!largest || one.size() > largest->size())) largest = one;
  }
  const auto series = largest_series(all);
  if (series && (!largest || total(series) > largest->size()))
    return series_of(file, series->pattern, &series->members.front());
  if (!largest) {
    if (const auto dead = file.dead_links(); !dead.empty()) (void)file.dataset(dead.front());
    if (file.has_dataset(object_of_result))
      throw UserError(fmt::format(
          "file '{}' is a result of a reconstruction, without patterns: give the measurement's",
          file.path()));
    throw UserError(
        fmt::format("file '{}' has no dataset of patterns, of shape (N, ky, kx) or (slow, fast, "
                    "ky, kx); it has {}",
                    file.path(), there.empty() ? "none at all" : short_list(there)));
  }
  refuse_dead_links_beside(file, largest->path);
  return {largest->path, {*largest}};
}

bool is_result(const h5::File& file) {
  if (!file.has_dataset(object_of_result) || known_patterns(file)) return false;
  const auto all = candidates(file);
  return std::none_of(all.begin(), all.end(), may_be_patterns) && !largest_series(all);
}

std::vector<Listed> listed(const std::vector<DatasetInfo>& all) {
  std::map<std::string, i64> sizes;
  for (const auto& one : all)
    for (const auto& pattern : patterns_of(one.path)) ++sizes[pattern];
  std::vector<Listed> list;
  std::map<std::string, bool> seen;
  for (const auto& one : all) {
    std::string widest;
    for (const auto& pattern : patterns_of(one.path))
      if (widest.empty() || sizes[pattern] > sizes[widest]) widest = pattern;
    if (widest.empty() || sizes[widest] <= 8)
      list.push_back({one, "", 0});
    else if (!std::exchange(seen[widest], true))
      list.push_back({one, widest, sizes[widest] - 1});
  }
  return list;
}

Others others_like(const h5::File& file, const DatasetInfo& one) {
  const auto alike = [&](const DatasetInfo& other) {  // the first axis is what they are read along
    return other.type == one.type && other.shape.size() == one.shape.size() && !one.shape.empty() &&
           std::equal(one.shape.begin() + 1, one.shape.end(), other.shape.begin() + 1);
  };
  for (const auto& pattern : patterns_of(one.path)) {
    Others others{pattern, 0};
    for (const auto& path : paths_of(file, pattern))
      if (path != one.path && number_at_star(pattern, path) && file.has_dataset(path) &&
          alike(file.info(path)))
        ++others.count;
    if (others.count > 0) return others;
  }
  return {};
}

}  // namespace ptyle
