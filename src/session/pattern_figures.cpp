#include "session/pattern_figures.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>

#include "core/bounds.hpp"
#include "core/grid.hpp"
#include "prepare/disc.hpp"

namespace ptyle {
namespace {

/// Means of the valid pixels in the 5×5 around each pixel but itself.
std::vector<double> surroundings(const Experiment& e, i64 y, i64 x) {
  const i64 w = e.patterns->window();
  std::vector<double> around;
  for (i64 v = std::max<i64>(0, y - 2); v <= std::min(w - 1, y + 2); ++v)
    for (i64 u = std::max<i64>(0, x - 2); u <= std::min(w - 1, x + 2); ++u)
      if ((v != y || u != x) && e.valid(to_corner(v, w), to_corner(u, w)) != 0)
        around.push_back(e.mean_pattern(v, u));
  return around;
}

void find_extremes(const Experiment& e, const std::vector<bool>& beyond, PatternFigures& f) {
  const i64 n = e.patterns->count(), w = e.patterns->window();
  std::vector<float> pattern(static_cast<std::size_t>(w * w));
  std::vector<float> peak(pattern.size(), 0.0F);
  f.smallest = std::numeric_limits<double>::max();
  for (i64 i = 0; i < n; ++i) {
    e.patterns->load(i, pattern.data());
    double sum = 0, dark = 0;
    for (std::size_t k = 0; k < pattern.size(); ++k) {
      if (e.valid.data()[k] == 0) continue;
      const float v = pattern[k];
      f.smallest = std::min(f.smallest, double(v));
      peak[k] = std::max(peak[k], v);
      sum += v;
      if (beyond[k]) dark += v;
    }
    f.sums.push_back(sum);
    f.dark_field.push_back(dark);
  }
  f.largest = *std::max_element(peak.begin(), peak.end());
  f.peak = centred<float>(View<const float, 2>{peak.data(), {w, w}});
}

void find_saturated(const Experiment& e, double type_limit, PatternFigures& f) {
  const i64 n = e.patterns->count(), w = e.patterns->window();
  std::vector<float> pattern(static_cast<std::size_t>(w * w));
  const auto top = static_cast<float>(f.largest), below = static_cast<float>(0.9 * f.largest);
  for (i64 i = 0; i < n; ++i) {
    e.patterns->load(i, pattern.data());
    for (std::size_t k = 0; k < pattern.size(); ++k) {
      if (e.valid.data()[k] == 0 || pattern[k] <= below) continue;
      ++(pattern[k] >= top ? f.at_largest : f.just_below);
    }
  }
  const bool at_type = type_limit > 0 && f.largest >= type_limit;
  if (at_type || (f.at_largest >= 20 && f.at_largest > f.just_below && f.largest >= 10))
    f.saturated = std::count(f.peak.begin(), f.peak.end(), top);
}

}  // namespace

std::vector<bool> beyond_disc(const Experiment& e) {
  const i64 w = e.patterns->window();
  std::vector<bool> beyond(static_cast<std::size_t>(w * w), false);
  for (i64 y = 0; y < w && e.disc; ++y)
    for (i64 x = 0; x < w; ++x)
      beyond[to_corner(y, w) * w + to_corner(x, w)] =
          std::hypot(static_cast<double>(y) - e.disc->row, static_cast<double>(x) - e.disc->col) >
          1.1 * e.disc->radius;
  return beyond;
}

OddPixels odd_pixels(const Experiment& e) {
  OddPixels odd;
  const i64 w = e.patterns->window();
  const auto n = static_cast<double>(e.patterns->count());
  for (i64 y = 0; y < w; ++y)
    for (i64 x = 0; x < w; ++x) {
      if (e.valid(to_corner(y, w), to_corner(x, w)) == 0) continue;
      const double mean = e.mean_pattern(y, x);
      const auto around = surroundings(e, y, x);
      if (around.size() < 8) continue;
      const auto [low, high] = std::minmax_element(around.begin(), around.end());
      // A pixel that expects 20 counts or more is empty once in 5e8 by chance.
      if (mean == 0 && *low * n > 20) ++odd.dead;
      // The undiffracted beam may stand on one pixel in the middle.
      const bool beam = std::abs(y - w / 2) <= 2 && std::abs(x - w / 2) <= 2;
      if (!beam && mean * n > 20 && mean > 5 * *high) ++odd.hot;
    }
  return odd;
}

PatternFigures figures_of(const Experiment& e, double type_limit) {
  PatternFigures f;
  find_extremes(e, beyond_disc(e), f);
  find_saturated(e, type_limit, f);
  return f;
}

Descan find_descan(const Experiment& e, const std::vector<Position>& positions) {
  constexpr double least = 0.2;  // px
  const i64 n = e.patterns->count(), w = e.patterns->window();
  const Bounds scan = bounds_of(positions);
  const auto beyond_middle = [&](i64 i, double Position::*axis) {
    return positions[static_cast<std::size_t>(i)].*axis > (scan.low.*axis + scan.high.*axis) / 2;
  };
  constexpr std::array axes{&Position::row, &Position::col};
  std::vector<Array<double, 2>> halves;  // of the rows, then of the columns
  for (int half = 0; half < 4; ++half) halves.emplace_back(std::array{w, w});
  std::vector<float> pattern(static_cast<std::size_t>(w * w));
  for (i64 i = 0; i < n; ++i) {
    e.patterns->load(i, pattern.data());
    for (std::size_t a = 0; a < 2; ++a) {
      auto& sum = halves[2 * a + (beyond_middle(i, axes[a]) ? 1 : 0)];
      std::transform(sum.begin(), sum.end(), pattern.begin(), sum.begin(), std::plus<>());
    }
  }
  const auto valid = centred<float>(e.valid.view());
  const auto moved = [&](std::size_t first) -> std::optional<Position> {
    std::array<std::optional<Disc>, 2> disc;
    for (std::size_t half = 0; half < 2; ++half)
      disc[half] = fit_disc(centred<double>(halves[first + half].view()), valid.view());
    if (!disc[0] || !disc[1]) return {};
    const Position by{disc[1]->row - disc[0]->row, disc[1]->col - disc[0]->col};
    const double ragged = std::max(disc[0]->spread, disc[1]->spread);
    if (std::hypot(by.row, by.col) < std::max(least, 2 * ragged)) return {};
    return by;
  };
  return {moved(0), moved(2)};
}

}  // namespace ptyle
