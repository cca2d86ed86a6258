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

PatternFigures figures_of(const Experiment& e) {
  PatternFigures f;
  const i64 n = e.patterns->count(), w = e.patterns->window();
  const auto beyond = beyond_disc(e);
  std::vector<float> pattern(static_cast<std::size_t>(w * w));
  f.smallest = std::numeric_limits<double>::max();
  for (i64 i = 0; i < n; ++i) {
    e.patterns->load(i, pattern.data());
    double sum = 0, dark = 0;
    for (std::size_t k = 0; k < pattern.size(); ++k) {
      if (e.valid.data()[k] == 0) continue;
      const double v = static_cast<double>(pattern[k]) - e.offset;
      f.smallest = std::min(f.smallest, v);
      f.largest = std::max(f.largest, v);
      sum += v;
      if (beyond[k]) dark += v;
    }
    f.sums.push_back(sum);
    f.dark_field.push_back(dark);
  }
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
