#include "analysis/columns.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <map>
#include <numeric>
#include <utility>

#include "analysis/least_squares.hpp"

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

/// A column that atoms are gathered into; it moves with their mean.
struct Gathered {
  AtomColumn column;
  Position sum;
  int atoms = 0;
};

/// The numbers of columns by square cells, a little wider than a column however p / side is
/// rounded, to look up those near an atom.
class ColumnCells {
 public:
  ColumnCells(const std::vector<Gathered>& all, double width) : all_(all), width_(width) {}
  void add(std::size_t column) { cells_[cell(position(column))].push_back(column); }
  void moved(std::size_t column, const Position& from) {
    if (cell(from) == cell(position(column))) return;
    std::erase(cells_[cell(from)], column);
    add(column);
  }
  /// The first of the columns within a width of a place; their number where there is none.
  [[nodiscard]] std::size_t first_near(const Position& at) const {
    std::size_t first = all_.size();
    const auto [y, x] = cell(at);
    for (i64 v = y - 1; v <= y + 1; ++v)
      for (i64 u = x - 1; u <= x + 1; ++u)
        if (const auto found = cells_.find({v, u}); found != cells_.end())
          for (const std::size_t column : found->second)
            if (column < first && distance(position(column), at) <= width_) first = column;
    return first;
  }

 private:
  [[nodiscard]] const Position& position(std::size_t column) const {
    return all_[column].column.position;
  }
  [[nodiscard]] std::pair<i64, i64> cell(const Position& p) const {
    const double side = 1.001 * width_;
    return {static_cast<i64>(std::floor(p.row / side)), static_cast<i64>(std::floor(p.col / side))};
  }
  const std::vector<Gathered>& all_;
  double width_;
  std::map<std::pair<i64, i64>, std::vector<std::size_t>> cells_;
};

}  // namespace

std::vector<AtomColumn> gather_columns(std::span<const ProjectedAtom> atoms, double width) {
  // heaviest first, so that a column stands where its heaviest atoms do
  std::vector<ProjectedAtom> sorted(atoms.begin(), atoms.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.number > b.number; });
  std::vector<Gathered> all;
  ColumnCells cells(all, width);
  for (const ProjectedAtom& atom : sorted) {
    const std::size_t near = cells.first_near(atom.position);
    if (near == all.size()) {
      all.push_back({{atom.number, atom.position}, atom.position, 1});
      cells.add(near);
    } else if (Gathered& g = all[near]; g.column.number == atom.number) {
      const Position before = g.column.position;
      g.sum.row += atom.position.row;
      g.sum.col += atom.position.col;
      ++g.atoms;
      g.column.position = {g.sum.row / g.atoms, g.sum.col / g.atoms};
      cells.moved(near, before);
    }
  }
  std::vector<AtomColumn> columns;
  for (const Gathered& g : all) columns.push_back(g.column);
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
