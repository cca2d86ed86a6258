#include "prepare/selection.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <utility>

#include "core/error.hpp"
#include "core/raster.hpp"
#include "prepare/positions.hpp"

namespace ptyle {
namespace {

bool uses_positions(const Measurement& m) { return m.positions && !m.scan.gives_step(); }

/// As the file has them, whatever their unit and order.
std::vector<Position> unscaled(const Measurement& m) {
  const RawPositions& raw = *m.positions;
  const Pairs pairs = pairs_in(raw, m.scan.order, m.frames->count);
  std::vector<Position> all;
  for (i64 i = 0; i < pairs.count; ++i)
    all.push_back({raw.values[static_cast<std::size_t>(i * pairs.next)],
                   raw.values[static_cast<std::size_t>(i * pairs.next + pairs.second)]});
  return all;
}

/// (slow, fast) of the scan, without flyback; 0 where nobody says it.
std::array<i64, 2> lines_of(const Measurement& m) {
  const std::array<i64, 2> said{m.data.scan_shape[0], m.data.scan_shape[1]};
  std::array<i64, 2> lines = m.frames->scan_shape;
  // A dataset of four axes of which one is 1 has no scan of its own.
  if (lines[0] == 0 || (said[0] > 0 && (lines[0] == 1 || lines[1] == 1)))
    return said[0] > 0 ? said : m.file.scan_shape;
  if (lines[1] <= m.data.flyback)
    throw UserError(fmt::format("data.flyback of {} leaves nothing of the lines of {} frames of {}",
                                m.data.flyback, lines[1], m.frames->name));
  lines[1] -= m.data.flyback;
  if (said[0] > 0 && said != lines)
    throw UserError(fmt::format(
        "data.scan_shape says {} x {} positions, but {} has {} x {} of its own; leave the key out, "
        "or say by data.axes which axis is which",
        said[0], said[1], m.frames->name, lines[0], lines[1]));
  return lines;
}

/// The ways out where there are more frames than positions, as far as the numbers suggest one.
std::string remedy_for_more(i64 frames, i64 positions, const std::array<i64, 2>& lines) {
  const i64 more = frames - positions;
  if (lines[1] > 0 && more >= lines[1] && frames % lines[1] == 0 && more % lines[0] != 0)
    return fmt::format("; data.scan_shape=[{},{}] is of as many", frames / lines[1], lines[1]);
  if (lines[0] > 1 && positions == lines[0] * lines[1] && more % lines[0] == 0)
    return fmt::format(
        "; if every line ends with {} frame{} of the beam's way back, data.flyback={} leaves them "
        "out",
        more / lines[0], more == lines[0] ? "" : "s", more / lines[0]);
  return fmt::format(
      "; data.frame_offset={} leaves the first {} out, data.skip=[{}] the last", more,
      more == 1 ? "one" : std::to_string(more),
      more == 1 ? std::to_string(positions) : fmt::format("{}-{}", positions, frames - 1));
}

std::string remedy_for_fewer(i64 frames, i64 positions, const std::array<i64, 2>& lines) {
  if (lines[1] < 1 || positions != lines[0] * lines[1]) return "";
  return fmt::format("; if it ended early, give data.scan_shape=[{},{}], the lines that were begun",
                     (frames + lines[1] - 1) / lines[1], lines[1]);
}

[[noreturn]] void refuse_numbers(const Measurement& m, i64 frames, i64 positions,
                                 const std::array<i64, 2>& lines) {
  const std::string scan =
      uses_positions(m)
          ? fmt::format("{} has {} positions", m.positions->name, positions)
          : fmt::format("a scan of {} x {} is {} positions", lines[0], lines[1], positions);
  const std::string remedy = uses_positions(m) && !m.positions->others.empty()
                                 ? "; scan.positions=" + m.positions->others
                             : frames > positions ? remedy_for_more(frames, positions, lines)
                                                  : remedy_for_fewer(frames, positions, lines);
  throw UserError(fmt::format("{} but {} has {} patterns{}", scan, m.frames->name, frames, remedy));
}

/// Refuses all of the numbers and ranges that are none of so many patterns.
void refuse_beyond(const std::vector<std::string>& numbers, i64 count, const std::string& frames) {
  constexpr std::size_t most = 8;
  if (numbers.empty()) return;
  const std::size_t told = std::min(most, numbers.size());
  throw UserError(fmt::format(
      "data.skip: {}{} {} not among the {} patterns of {}; numbers are 0 to {}",
      fmt::join(numbers.begin(), numbers.begin() + static_cast<std::ptrdiff_t>(told), ", "),
      numbers.size() > told ? fmt::format(" and {} more", numbers.size() - told) : "",
      numbers.size() == 1 ? "is" : "are", count, frames, count - 1));
}

/// Numbers that data.skip names, among so many.
std::vector<bool> skipped(const Measurement& m, i64 count) {
  std::vector<bool> skip(static_cast<std::size_t>(count), false);
  std::vector<std::string> beyond;
  for (const std::string& text : m.data.skip) {
    if (m.skipped) break;
    const auto [first, last] = range_of(text);
    if (last >= count)
      beyond.push_back(text);
    else
      std::fill(skip.begin() + first, skip.begin() + last + 1, true);
  }
  refuse_beyond(beyond, count, m.frames->name);
  if (!m.skipped) return skip;
  const RawSkip& given = *m.skipped;
  const auto& values = given.values;
  const bool of_all = static_cast<i64>(values.size()) == count;
  const bool of_lines = given.shape.size() < 2 || m.frames->scan_shape[0] == 0 ||
                        given.shape[0] == m.frames->scan_shape[0];
  if ((given.shape.size() > 1 && !of_all) || !of_lines)
    throw UserError(
        fmt::format("data.skip: {} has the shape {}; a mask has one value for each of the {} "
                    "patterns, not 0: left out",
                    given.name, fmt::join(given.shape, " x "), count));
  std::set<double> seen;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (of_all) {
      skip[i] = values[i] != 0;
      continue;
    }
    if (values[i] != std::floor(values[i]))
      throw UserError(
          fmt::format("data.skip: {} of {} is no whole number; patterns are numbered from 0",
                      values[i], given.name));
    if (!(values[i] >= 0 && values[i] < static_cast<double>(count))) {
      beyond.push_back(fmt::format("{:.0f}", values[i]));
      continue;
    }
    if (!seen.insert(values[i]).second)
      throw UserError(fmt::format(
          "data.skip: {} names pattern {:g} twice; is it a mask? That would have {} values",
          given.name, values[i], count));
    skip[static_cast<std::size_t>(values[i])] = true;
  }
  refuse_beyond(beyond, count, fmt::format("{}, which {} names", m.frames->name, given.name));
  return skip;
}

std::vector<i64> numbers_of(const std::vector<bool>& chosen) {
  std::vector<i64> numbers;
  for (std::size_t p = 0; p < chosen.size(); ++p)
    if (chosen[p]) numbers.push_back(static_cast<i64>(p));
  return numbers;
}

/// Is position p among data.positions = [first, last) or [first, last, stride]?
struct Chosen {
  i64 first = 0, last = 0, stride = 1;
  [[nodiscard]] bool operator()(i64 p) const {
    return p >= first && p < last && (p - first) % stride == 0;
  }
};

/// The positions that are chosen of `count` patterns, of a scan of so many positions.
Chosen chosen(const Measurement& m, i64 count, i64 scan) {
  const auto& p = m.data.positions;
  const Chosen c{p.empty() ? 0 : p[0], p.size() > 1 ? p[1] : scan, p.size() > 2 ? p[2] : 1};
  if (p.empty()) return c;
  if (p.size() == 1 || p.size() > 3 || c.first < 0 || c.stride < 1 || c.last > count ||
      (c.first >= c.last && count > 0))
    throw UserError(fmt::format(
        "data.positions [{}] is no part of the {} {}: [first, last, stride] is needed, last not "
        "included",
        fmt::join(p, ", "), count,
        count == m.frames->count ? "patterns of " + m.frames->name
                                 : std::string("positions of the scan, which are numbered from 0 "
                                               "whatever data.frame_offset and data.flyback say")));
  return c;
}

/// The size of the scan's median step along its densest half, in the positions' unit; 0 for a
/// single place.
double pitch_of(const std::vector<Position>& positions, const std::vector<i64>& finite) {
  std::vector<double> rows, cols;
  for (const i64 i : finite) {
    rows.push_back(positions[static_cast<std::size_t>(i)].row);
    cols.push_back(positions[static_cast<std::size_t>(i)].col);
  }
  const auto middle_half = [](std::vector<double>& values) {
    std::sort(values.begin(), values.end());
    return values[3 * values.size() / 4] - values[values.size() / 4];
  };
  const auto n = static_cast<double>(finite.size());
  const double height = middle_half(rows), width = middle_half(cols);
  // A quarter of a raster's positions lie in the middle half of both; a half of a line's.
  return std::max(std::sqrt(height * width / (n / 4)), std::max(height, width) / (n / 2));
}

bool is_finite(const Position& at) { return std::isfinite(at.row) && std::isfinite(at.col); }

using Cell = std::pair<i64, i64>;

/// Cells that touch each other, from `start` on; they are taken out of `cells`.
std::vector<i64> connected(std::map<Cell, std::vector<i64>>& cells, const Cell& start) {
  std::vector<Cell> ahead{start};
  std::vector<i64> members;
  while (!ahead.empty()) {
    const Cell at = ahead.back();
    ahead.pop_back();
    const auto found = cells.find(at);
    if (found == cells.end()) continue;
    members.insert(members.end(), found->second.begin(), found->second.end());
    cells.erase(found);
    for (i64 dy = -1; dy <= 1; ++dy)
      for (i64 dx = -1; dx <= 1; ++dx) ahead.emplace_back(at.first + dy, at.second + dx);
  }
  return members;
}

/// Different places among these.
std::size_t places_among(const std::vector<Position>& positions, const std::vector<i64>& members) {
  std::set<std::pair<double, double>> places;
  for (const i64 i : members)
    places.emplace(positions[static_cast<std::size_t>(i)].row,
                   positions[static_cast<std::size_t>(i)].col);
  return places.size();
}

/// Takes positions that are no place of this scan from the selection.
void leave_out_far_ones(const Measurement& m, Selection& s, std::vector<std::string>& warnings) {
  if (!uses_positions(m)) return;
  const auto all = unscaled(m);
  if (static_cast<i64>(all.size()) < s.scan) return;  // of another shape
  std::vector<Position> used;
  for (const i64 p : s.positions) used.push_back(all[static_cast<std::size_t>(p)]);
  std::vector<i64> far = far_positions(used), numbers, not_finite;
  const bool keep = m.data.outliers == Outliers::keep;
  if (keep) std::erase_if(far, [&](i64 i) { return is_finite(used[static_cast<std::size_t>(i)]); });
  if (far.empty()) return;
  for (const i64 i : far) numbers.push_back(s.positions[static_cast<std::size_t>(i)]);
  const std::string which =
      fmt::format("{} of the {} positions of {} (number{} {})", far.size(), used.size(),
                  m.positions->name, far.size() == 1 ? "" : "s", listed(numbers));
  if (keep)
    throw UserError(fmt::format("{} are no finite numbers: data.skip=[{}] leaves {} out", which,
                                listed(numbers), far.size() == 1 ? "it" : "them"));
  if (static_cast<double>(far.size()) > most_left_out * static_cast<double>(used.size()))
    throw UserError(
        fmt::format("{} are no finite numbers or lie far from all others: is it the right dataset, "
                    "in the right unit and order?",
                    which));
  warnings.push_back(fmt::format(
      "{} {} left out; data.outliers=keep keeps what is finite", which,
      far.size() == 1 ? "is not finite or lies far from all others: it and its pattern are"
                      : "are not finite or lie far from all others: they and their patterns are"));
  std::vector<bool> out(s.positions.size(), false);
  for (const i64 i : far) out[static_cast<std::size_t>(i)] = true;
  Selection left = s;
  left.positions.clear(), left.frames.clear();
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (out[i]) {
      left.skipped.push_back(s.positions[i]);
      left.left_out.push_back(s.positions[i]);
      continue;
    }
    left.positions.push_back(s.positions[i]);
    left.frames.push_back(s.frames[i]);
  }
  for (auto* numbers : {&left.skipped, &left.left_out}) std::sort(numbers->begin(), numbers->end());
  s = std::move(left);
}

/// Positions of the whole scan, for so many frames.
i64 scan_of(const Measurement& m, const std::array<i64, 2>& lines) {
  if (uses_positions(m)) {
    const i64 count = pairs_in(*m.positions, m.scan.order, m.frames->count).count;
    return count > 0 ? count : m.frames->count;  // another shape is told of where they are read
  }
  if (lines[0] > 0) return lines[0] * lines[1];
  return m.frames->count;
}

/// Do frames and positions agree in number, but for frames at the end that are skipped by name?
void check_numbers(const Measurement& m, const Selection& s, const std::vector<bool>& skip) {
  const i64 frames = m.frames->count;
  if (m.data.frame_offset != 0 || m.data.flyback != 0) return;
  if (frames == s.scan || (!uses_positions(m) && fills(frames, s.lines))) return;
  const bool rest_skipped =
      frames > s.scan && std::find(skip.begin() + s.scan, skip.end(), false) == skip.end();
  if (!rest_skipped) refuse_numbers(m, frames, s.scan, s.lines);
}

/// Notes of what the keys leave out, and a warning of frames behind the last position.
void tell_of_frames(const Measurement& m, const Selection& s, std::vector<std::string>& notes,
                    std::vector<std::string>& warnings) {
  const i64 offset = m.data.frame_offset, flyback = m.data.flyback;
  if (!s.skipped.empty())
    notes.push_back(fmt::format("data.skip leaves {} patterns out", s.skipped.size()));
  if (offset == 0 && flyback == 0) return;
  notes.push_back(fmt::format("position 0 has frame {}{}", offset,
                              flyback > 0
                                  ? fmt::format(", {} frame{} after each line of {} are left out",
                                                flyback, flyback == 1 ? "" : "s", s.lines[1])
                                  : ""));
  if (!s.frames.empty() && offset >= 0 && s.frames.back() + 1 + flyback < m.frames->count)
    warnings.push_back(fmt::format(
        "the last {} frames of {} belong to no position: are data.frame_offset, data.flyback and "
        "data.scan_shape right?",
        m.frames->count - s.frames.back() - 1, m.frames->name));
}

}  // namespace

std::array<i64, 2> range_of(const std::string& text) {
  std::array<i64, 2> range{};
  const char *at = text.data(), *const end = at + text.size();
  const auto number = [&](i64& to) {
    const auto [next, error] = std::from_chars(at, end, to);
    const bool good = error == std::errc{} && to >= 0;
    at = next;
    return good;
  };
  bool good = number(range[0]);
  range[1] = range[0];
  if (good && at != end) good = *at++ == '-' && number(range[1]);
  good = good && at == end;
  if (good && range[1] < range[0])
    throw UserError(fmt::format("data.skip: {} ends before it begins; a range ascends, as {}-{}",
                                text, range[1], range[0]));
  if (!good)
    throw UserError(fmt::format(
        "data.skip: \"{}\" is no pattern; whole numbers from 0 and ranges are, as in [3, 10-14]",
        text));
  return range;
}

std::vector<std::string> ranges_of(const std::vector<i64>& numbers) {
  std::vector<std::string> ranges;
  for (std::size_t i = 0; i < numbers.size();) {
    std::size_t last = i;
    while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1) ++last;
    ranges.push_back(last == i ? std::to_string(numbers[i])
                               : fmt::format("{}-{}", numbers[i], numbers[last]));
    i = last + 1;
  }
  return ranges;
}

std::string listed(const std::vector<i64>& numbers) {
  constexpr std::size_t most = 12;
  std::vector<std::string> ranges = ranges_of(numbers);
  if (ranges.size() <= most) return fmt::format("{}", fmt::join(ranges, ", "));
  const std::size_t more = ranges.size() - most;
  ranges.resize(most);
  return fmt::format("{} and {} more", fmt::join(ranges, ", "), more);
}

std::vector<std::vector<i64>> parts_of_scan(const std::vector<Position>& positions) {
  // A link is far longer than a step of any scan, and far shorter than a wrong unit or a zero.
  constexpr double steps_a_link = 20;
  std::vector<i64> finite;
  for (std::size_t i = 0; i < positions.size(); ++i)
    if (is_finite(positions[i])) finite.push_back(static_cast<i64>(i));
  if (finite.size() < 8) return {};
  const double link = steps_a_link * pitch_of(positions, finite);
  if (!(link > 0)) return {};
  std::map<Cell, std::vector<i64>> cells;
  constexpr double most = 1e15;  // cells away, all of which are far
  for (const i64 i : finite) {
    const Position p = positions[static_cast<std::size_t>(i)];
    const auto cell = [&](double v) {
      return static_cast<i64>(std::clamp(std::floor(v / link), -most, most));
    };
    cells[{cell(p.row), cell(p.col)}].push_back(i);
  }
  std::vector<std::vector<i64>> parts;
  while (!cells.empty()) parts.push_back(connected(cells, Cell(cells.begin()->first)));
  std::stable_sort(parts.begin(), parts.end(),
                   [](const auto& a, const auto& b) { return a.size() > b.size(); });
  return parts;
}

std::vector<i64> far_positions(const std::vector<Position>& positions) {
  std::vector<i64> far;
  for (std::size_t i = 0; i < positions.size(); ++i)
    if (!is_finite(positions[i])) far.push_back(static_cast<i64>(i));
  const auto parts = parts_of_scan(positions);
  for (std::size_t k = 1; k < parts.size(); ++k)
    if (places_among(positions, parts[k]) < places_of_a_region)
      far.insert(far.end(), parts[k].begin(), parts[k].end());
  std::sort(far.begin(), far.end());
  return far;
}

Selection select(const Measurement& m, std::vector<std::string>& notes,
                 std::vector<std::string>& warnings) {
  Selection s;
  const i64 frames = m.frames->count, offset = m.data.frame_offset, flyback = m.data.flyback;
  s.lines = lines_of(m);
  if (flyback > 0 && s.lines[1] == 0)
    throw UserError(
        "data.flyback needs data.scan_shape, the lines of the scan without the way back");
  s.scan = scan_of(m, s.lines);
  const auto skip = skipped(m, std::max(s.scan, frames));
  const auto attempt = [&](auto&& check) {
    try {
      check();
    } catch (const UserError& e) {
      if (!m.looking) throw;
      s.refusals.emplace_back(e.what());
      s.located = false;
    }
  };
  attempt([&] { check_numbers(m, s, skip); });
  if (!s.located) s.scan = frames;
  const bool straight = offset == 0 && flyback == 0;
  const Chosen wanted = chosen(m, straight ? std::min(s.scan, frames) : s.scan, s.scan);
  i64 without = 0, asked = 0;
  for (i64 p = 0; p < s.scan; ++p) {
    if (!wanted(p)) continue;
    const i64 frame = offset + p + (flyback > 0 ? p / s.lines[1] * flyback : 0);
    ++asked;
    const bool skips = skip[static_cast<std::size_t>(p)], there = frame >= 0 && frame < frames;
    if (!skips && !there) ++without;
    if (skips || !there) {
      s.left_out.push_back(p);
      continue;
    }
    s.positions.push_back(p);
    s.frames.push_back(frame);
  }
  const std::string which =
      fmt::format("{} of the {} positions {} have no pattern", without, asked,
                  m.data.positions.empty() ? "of the scan" : "that data.positions chooses");
  if (static_cast<double>(without) > most_left_out * static_cast<double>(asked))
    throw UserError(fmt::format(
        "{} among the {} of {}: position 0 has frame {}{}; are {}right?", which, frames,
        m.frames->name, offset,
        flyback > 0 ? fmt::format(", and {} of the way back follow each line", flyback) : "",
        m.data.positions.empty() ? "data.frame_offset, data.flyback and data.scan_shape "
                                 : "data.positions, data.frame_offset and data.flyback "));
  if (without > 0)
    warnings.push_back(fmt::format("{} and are left out{}", which,
                                   offset == 0 ? ": it is taken to have ended early" : ""));
  s.skipped = numbers_of(skip);
  tell_of_frames(m, s, notes, warnings);
  attempt([&] {
    if (s.located) leave_out_far_ones(m, s, warnings);
  });
  if (s.positions.empty() && frames > 0)
    throw UserError(
        fmt::format("no pattern of {} is left: data.skip leaves all out", m.frames->name));
  return s;
}

}  // namespace ptyle
