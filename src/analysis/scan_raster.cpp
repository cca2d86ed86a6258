#include "analysis/scan_raster.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "analysis/least_squares.hpp"
#include "core/bounds.hpp"
#include "core/matrix2.hpp"
#include "core/quantile.hpp"

namespace ptyle {
namespace {

constexpr double most_off = 0.25;     // of a step, r.m.s.
constexpr double least_filled = 0.6;  // of the raster
constexpr double elsewhere = 0.5;     // of the fast step: what leads to another line
constexpr double close_lines = 0.05;  // the same, of what jumps back along the line

Position operator-(Position a, Position b) { return {a.row - b.row, a.col - b.col}; }
Position operator*(double f, Position p) { return {f * p.row, f * p.col}; }
double dot(Position a, Position b) { return a.row * b.row + a.col * b.col; }
double length(Position p) { return std::hypot(p.row, p.col); }

/// The median of each coordinate.
Position median(const std::vector<Position>& all) {
  std::vector<double> rows, cols;
  for (const Position& p : all) rows.push_back(p.row), cols.push_back(p.col);
  return {upper_median(rows), upper_median(cols)};
}

std::vector<Position> steps_of(std::span<const Position> p) {
  std::vector<Position> steps;
  for (std::size_t i = 1; i < p.size(); ++i) steps.push_back(p[i] - p[i - 1]);
  return steps;
}

/// Along the line; 0 where positions do not move.
Position fast_step(const std::vector<Position>& steps) {
  std::vector<double> lengths;
  for (const Position& s : steps) lengths.push_back(length(s));
  const double usual = upper_median(lengths);
  std::vector<Position> alike;
  for (const Position& s : steps) {
    if (!(length(s) > 0) || length(s) > (1 + elsewhere) * usual) continue;
    alike.push_back(alike.empty() || dot(s, alike.front()) >= 0 ? s : -1.0 * s);
  }
  return alike.empty() ? Position{} : median(alike);
}

/// From line to line, by steps that lead as far as `least` beside the line; where `jumps`, only
/// those that are no step along it. 0: there are none.
Position slow_step(const std::vector<Position>& steps, Position fast, double least, bool jumps) {
  std::vector<Position> between;
  for (const Position& s : steps) {
    const double along = std::round(dot(s, fast) / dot(fast, fast));
    const Position across = s - along * fast;
    if (!(length(across) > least * length(fast)) || (jumps && std::abs(along) == 1)) continue;
    between.push_back(between.empty() || dot(across, between.front()) >= 0 ? across
                                                                           : -1.0 * across);
  }
  return between.empty() ? Position{} : median(between);
}

/// position = origin + i · slow + j · fast
struct Lattice {
  Position origin, slow, fast;
  [[nodiscard]] std::array<double, 2> at(Position p) const {
    const Matrix2 steps{slow.row, fast.row, slow.col, fast.col};
    return times(inverse(steps), Vector2{p.row - origin.row, p.col - origin.col});
  }
};

/// The lattice through the positions within `reach` of its origin, each at the place nearest to it.
void refit(Lattice& lattice, std::span<const Position> positions, double reach) {
  LeastSquares<3> rows, cols;
  for (const Position& p : positions) {
    if (distance(p, lattice.origin) > reach) continue;
    const auto [i, j] = lattice.at(p);
    const std::array<double, 3> place{1, std::round(i), std::round(j)};
    rows.add(place, p.row);
    cols.add(place, p.col);
  }
  std::array<double, 3> row{}, col{};
  if (!rows.solve(row) || !cols.solve(col)) return;
  lattice = {{row[0], col[0]}, {row[1], col[1]}, {row[2], col[2]}};
}

/// Nothing where places are taken twice, or positions lie far from them.
std::optional<ScanRaster> raster_on(const Lattice& lattice, std::span<const Position> positions) {
  constexpr i64 most = std::numeric_limits<int>::max();
  std::array<i64, 2> low{most, most}, high{-most, -most};
  std::vector<std::array<i64, 2>> places;
  double squares = 0;
  for (const Position& p : positions) {
    const auto at = lattice.at(p);
    std::array<i64, 2> place{};
    for (std::size_t a = 0; a < 2; ++a) {
      if (!(std::abs(at[a]) < 1e6)) return {};
      place[a] = std::lround(at[a]);
      squares += std::pow(at[a] - static_cast<double>(place[a]), 2);
      low[a] = std::min(low[a], place[a]);
      high[a] = std::max(high[a], place[a]);
    }
    places.push_back(place);
  }
  const auto n = static_cast<double>(places.size());
  if (std::sqrt(squares / (2 * n)) > most_off) return {};
  ScanRaster raster{{high[0] - low[0] + 1, high[1] - low[1] + 1}, lattice.slow, lattice.fast, {}};
  std::set<i64> taken;
  for (const auto& place : places) {
    raster.places.push_back((place[0] - low[0]) * raster.shape[1] + place[1] - low[1]);
    taken.insert(raster.places.back());
  }
  const auto all = static_cast<double>(raster.shape[0] * raster.shape[1]);
  if (raster.shape[0] < 2 || raster.shape[1] < 2 ||
      static_cast<double>(taken.size()) < least_filled * all || taken.size() < places.size())
    return {};
  return raster;
}

}  // namespace

std::optional<ScanRaster> scan_raster(std::span<const Position> positions) {
  if (positions.size() < 4) return {};
  const auto steps = steps_of(positions);
  const Position fast = fast_step(steps);
  if (!(length(fast) > 0)) return {};
  Position slow = slow_step(steps, fast, elsewhere, false);
  if (!(length(slow) > 0)) slow = slow_step(steps, fast, close_lines, true);
  if (!(length(slow) > 0)) return {};
  const Bounds scan = bounds_of(positions);
  const Position middle{(scan.low.row + scan.high.row) / 2, (scan.low.col + scan.high.col) / 2};
  const Position start = *std::min_element(
      positions.begin(), positions.end(),
      [&](Position a, Position b) { return distance(a, middle) < distance(b, middle); });
  Lattice lattice{start, slow, fast};
  const double whole = 2 * std::hypot(scan.rows(), scan.cols());
  for (double reach = 4 * std::max(length(slow), length(fast)); reach < 2 * whole; reach *= 2)
    refit(lattice, positions, reach);
  return raster_on(lattice, positions);
}

}  // namespace ptyle
