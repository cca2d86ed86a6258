#include "prepare/screening.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <limits>
#include <optional>
#include <utility>

#include "core/units.hpp"
#include "prepare/selection.hpp"

namespace ptyle {
namespace {

/// A pattern with this share of its pixels missing is left out, rather than the pixels.
constexpr double missing_share = 0.01;
/// A pixel that is full, or missing, in this share of the frames is so by itself.
constexpr double nearly_all = 0.9;
/// Counts above which chance does not explain an empty pixel between two like this: e^-100.
constexpr double surely = 100;
/// A hot pixel has so many times the counts of what surrounds it.
constexpr double hot_times = 5;
/// Fewer frames tell nothing of a pixel's variance.
constexpr double least_frames = 16;

/// The pixels under judgement, with the questions that it asks.
class Pixels {
 public:
  Pixels(const RawFrame& frame, const PixelSums& sums) : f_(frame), s_(sums) { find_scale(); }

  /// Numbers a count, at least 1: what varies least varies as counts do, by their mean times this.
  [[nodiscard]] double gain() const { return gain_; }
  /// Total beyond what a pixel without any count has.
  [[nodiscard]] double counts(i64 y, i64 x) const {
    return (total(y, x) - least_ * s_.sampled) / gain_;
  }

  [[nodiscard]] i64 rows() const { return f_.rows; }
  [[nodiscard]] i64 cols() const { return f_.cols; }
  [[nodiscard]] bool inside(i64 y, i64 x) const {
    return y >= 0 && y < f_.rows && x >= 0 && x < f_.cols;
  }
  [[nodiscard]] std::size_t at(i64 y, i64 x) const {
    return static_cast<std::size_t>(y * f_.cols + x);
  }
  [[nodiscard]] bool looked_at(i64 y, i64 x) const {
    return inside(y, x) && f_.looked_at[at(y, x)] != 0;
  }
  /// Counts in all sampled frames.
  [[nodiscard]] double total(i64 y, i64 x) const { return s_.sum[at(y, x)]; }
  [[nodiscard]] double peak(i64 y, i64 x) const { return s_.peak[at(y, x)]; }
  [[nodiscard]] double sampled() const { return s_.sampled; }
  /// Variance over mean; 1 where counts are all that varies.
  [[nodiscard]] double fano(i64 y, i64 x) const {
    const double mean = total(y, x) / s_.sampled;
    return mean > 0 ? (s_.squares[at(y, x)] / s_.sampled - mean * mean) / mean : 0;
  }
  /// The same number in all sampled frames: Σv² n = (Σv)², to the rounding of n sums.
  [[nodiscard]] bool constant(i64 y, i64 x) const {
    const double squares = s_.squares[at(y, x)] * s_.sampled, square = std::pow(total(y, x), 2);
    return std::abs(squares - square) <= 1e-12 * squares;
  }
  /// Nothing in any frame, be that a 0 or what the detector adds to it or takes from it.
  [[nodiscard]] bool empty(i64 y, i64 x) const {
    const double mean = total(y, x) / s_.sampled;
    return s_.full[at(y, x)] == 0 && constant(y, x) && (mean <= 0 || mean <= least_);
  }
  [[nodiscard]] bool near_centre(i64 y, i64 x) const {
    constexpr i64 beam = 3;  // px that an undiffracted beam may take
    return std::abs(y - f_.centre[0]) <= beam && std::abs(x - f_.centre[1]) <= beam;
  }
  /// Totals of the good pixels within `reach`, the pixel itself aside.
  [[nodiscard]] std::vector<double> around(i64 y, i64 x, i64 reach) const {
    std::vector<double> found;
    for (i64 v = y - reach; v <= y + reach; ++v)
      for (i64 u = x - reach; u <= x + reach; ++u)
        if ((v != y || u != x) && looked_at(v, u)) found.push_back(total(v, u));
    return found;
  }

 private:
  void find_scale();
  const RawFrame& f_;
  const PixelSums& s_;
  double gain_ = 1, least_ = 0;  // least_: the smallest mean of a pixel that never varies
};

double quantile(std::vector<double>& values, double share) {
  const auto at =
      values.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

void Pixels::find_scale() {
  std::vector<double> fanos;
  double least = std::numeric_limits<double>::infinity();
  for (i64 y = 0; y < f_.rows; ++y)
    for (i64 x = 0; x < f_.cols; ++x) {
      if (!looked_at(y, x)) continue;
      if (constant(y, x))
        least = std::min(least, total(y, x) / s_.sampled);
      else if (total(y, x) > 0)
        fanos.push_back(fano(y, x));
    }
  if (std::isfinite(least)) least_ = std::max(0.0, least);
  if (!fanos.empty() && s_.sampled >= least_frames) gain_ = std::max(1.0, quantile(fanos, 0.1));
}

/// The nearest pixel with counts in a direction, within `reach`: its total; 0: none.
double next_with_counts(const Pixels& p, i64 y, i64 x, i64 dy, i64 dx, i64 reach) {
  for (i64 d = 1; d <= reach; ++d) {
    const i64 v = y + d * dy, u = x + d * dx;
    if (!p.inside(v, u)) return 0;
    if (p.looked_at(v, u) && !p.empty(v, u)) return p.counts(v, u);
  }
  return 0;
}

/// Nothing, and counts on both sides, in three of four directions: across a line of such pixels,
/// but not in the dark between two discs.
bool is_dead(const Pixels& p, i64 y, i64 x) {
  constexpr i64 reach = 4;
  if (!p.empty(y, x)) return false;
  constexpr std::array<std::array<i64, 2>, 4> directions{{{0, 1}, {1, 0}, {1, 1}, {1, -1}}};
  return std::count_if(directions.begin(), directions.end(), [&](const std::array<i64, 2>& d) {
           return std::min(next_with_counts(p, y, x, d[0], d[1], reach),
                           next_with_counts(p, y, x, -d[0], -d[1], reach)) > surely;
         }) >= 3;
}

/// `top`: the largest value of any pixel, at which a disc may be cut off.
bool is_stuck(const Pixels& p, i64 y, i64 x, double top) {
  if (!p.constant(y, x) || p.empty(y, x) || p.peak(y, x) == top) return false;
  i64 others = 0, vary = 0;
  for (i64 v = y - 1; v <= y + 1; ++v)
    for (i64 u = x - 1; u <= x + 1; ++u)
      if ((v != y || u != x) && p.looked_at(v, u)) {
        ++others;
        if (!p.constant(v, u)) ++vary;
      }
  return others > 0 && 2 * vary > others;
}

/// Up to six pixels far above all that surrounds them, whose counts the specimen does not change,
/// as it would change those of a Bragg disc.
bool is_hot(const Pixels& p, i64 y, i64 x) {
  const double total = p.total(y, x);
  if (p.counts(y, x) < 20 || p.near_centre(y, x) || p.fano(y, x) > 3 * p.gain()) return false;
  auto next = p.around(y, x, 1);
  if (next.size() < 3 || total <= hot_times * quantile(next, 0.5)) return false;
  auto all = p.around(y, x, 3);
  if (all.size() < 12 || total <= hot_times * quantile(all, 0.75)) return false;
  const auto like_it = std::count_if(all.begin(), all.end(),
                                     [&](double other) { return other >= total / hot_times; });
  return like_it < 6;
}

/// A single value that neither the pixel's others nor those around it ever come near.
bool is_flashed(const Pixels& p, i64 y, i64 x) {
  constexpr double least = 50, times = 20;
  const double peak = p.peak(y, x);
  if (peak < least * p.gain() || peak < times * std::max(1.0, p.total(y, x) / p.sampled()))
    return false;
  std::vector<double> around;
  for (i64 v = y - 2; v <= y + 2; ++v)
    for (i64 u = x - 2; u <= x + 2; ++u)
      if ((v != y || u != x) && p.looked_at(v, u)) around.push_back(p.peak(v, u));
  return around.size() >= 8 && peak > times * std::max(1.0, quantile(around, 0.75));
}

/// Lines of the detector: rows, or columns as the rows of the transposed frame.
struct Lines {
  const Pixels& p;
  bool columns = false;
  [[nodiscard]] i64 count() const { return columns ? p.cols() : p.rows(); }
  [[nodiscard]] i64 length() const { return columns ? p.rows() : p.cols(); }
  [[nodiscard]] std::array<i64, 2> at(i64 line, i64 k) const {
    return columns ? std::array{k, line} : std::array{line, k};
  }
};

/// Totals over whole lines; nothing where no pixel of it is looked at.
std::vector<std::optional<double>> line_totals(const Lines& lines) {
  std::vector<std::optional<double>> totals(static_cast<std::size_t>(lines.count()));
  for (i64 i = 0; i < lines.count(); ++i)
    for (i64 k = 0; k < lines.length(); ++k)
      if (const auto [y, x] = lines.at(i, k); lines.p.looked_at(y, x))
        totals[i] =
            totals[i].value_or(0) + (lines.p.empty(y, x) ? 0 : std::max(1.0, lines.p.counts(y, x)));
  return totals;
}

/// Whole lines without counts between lines with some.
std::vector<i64> dead_lines(const Lines& lines) {
  const auto totals = line_totals(lines);
  std::vector<i64> dead;
  for (i64 i = 1; i + 1 < lines.count(); ++i) {
    if (totals[i].value_or(1) != 0) continue;
    i64 before = i, after = i;
    while (before > 0 && totals[before].value_or(0) == 0) --before;
    while (after + 1 < lines.count() && totals[after].value_or(0) == 0) ++after;
    const bool wide = after - before > lines.count() / 4;
    if (!wide && std::min(totals[before].value_or(0), totals[after].value_or(0)) > surely)
      dead.push_back(i);
  }
  return dead;
}

/// Lines far above those four and five away on either side, along nearly all their length.
std::vector<i64> hot_lines(const Lines& lines, const RawFrame& frame) {
  const Pixels& p = lines.p;
  const i64 middle = frame.centre[lines.columns ? 1 : 0];
  std::vector<i64> hot;
  for (i64 i = 0; i < lines.count(); ++i) {
    if (std::abs(i - middle) <= 3) continue;
    i64 looked_at = 0, above = 0;
    for (i64 k = 0; k < lines.length(); ++k) {
      const auto [y, x] = lines.at(i, k);
      if (!p.looked_at(y, x)) continue;
      double others = -1;
      for (const i64 d : {-5, -4, 4, 5})
        if (i + d >= 0 && i + d < lines.count())
          if (const auto [v, u] = lines.at(i + d, k); p.looked_at(v, u))
            others = std::max(others, p.total(v, u));
      if (others < 0) continue;
      ++looked_at;
      if (p.counts(y, x) > 20 && p.total(y, x) > hot_times * others) ++above;
    }
    if (looked_at >= 8 && static_cast<double>(above) >= nearly_all * static_cast<double>(looked_at))
      hot.push_back(i);
  }
  return hot;
}

/// Pixels of one fault that touch each other.
std::vector<std::vector<std::array<i64, 2>>> regions_of(const Pixels& p,
                                                        std::vector<bool> flagged) {
  std::vector<std::vector<std::array<i64, 2>>> regions;
  for (i64 y = 0; y < p.rows(); ++y)
    for (i64 x = 0; x < p.cols(); ++x) {
      if (!flagged[p.at(y, x)]) continue;
      std::vector<std::array<i64, 2>> ahead{{y, x}}, region;
      flagged[p.at(y, x)] = false;
      while (!ahead.empty()) {
        const auto here = ahead.back();
        ahead.pop_back();
        region.push_back(here);
        for (i64 v = here[0] - 1; v <= here[0] + 1; ++v)
          for (i64 u = here[1] - 1; u <= here[1] + 1; ++u)
            if (p.inside(v, u) && flagged[p.at(v, u)]) {
              flagged[p.at(v, u)] = false;
              ahead.push_back({v, u});
            }
      }
      regions.push_back(std::move(region));
    }
  return regions;
}

/// A bright-field disc that is cut off everywhere: round, about the beam's place.
bool is_disc(const std::vector<std::array<i64, 2>>& region, const RawFrame& frame) {
  const auto n = static_cast<double>(region.size());
  if (n < 20) return false;
  double row = 0, col = 0;
  for (const auto& [y, x] : region)
    row += static_cast<double>(y) / n, col += static_cast<double>(x) / n;
  const double radius = std::sqrt(n / pi);
  const auto inside = std::count_if(region.begin(), region.end(), [&](const auto& at) {
    return std::hypot(static_cast<double>(at[0]) - row, static_cast<double>(at[1]) - col) <= radius;
  });
  const double off = std::hypot(row - static_cast<double>(frame.centre[0]),
                                col - static_cast<double>(frame.centre[1]));
  return static_cast<double>(inside) > 0.75 * n && off < radius;
}

}  // namespace

PixelSums::PixelSums(i64 pixels) : peak(static_cast<std::size_t>(pixels)) {
  for (auto* figures : summed()) figures->assign(static_cast<std::size_t>(pixels), 0);
}

std::vector<std::vector<double>*> PixelSums::summed() {
  return {&sum, &squares, &full, &missing, &negative, &noise, &at_saturation};
}

i64 Screening::count(PixelFault fault) const {
  return std::count(pixels.begin(), pixels.end(), fault);
}

Array<std::uint8_t, 2> mask_of(const Screening& found) {
  const auto is_bad = [](PixelFault fault) { return fault != PixelFault::none; };
  if (std::none_of(found.pixels.begin(), found.pixels.end(), is_bad)) return {};
  Array<std::uint8_t, 2> mask({found.rows, found.cols});
  std::transform(found.pixels.begin(), found.pixels.end(), mask.begin(),
                 [&](PixelFault fault) { return is_bad(fault) ? 1 : 0; });
  return mask;
}

std::vector<PixelFault> judge_pixels(const RawFrame& frame, const PixelSums& sums,
                                     double left_out) {
  std::vector<PixelFault> faults(frame.looked_at.size(), PixelFault::none);
  // Pixels with a fault are not asked any more, as if they were masked.
  RawFrame rest = frame;
  const auto mark = [&](std::size_t k, PixelFault fault) {
    faults[k] = fault;
    rest.looked_at[k] = 0;
  };
  std::vector<bool> full(faults.size(), false);
  for (std::size_t k = 0; k < faults.size(); ++k) {
    if (frame.looked_at[k] == 0) continue;
    if (sums.missing[k] > left_out) mark(k, PixelFault::missing);
    full[k] = sums.full[k] >= std::max(1.0, nearly_all * sums.frames);
  }
  const Pixels p(rest, sums);
  for (const auto& region : regions_of(p, full))
    if (!is_disc(region, frame))
      for (const auto& [y, x] : region) mark(p.at(y, x), PixelFault::full);
  if (sums.sampled < 2) return faults;
  const auto each = [&](PixelFault fault, const std::function<bool(i64, i64)>& has) {
    std::vector<std::size_t> found;
    for (i64 y = 0; y < p.rows(); ++y)
      for (i64 x = 0; x < p.cols(); ++x)
        if (p.looked_at(y, x) && has(y, x)) found.push_back(p.at(y, x));
    for (const std::size_t k : found) mark(k, fault);
  };
  for (const bool columns : {false, true}) {
    const Lines lines{p, columns};
    const auto whole = [&](const std::vector<i64>& numbers, PixelFault fault) {
      for (const i64 i : numbers)
        for (i64 k = 0; k < lines.length(); ++k)
          if (const auto [y, x] = lines.at(i, k); p.looked_at(y, x)) mark(p.at(y, x), fault);
    };
    whole(dead_lines(lines), PixelFault::dead);
    whole(hot_lines(lines, frame), PixelFault::hot);
  }
  // More at a time are no flashes, but a frame that is none.
  const auto few = std::max<i64>(8, p.rows() * p.cols() / 500);
  i64 flashes = 0;
  for (i64 y = 0; y < p.rows(); ++y)
    for (i64 x = 0; x < p.cols(); ++x)
      if (p.looked_at(y, x) && is_flashed(p, y, x)) ++flashes;
  if (flashes <= few) each(PixelFault::flashed, [&](i64 y, i64 x) { return is_flashed(p, y, x); });
  each(PixelFault::hot, [&](i64 y, i64 x) { return is_hot(p, y, x); });
  double top = 0;
  for (std::size_t k = 0; k < faults.size(); ++k)
    if (rest.looked_at[k] != 0) top = std::max(top, sums.peak[k]);
  if (sums.sampled >= least_frames)
    each(PixelFault::stuck, [&](i64 y, i64 x) { return is_stuck(p, y, x, top); });
  each(PixelFault::dead, [&](i64 y, i64 x) { return is_dead(p, y, x); });
  return faults;
}

void find_clipping(const RawFrame& frame, const PixelSums& sums, double type_limit,
                   Screening& found) {
  double top = 0;
  const auto good = [&](std::size_t k) {
    return frame.looked_at[k] != 0 && !found.bad(static_cast<i64>(k));
  };
  for (std::size_t k = 0; k < frame.looked_at.size(); ++k)
    if (good(k)) top = std::max(top, sums.peak[k]);
  i64 at_top = 0, below = 0;
  for (std::size_t k = 0; k < frame.looked_at.size(); ++k) {
    if (!good(k) || sums.peak[k] < 0.9 * top) continue;
    ++(sums.peak[k] >= top ? at_top : below);
  }
  const bool at_type = type_limit > 0 && top >= type_limit;
  if (!at_type && !(at_top >= 20 && at_top > below && top >= 10)) return;
  found.clipped = at_top;
  found.clipped_at = top;
}

std::string places_of(const Screening& found, PixelFault fault) {
  std::vector<std::uint8_t> left(found.pixels.size(), 0);
  for (std::size_t k = 0; k < left.size(); ++k) left[k] = found.pixels[k] == fault ? 1 : 0;
  std::vector<std::string> parts;
  for (const bool columns : {false, true}) {
    const i64 count = columns ? found.cols : found.rows, length = columns ? found.rows : found.cols;
    const auto at = [&](i64 line, i64 k) {
      return static_cast<std::size_t>(columns ? k * found.cols + line : line * found.cols + k);
    };
    std::vector<i64> whole;
    for (i64 i = 0; i < count; ++i) {
      i64 here = 0;
      for (i64 k = 0; k < length; ++k) here += left[at(i, k)];
      if (length < 8 || 5 * here < 4 * length) continue;
      whole.push_back(i);
      for (i64 k = 0; k < length; ++k) left[at(i, k)] = 0;
    }
    if (!whole.empty())
      parts.push_back(fmt::format("{}{} {}", columns ? "column" : "row",
                                  whole.size() == 1 ? "" : "s", listed(whole)));
  }
  constexpr std::size_t most = 6;
  i64 more = 0;
  for (std::size_t k = 0; k < left.size(); ++k) {
    if (left[k] == 0) continue;
    const i64 row = static_cast<i64>(k) / found.cols, first = static_cast<i64>(k) % found.cols;
    i64 last = first;
    while (last + 1 < found.cols && left[k + 1] != 0) ++last, ++k;
    if (parts.size() < most)
      parts.push_back(last == first ? fmt::format("({}, {})", row, first)
                                    : fmt::format("({}, {}-{})", row, first, last));
    else
      more += last - first + 1;
  }
  const std::string text = fmt::format("{}", fmt::join(parts, ", "));
  return more == 0 ? text : fmt::format("{} and {} more", text, more);
}

std::string describe_pixels(const Screening& found) {
  constexpr std::array<std::pair<PixelFault, const char*>, 6> kinds{
      {{PixelFault::missing, "no numbers (NaN)"},
       {PixelFault::full, "full in every frame, as gaps are marked"},
       {PixelFault::stuck, "the same in every frame"},
       {PixelFault::dead, "dead"},
       {PixelFault::hot, "hot"},
       {PixelFault::flashed, "with a flash in a single frame"}}};
  std::vector<std::string> parts;
  for (const auto& [fault, word] : kinds)
    if (const i64 n = found.count(fault); n > 0)
      parts.push_back(fmt::format("{} {}: {}", n, word, places_of(found, fault)));
  return fmt::format("{}", fmt::join(parts, "; "));
}

std::vector<i64> OddPatterns::all() const {
  std::vector<i64> every = missing;
  every.insert(every.end(), empty.begin(), empty.end());
  every.insert(every.end(), bright.begin(), bright.end());
  every.insert(every.end(), repeated.begin(), repeated.end());
  std::sort(every.begin(), every.end());
  every.erase(std::unique(every.begin(), every.end()), every.end());
  return every;
}

namespace {

/// Most of them follow each other in the scan, as what the specimen does to them would.
bool in_a_row(const std::vector<i64>& patterns) {
  if (patterns.size() < 5) return false;
  std::size_t beside = 0;
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    const bool before = i > 0 && patterns[i - 1] == patterns[i] - 1;
    const bool after = i + 1 < patterns.size() && patterns[i + 1] == patterns[i] + 1;
    if (before || after) ++beside;
  }
  return 10 * beside > 7 * patterns.size();
}

/// The total from which on patterns are too bright: behind the first gap beyond 2.5 medians, and
/// with no more than `most_left_out` of all. Infinite: none are.
double brightest_allowed(const std::vector<double>& sorted, double median) {
  constexpr double far = 2.5, gap = 1.5;
  for (std::size_t i = 1; i < sorted.size(); ++i)
    if (sorted[i] > far * median && sorted[i] > gap * sorted[i - 1] &&
        static_cast<double>(sorted.size() - i) <=
            most_left_out * static_cast<double>(sorted.size()))
      return sorted[i];
  return std::numeric_limits<double>::infinity();
}

/// The total below which patterns are as good as empty: a gap lies above, at a fiftieth of the
/// median or less.
double darkest_allowed(const std::vector<double>& sorted, double median) {
  constexpr double far = 0.02, gap = 2;
  for (std::size_t i = sorted.size(); i-- > 1;)
    if (sorted[i - 1] < far * median && sorted[i] > gap * sorted[i - 1] &&
        static_cast<double>(i) <= most_left_out * static_cast<double>(sorted.size()))
      return sorted[i];
  return 0;
}

}  // namespace

std::vector<i64> patterns_without_numbers(const std::vector<double>& missing, double pixels) {
  std::vector<i64> without;
  for (std::size_t i = 0; i < missing.size(); ++i)
    if (missing[i] > std::max(1.0, missing_share * pixels)) without.push_back(static_cast<i64>(i));
  return without;
}

OddPatterns judge_patterns(const std::vector<double>& totals, const std::vector<double>& missing,
                           double pixels) {
  OddPatterns odd;
  odd.missing = patterns_without_numbers(missing, pixels);
  std::vector<bool> out(totals.size(), false);
  for (const i64 i : odd.missing) out[static_cast<std::size_t>(i)] = true;
  std::vector<double> sorted;
  for (std::size_t i = 0; i < totals.size(); ++i)
    if (!out[i]) sorted.push_back(totals[i]);
  if (sorted.size() < 8) return odd;
  std::sort(sorted.begin(), sorted.end());
  odd.median = sorted[sorted.size() / 2];
  // With so few counts an empty pattern is no wonder.
  if (!(odd.median > 20)) return odd;
  const double bright = brightest_allowed(sorted, odd.median),
               dark = darkest_allowed(sorted, odd.median);
  for (std::size_t i = 0; i < totals.size(); ++i) {
    if (out[i]) continue;
    if (totals[i] < dark || totals[i] == 0) odd.empty.push_back(static_cast<i64>(i));
    if (totals[i] >= bright) odd.bright.push_back(static_cast<i64>(i));
  }
  odd.times = sorted.back() / odd.median;
  // A hole in an absorbing specimen is not much brighter than its surroundings.
  constexpr double most_of_a_hole = 6;
  if (in_a_row(odd.bright) && odd.times < most_of_a_hole) odd.bright.clear();
  return odd;
}

Unexplained unexplained_patterns(const std::vector<double>& r_factors) {
  // Several times the usual one, far beyond what it varies by from place to place, and behind a
  // gap: where the specimen makes the difference, there is none.
  constexpr double times = 4, deviations = 12, gap = 1.6;
  Unexplained found;
  std::vector<double> fitted;
  std::copy_if(r_factors.begin(), r_factors.end(), std::back_inserter(fitted),
               [](double r) { return r >= 0; });
  if (fitted.size() < 16) return found;
  found.usual = quantile(fitted, 0.5);
  std::vector<double> apart;
  for (const double r : fitted) apart.push_back(std::abs(r - found.usual));
  const double deviation = 1.48 * quantile(apart, 0.5);  // of a normal distribution
  double most = std::max(times * found.usual, found.usual + deviations * deviation);
  std::sort(fitted.begin(), fitted.end());
  const auto beyond = std::upper_bound(fitted.begin(), fitted.end(), most);
  if (beyond == fitted.end() || beyond == fitted.begin()) return found;
  auto first = beyond;
  while (first != fitted.end() && *first < gap * *(first - 1)) ++first;
  if (first == fitted.end()) return found;
  most = *(first - 1);
  for (std::size_t i = 0; i < r_factors.size(); ++i) {
    if (r_factors[i] <= most) continue;
    found.patterns.push_back(static_cast<i64>(i));
    found.worst = std::max(found.worst, r_factors[i]);
  }
  return found;
}

}  // namespace ptyle
