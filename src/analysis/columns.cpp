#include "analysis/columns.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <numeric>
#include <utility>

#include "analysis/least_squares.hpp"
#include "analysis/neighbours.hpp"

namespace ptyle {
namespace {

/// amplitude · exp(−|r − centre|²/2σ²) + ground
struct Gaussian {
  double amplitude = 0, ground = 0, sigma = 1;
  Position centre;
};

struct Patch {
  i64 first_row, last_row, first_col, last_col;
};

Patch patch_around(const Position& p, double radius, const std::array<i64, 2>& shape) {
  const auto low = [&](double v) {
    return std::max<i64>(0, static_cast<i64>(std::ceil(v - radius)));
  };
  const auto high = [&](double v, i64 n) {
    return std::min<i64>(n - 1, static_cast<i64>(std::floor(v + radius)));
  };
  return {low(p.row), high(p.row, shape[0]), low(p.col), high(p.col, shape[1])};
}

template <class Work>
void for_pixels_within(View<const double, 2> image, const Position& p, double radius, Work&& work) {
  const Patch patch = patch_around(p, radius, image.shape);
  for (i64 y = patch.first_row; y <= patch.last_row; ++y)
    for (i64 x = patch.first_col; x <= patch.last_col; ++x) {
      const Position at{static_cast<double>(y), static_cast<double>(x)};
      if (distance(at, p) <= radius) work(at, image(y, x), y, x);
    }
}

/// The brightest 3 × 3 mean within the radius.
Position brightest(View<const double, 2> image, const Position& expected, double radius) {
  Position best = expected;
  double most = -std::numeric_limits<double>::infinity();
  for_pixels_within(image, expected, radius, [&](const Position& at, double, i64 y, i64 x) {
    double sum = 0;
    int n = 0;
    for (i64 v = std::max<i64>(0, y - 1); v <= std::min(image.shape[0] - 1, y + 1); ++v)
      for (i64 u = std::max<i64>(0, x - 1); u <= std::min(image.shape[1] - 1, x + 1); ++u) {
        sum += image(v, u);
        ++n;
      }
    if (sum / n > most) {
      most = sum / n;
      best = at;
    }
  });
  return best;
}

/// One Gauss–Newton step in all five unknowns; false where they are not determined.
bool newton_step(View<const double, 2> image, double radius, Gaussian& g) {
  LeastSquares<5> fit;
  for_pixels_within(image, g.centre, radius, [&](const Position& at, double value, i64, i64) {
    const double dy = at.row - g.centre.row, dx = at.col - g.centre.col;
    const double r2 = dy * dy + dx * dx, s2 = g.sigma * g.sigma;
    const double e = std::exp(-r2 / (2 * s2));
    const double residual = value - g.amplitude * e - g.ground;
    fit.add({e, 1, g.amplitude * e * dy / s2, g.amplitude * e * dx / s2,
             g.amplitude * e * r2 / (s2 * g.sigma)},
            residual);
  });
  std::array<double, 5> p{};
  if (!fit.solve(p)) return false;
  const double limit = 0.25 * radius;
  g.amplitude += p[0];
  g.ground += p[1];
  g.centre.row += std::clamp(p[2], -limit, limit);
  g.centre.col += std::clamp(p[3], -limit, limit);
  g.sigma += std::clamp(p[4], -0.3 * g.sigma, 0.3 * g.sigma);
  return true;
}

}  // namespace

std::vector<AtomColumn> gather_columns(std::span<const ProjectedAtom> atoms, double width) {
  // heaviest first, so that a column stands where its heaviest atoms do
  std::vector<ProjectedAtom> sorted(atoms.begin(), atoms.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.number > b.number; });
  std::vector<AtomColumn> columns;
  std::vector<Position> at;  // of the columns: the means of their atoms, of `sums`
  std::vector<std::pair<Position, int>> sums;
  Cells cells(at, 1.001 * width);  // somewhat wider, however p / side is rounded
  for (const ProjectedAtom& atom : sorted) {
    auto near = static_cast<i64>(at.size());  // the first that is
    cells.around(atom.position, [&](i64 i) {
      if (i < near && distance(at[i], atom.position) <= width) near = i;
    });
    if (near == static_cast<i64>(at.size())) {
      columns.push_back({atom.number, {}});
      at.push_back(atom.position);
      sums.emplace_back(atom.position, 1);
      cells.add(near);
    } else if (columns[near].number == atom.number) {
      const Position before = at[near];
      auto& [sum, atoms] = sums[near];
      sum.row += atom.position.row;
      sum.col += atom.position.col;
      ++atoms;
      at[near] = {sum.row / atoms, sum.col / atoms};
      cells.moved(near, before);
    }
  }
  for (std::size_t i = 0; i < columns.size(); ++i) columns[i].position = at[i];
  return columns;
}

std::vector<double> half_distances(std::span<const AtomColumn> columns) {
  std::vector<std::size_t> by_row(columns.size());
  std::iota(by_row.begin(), by_row.end(), std::size_t{0});
  const auto row = [&](std::size_t i) { return columns[i].position.row; };
  std::sort(by_row.begin(), by_row.end(),
            [&](std::size_t a, std::size_t b) { return row(a) < row(b); });
  std::vector<double> half(columns.size(), std::numeric_limits<double>::infinity());
  // From row to row, until they alone are as far away as the nearest that was found.
  const auto look = [&](std::size_t i, auto from, auto to) {
    for (; from != to && 0.5 * std::abs(row(*from) - row(i)) < half[i]; ++from)
      half[i] = std::min(half[i], 0.5 * distance(columns[i].position, columns[*from].position));
  };
  for (auto at = by_row.begin(); at != by_row.end(); ++at) {
    look(*at, at + 1, by_row.end());
    look(*at, std::make_reverse_iterator(at), by_row.rend());
  }
  return half;
}

std::optional<Position> find_peak(View<const double, 2> image, Position expected, double radius) {
  Gaussian g;
  g.centre = brightest(image, expected, radius);
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for_pixels_within(image, g.centre, radius, [&](const Position&, double value, i64, i64) {
    low = std::min(low, value);
    high = std::max(high, value);
  });
  if (!(high > low)) return std::nullopt;
  g.ground = low;
  g.amplitude = high - low;
  g.sigma = radius / 2.5;
  for (int i = 0; i < 50; ++i) {
    const Position before = g.centre;
    if (!newton_step(image, radius, g)) return std::nullopt;
    if (distance(g.centre, expected) > 2 * radius) return std::nullopt;
    if (distance(g.centre, before) < 1e-5 && i > 2) break;
  }
  const bool is_peak = g.amplitude > 0 && g.sigma > 0.3 && g.sigma < 2 * radius;
  if (!is_peak || !(distance(g.centre, expected) <= radius)) return std::nullopt;
  return g.centre;
}

}  // namespace ptyle
