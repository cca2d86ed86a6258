#include "prepare/bad_pixels.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <utility>

#include "core/quantile.hpp"

namespace ptyle {
namespace {

/// A pixel that is full, or missing, in this share of the frames is so by itself.
constexpr double nearly_all = 0.9;
/// Counts above which chance does not explain an empty pixel between two like this: e^-100.
constexpr double surely = 100;
/// A hot pixel has so many times the counts of what surrounds it.
constexpr double hot_times = 5;

using Mark = std::function<void(const PixelGroup&, PixelFault)>;

/// The nearest pixel with counts in a direction, within `reach`: its total; 0: none.
double next_with_counts(const DetectorPixels& p, i64 y, i64 x, i64 dy, i64 dx, i64 reach) {
  for (i64 d = 1; d <= reach; ++d) {
    const i64 v = y + d * dy, u = x + d * dx;
    if (!p.inside(v, u)) return 0;
    if (p.looked_at(v, u) && !p.empty(v, u)) return p.counts(v, u);
  }
  return 0;
}

/// Nothing, and counts on both sides, in three of four directions: across a line of such pixels,
/// but not in the dark between two discs.
bool is_dead(const DetectorPixels& p, i64 y, i64 x) {
  constexpr i64 reach = 4;
  if (!p.empty(y, x)) return false;
  constexpr std::array<std::array<i64, 2>, 4> directions{{{0, 1}, {1, 0}, {1, 1}, {1, -1}}};
  return std::count_if(directions.begin(), directions.end(), [&](const std::array<i64, 2>& d) {
           return std::min(next_with_counts(p, y, x, d[0], d[1], reach),
                           next_with_counts(p, y, x, -d[0], -d[1], reach)) > surely;
         }) >= 3;
}

/// Blocks and lines of the same number, about which most pixels vary; not at the largest value of
/// those that vary, at which a disc may be cut off.
void find_stuck(const DetectorPixels& p, const Mark& mark) {
  constexpr i64 block = 64;  // px
  double top = 0;
  for (i64 y = 0; y < p.rows(); ++y)
    for (i64 x = 0; x < p.cols(); ++x)
      if (p.looked_at(y, x) && !p.constant(y, x)) top = std::max(top, p.peak(y, x));
  std::vector<bool> same(static_cast<std::size_t>(p.rows() * p.cols()), false);
  for (i64 y = 0; y < p.rows(); ++y)
    for (i64 x = 0; x < p.cols(); ++x)
      same[p.at(y, x)] =
          p.looked_at(y, x) && p.constant(y, x) && !p.empty(y, x) && p.peak(y, x) != top;
  for (const PixelGroup& group : groups_of(p, same, std::max(block, p.rows() + p.cols()))) {
    const PixelBox box(group);
    const bool line = std::min(box.rows(), box.cols()) <= 2;
    if ((!line && static_cast<i64>(group.size()) > block) || is_disc(group, p.centre())) continue;
    const PixelGroup rim = rim_of(p, group, true);
    const auto vary = std::count_if(rim.begin(), rim.end(),
                                    [&](const auto& at) { return !p.constant(at[0], at[1]); });
    if (2 * vary > static_cast<i64>(rim.size())) mark(group, PixelFault::stuck);
  }
}

/// Up to six pixels far above all that surrounds them, whose counts the specimen does not change,
/// as it would change those of a Bragg disc.
bool is_hot(const DetectorPixels& p, i64 y, i64 x) {
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
bool is_flashed(const DetectorPixels& p, i64 y, i64 x) {
  constexpr double least = 50, times = 20;
  const double peak = p.peak(y, x);
  if (peak < least * p.gain() || peak < times * std::max(1.0, p.total(y, x) / p.sampled()))
    return false;
  std::vector<double> around;
  for (const auto& [v, u] : p.near(y, x, 2)) around.push_back(p.peak(v, u));
  return around.size() >= 8 && peak > times * std::max(1.0, quantile(around, 0.75));
}

/// Is this much of a rim of pixels without counts that they would have to have some?
bool surely_lit(std::vector<double> rim, i64 pixels) {
  if (rim.size() < 2) return false;
  const auto dark = std::count_if(rim.begin(), rim.end(), [](double v) { return !(v > 0); });
  return 5 * dark <= static_cast<i64>(rim.size()) &&
         quantile(rim, 0.25) * static_cast<double>(pixels) > 2 * surely;
}

/// Counts; 0 of pixels that are empty or not looked at.
double lit(const DetectorPixels& p, const std::array<i64, 2>& at) {
  return !p.looked_at(at[0], at[1]) || p.empty(at[0], at[1])
             ? 0
             : std::max(1e-9, p.counts(at[0], at[1]));
}

/// Lines along the detector's edges without any counts: those beyond the box that holds all counts,
/// if its own outermost line has counts nearly everywhere.
void find_dead_edges(const DetectorPixels& p, const Mark& mark) {
  PixelGroup counts;
  for (i64 y = 0; y < p.rows(); ++y)
    for (i64 x = 0; x < p.cols(); ++x)
      if (p.looked_at(y, x) && !p.empty(y, x)) counts.push_back({y, x});
  if (counts.empty()) return;
  const PixelBox box(counts);
  if (4 * box.rows() * box.cols() < p.rows() * p.cols()) return;
  std::array<std::vector<double>, 4> rims;
  std::array<PixelGroup, 4> beyond;
  // Good pixels have to lie beyond the outermost ones with counts.
  std::array<bool, 4> bordered{};
  for (i64 y = 0; y < p.rows(); ++y)
    for (i64 x = 0; x < p.cols(); ++x) {
      if (!p.looked_at(y, x)) continue;
      const std::array outside{y<box.top, y> box.bottom, x<box.left, x> box.right};
      const std::array next{y + 1 == box.top, y - 1 == box.bottom, x + 1 == box.left,
                            x - 1 == box.right};
      const bool inside = std::none_of(outside.begin(), outside.end(), [](bool o) { return o; });
      const std::array last{y == box.top, y == box.bottom, x == box.left, x == box.right};
      for (std::size_t side = 0; side < 4; ++side) {
        if (outside[side]) beyond[side].push_back({y, x});
        if (next[side]) bordered[side] = true;
        if (inside && last[side]) rims[side].push_back(lit(p, {y, x}));
      }
    }
  for (std::size_t side = 0; side < 4; ++side)
    if (bordered[side] && surely_lit(rims[side], static_cast<i64>(beyond[side].size())))
      mark(beyond[side], PixelFault::dead);
}

/// Rectangles without any counts, up to a quarter of the frame, about which nearly all pixels have
/// so many that some were to be expected. The dark outside and between discs is no rectangle.
void find_dead_blocks(const DetectorPixels& p, const Mark& mark) {
  std::vector<bool> empty(static_cast<std::size_t>(p.rows() * p.cols()), false);
  for (i64 y = 0; y < p.rows(); ++y)
    for (i64 x = 0; x < p.cols(); ++x) empty[p.at(y, x)] = p.looked_at(y, x) && p.empty(y, x);
  for (const PixelGroup& group : groups_of(p, empty, p.rows() * p.cols() / 4)) {
    const PixelBox box(group);
    const auto n = static_cast<i64>(group.size());
    if (std::min(box.rows(), box.cols()) < 2 || 20 * n < 17 * box.rows() * box.cols()) continue;
    // About the beam itself it may be the hole of an annular aperture, which a warning tells of.
    const auto [y, x] = p.centre();
    if (std::abs(box.top + box.bottom - 2 * y) <= 2 && std::abs(box.left + box.right - 2 * x) <= 2)
      continue;
    std::vector<double> rim;
    for (const auto& at : rim_of(p, group, false)) rim.push_back(lit(p, at));
    if (surely_lit(std::move(rim), n)) mark(group, PixelFault::dead);
  }
}

/// Numbers of a frame's pixels, summed over any box in no time.
class BoxSums {
 public:
  BoxSums(i64 rows, i64 cols, const std::function<double(i64, i64)>& value)
      : rows_(rows), cols_(cols), sums_(static_cast<std::size_t>((rows + 1) * (cols + 1)), 0) {
    for (i64 y = 0; y < rows; ++y)
      for (i64 x = 0; x < cols; ++x)
        at(y + 1, x + 1) = value(y, x) + at(y, x + 1) + at(y + 1, x) - at(y, x);
  }
  /// Within `reach` of a pixel, as far as that is on the frame.
  [[nodiscard]] double around(i64 y, i64 x, i64 reach) {
    const i64 top = std::max<i64>(0, y - reach), bottom = std::min(rows_, y + reach + 1),
              left = std::max<i64>(0, x - reach), right = std::min(cols_, x + reach + 1);
    return at(bottom, right) - at(top, right) - at(bottom, left) + at(top, left);
  }

 private:
  double& at(i64 y, i64 x) { return sums_[static_cast<std::size_t>(y * (cols_ + 1) + x)]; }
  i64 rows_, cols_;
  std::vector<double> sums_;
};

/// Do most borders between these pixels and such with counts run along rows or columns, as those of
/// a detector's modules do? A disc's hardly do.
bool is_bordered_straight(const DetectorPixels& p, const std::vector<bool>& dark) {
  constexpr i64 least = 8, gap = 2;  // px
  i64 all = 0, straight = 0;
  for (const bool columns : {false, true})
    for (const i64 step : {-1, 1})
      for (i64 line = 0; line < (columns ? p.cols() : p.rows()); ++line) {
        i64 run = 0, last = -gap - 2;
        const auto end = [&] {
          all += run;
          if (run >= least) straight += run;
          run = 0;
        };
        for (i64 k = 0; k < (columns ? p.rows() : p.cols()); ++k) {
          const i64 y = columns ? k : line, x = columns ? line : k;
          const std::array beside{columns ? y : y + step, columns ? x + step : x};
          if (!dark[p.at(y, x)] || !(lit(p, beside) > 0)) continue;
          if (k - last > gap + 1) end();
          ++run, last = k;
        }
        end();
      }
  return all > 0 && 10 * straight >= 7 * all;
}

/// Parts without any counts, with straight borders, where the opposite side of the pattern has
/// some: a module along the detector's edge, a quadrant.
void find_dead_modules(const DetectorPixels& p, const Mark& mark) {
  constexpr i64 reach = 2, opposite = 4;  // px
  const auto [cy, cx] = p.centre();
  BoxSums with_counts(p.rows(), p.cols(), [&](i64 y, i64 x) { return lit(p, {y, x}) > 0; });
  BoxSums counts(p.rows(), p.cols(), [&](i64 y, i64 x) { return lit(p, {y, x}); });
  const auto empty = [&](i64 y, i64 x) { return p.looked_at(y, x) && p.empty(y, x); };
  BoxSums core(p.rows(), p.cols(), [&](i64 y, i64 x) {
    const i64 v = 2 * cy - y, u = 2 * cx - x;
    if (!empty(y, x) || !p.inside(v, u) || with_counts.around(y, x, reach) > 0) return false;
    constexpr double area = (2 * opposite + 1) * (2 * opposite + 1);
    return with_counts.around(v, u, opposite) > 0.8 * area &&
           counts.around(v, u, opposite) > 2 * surely;
  });
  std::vector<bool> dark(static_cast<std::size_t>(p.rows() * p.cols()), false);
  PixelGroup group;
  for (i64 y = 0; y < p.rows(); ++y)
    for (i64 x = 0; x < p.cols(); ++x)
      if (empty(y, x) && core.around(y, x, reach) > 0 && lit(p, {2 * cy - y, 2 * cx - x}) > 0) {
        dark[p.at(y, x)] = true;
        group.push_back({y, x});
      }
  if (is_bordered_straight(p, dark)) mark(group, PixelFault::dead);
}

/// Rectangles at the detector's edge, of more pixels than `is_hot` takes, far above all about them.
void find_hot_corners(const DetectorPixels& p, const Mark& mark) {
  constexpr i64 most = 25;  // px
  std::vector<bool> high(static_cast<std::size_t>(p.rows() * p.cols()), false);
  for (i64 y = 0; y < p.rows(); ++y)
    for (i64 x = 0; x < p.cols(); ++x) {
      const i64 off = std::min({y, x, p.rows() - 1 - y, p.cols() - 1 - x});
      if (off > 5 || !p.looked_at(y, x) || p.near_centre(y, x) || p.counts(y, x) < 20 ||
          p.fano(y, x) > 3 * p.gain())
        continue;
      auto around = p.around(y, x, 5);
      high[p.at(y, x)] = around.size() >= 12 && p.total(y, x) > hot_times * quantile(around, 0.5);
    }
  for (const PixelGroup& group : groups_of(p, high, most)) {
    const PixelBox box(group);
    const bool at_edge =
        box.top == 0 || box.left == 0 || box.bottom == p.rows() - 1 || box.right == p.cols() - 1;
    if (!at_edge || static_cast<i64>(group.size()) != box.rows() * box.cols()) continue;
    std::vector<double> own, rim;
    for (const auto& [y, x] : group) own.push_back(p.total(y, x));
    for (const auto& [y, x] : rim_of(p, group, true)) rim.push_back(p.total(y, x));
    if (!rim.empty() && quantile(own, 0) > hot_times * quantile(rim, 0.75))
      mark(group, PixelFault::hot);
  }
}

/// A pixel that jumps between values: it varies far more than counts do, and than any beside it,
/// as no diffraction spot of several pixels does.
bool is_flickering(const DetectorPixels& p, i64 y, i64 x) {
  constexpr double times = 20;
  const double fano = p.fano(y, x);
  if (p.counts(y, x) < 20 || p.near_centre(y, x) || fano < times * p.gain()) return false;
  // n (1 - n / N) values at the peak have Σ(v - mean)² of as many (peak - mean)²: not just a few.
  const double mean = p.total(y, x) / p.sampled();
  if (fano * mean * p.sampled() < 5 * std::pow(p.peak(y, x) - mean, 2)) return false;
  std::vector<double> around;
  for (const auto& [v, u] : p.near(y, x, 2)) around.push_back(p.fano(v, u));
  return around.size() >= 8 && fano > times * quantile(around, 0.75) &&
         std::count_if(around.begin(), around.end(),
                       [&](double other) { return other > fano / 4; }) == 0;
}

/// Lines of the detector: rows, or columns as the rows of the transposed frame.
struct Lines {
  const DetectorPixels& p;
  bool columns = false;
  [[nodiscard]] i64 count() const { return columns ? p.cols() : p.rows(); }
  [[nodiscard]] i64 length() const { return columns ? p.rows() : p.cols(); }
  [[nodiscard]] std::array<i64, 2> at(i64 line, i64 k) const {
    return columns ? std::array{k, line} : std::array{line, k};
  }
};

/// Counts of a whole line.
struct LineTotal {
  bool looked_at = false;    ///< any pixel of it
  double all = 0, most = 0;  ///< most: but for its three brightest pixels, which may be flashes
};

LineTotal total_of(const Lines& lines, i64 i) {
  LineTotal total;
  std::array<double, 3> brightest{};  // ascending
  for (i64 k = 0; k < lines.length(); ++k)
    if (const auto [y, x] = lines.at(i, k); lines.p.looked_at(y, x)) {
      total.looked_at = true;
      const double counts = lines.p.empty(y, x) ? 0 : std::max(1.0, lines.p.counts(y, x));
      total.all += counts;
      brightest[0] = std::max(brightest[0], counts);
      std::sort(brightest.begin(), brightest.end());
    }
  total.most = total.all - brightest[0] - brightest[1] - brightest[2];
  return total;
}

/// Whole lines without counts between lines with some.
std::vector<i64> dead_lines(const Lines& lines) {
  std::vector<LineTotal> totals;
  for (i64 i = 0; i < lines.count(); ++i) totals.push_back(total_of(lines, i));
  std::vector<i64> dead;
  for (i64 i = 1; i + 1 < lines.count(); ++i) {
    if (!totals[i].looked_at || totals[i].all != 0) continue;
    i64 before = i, after = i;
    while (before > 0 && totals[before].all == 0) --before;
    while (after + 1 < lines.count() && totals[after].all == 0) ++after;
    const bool wide = after - before - 1 > lines.count() / 4;
    if (!wide && std::min(totals[before].most, totals[after].most) > surely) dead.push_back(i);
  }
  return dead;
}

/// Lines far above those four and five away on either side, along nearly all their length.
std::vector<i64> hot_lines(const Lines& lines, const RawFrame& frame) {
  const DetectorPixels& p = lines.p;
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

/// Pixels that are full in nearly all frames, but for those of a disc.
void find_full(const DetectorPixels& p, const RawFrame& frame, const PixelSums& sums,
               const Mark& mark) {
  std::vector<bool> full(frame.looked_at.size(), false);
  for (std::size_t k = 0; k < full.size(); ++k)
    full[k] = frame.looked_at[k] != 0 && sums.full[k] >= std::max(1.0, nearly_all * sums.frames);
  for (const PixelGroup& group : groups_of(p, full, p.rows() * p.cols()))
    if (!is_disc(group, frame.centre)) mark(group, PixelFault::full);
}

}  // namespace

std::vector<PixelFault> judge_pixels(const RawFrame& frame, const PixelSums& sums,
                                     double left_out) {
  std::vector<PixelFault> faults(frame.looked_at.size(), PixelFault::none);
  // Pixels with a fault are not asked any more, as if they were masked.
  RawFrame rest = frame;
  const auto mark = [&](std::size_t k, PixelFault fault) {
    faults[k] = fault;
    rest.looked_at[k] = 0;
  };
  for (std::size_t k = 0; k < faults.size(); ++k)
    if (frame.looked_at[k] != 0 && sums.missing[k] > left_out) mark(k, PixelFault::missing);
  const DetectorPixels p(rest, sums);
  const Mark mark_all = [&](const PixelGroup& group, PixelFault fault) {
    for (const auto& [y, x] : group) mark(p.at(y, x), fault);
  };
  find_full(p, frame, sums, mark_all);
  if (sums.sampled < 2) return faults;
  const i64 all = p.rows() * p.cols();
  const auto each = [&](PixelFault fault, const std::function<bool(i64, i64)>& has, i64 most) {
    PixelGroup found;
    for (i64 y = 0; y < p.rows(); ++y)
      for (i64 x = 0; x < p.cols(); ++x)
        if (p.looked_at(y, x) && has(y, x)) found.push_back({y, x});
    if (static_cast<i64>(found.size()) <= most) mark_all(found, fault);
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
  find_dead_edges(p, mark_all);
  find_dead_blocks(p, mark_all);
  find_dead_modules(p, mark_all);
  // More at a time are no flashes, but a frame that is none.
  each(
      PixelFault::flashed, [&](i64 y, i64 x) { return is_flashed(p, y, x); },
      std::max<i64>(8, all / 500));
  each(
      PixelFault::hot, [&](i64 y, i64 x) { return is_hot(p, y, x); }, all);
  const bool small_spots = p.small_spots();
  if (!small_spots) find_hot_corners(p, mark_all);
  if (sums.sampled >= least_frames) {
    find_stuck(p, mark_all);
    if (!small_spots)
      each(
          PixelFault::flickering, [&](i64 y, i64 x) { return is_flickering(p, y, x); }, all);
  }
  each(
      PixelFault::dead, [&](i64 y, i64 x) { return is_dead(p, y, x); }, all);
  return faults;
}

Clipping find_clipping(const RawFrame& frame, const PixelSums& sums, double type_limit,
                       const std::vector<PixelFault>& faults) {
  double top = 0;
  const auto good = [&](std::size_t k) {
    return frame.looked_at[k] != 0 && faults[k] == PixelFault::none;
  };
  for (std::size_t k = 0; k < frame.looked_at.size(); ++k)
    if (good(k)) top = std::max(top, sums.peak[k]);
  i64 at_top = 0, below = 0;
  for (std::size_t k = 0; k < frame.looked_at.size(); ++k) {
    if (!good(k) || sums.peak[k] < 0.9 * top) continue;
    ++(sums.peak[k] >= top ? at_top : below);
  }
  const bool at_type = type_limit > 0 && top >= type_limit;
  if (!at_type && !(at_top >= 20 && at_top > below && top >= 10)) return {};
  return {at_top, top};
}

}  // namespace ptyle
