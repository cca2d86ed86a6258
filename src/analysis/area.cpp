#include "analysis/area.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/bounds.hpp"

namespace ptyle {
namespace {

/// Twice the signed area of the triangle o, a, b.
double cross(const Position& o, const Position& a, const Position& b) {
  return (a.row - o.row) * (b.col - o.col) - (a.col - o.col) * (b.row - o.row);
}

}  // namespace

std::vector<Position> convex_hull(std::vector<Position> sorted) {
  std::erase_if(sorted,
                [](const Position& p) { return !std::isfinite(p.row) || !std::isfinite(p.col); });
  std::sort(sorted.begin(), sorted.end(), [](const Position& a, const Position& b) {
    return a.row < b.row || (a.row == b.row && a.col < b.col);
  });
  if (sorted.size() < 3) return sorted;
  // the lower chain forwards, then the upper one backwards
  std::vector<Position> hull;
  const auto add = [&](const Position& p, std::size_t keep) {
    while (hull.size() >= keep + 2 && cross(hull[hull.size() - 2], hull.back(), p) <= 0)
      hull.pop_back();
    hull.push_back(p);
  };
  for (const Position& p : sorted) add(p, 0);
  const std::size_t lower = hull.size() - 1;
  for (auto p = sorted.rbegin() + 1; p != sorted.rend(); ++p) add(*p, lower);
  hull.pop_back();
  return hull;
}

Array<unsigned char, 2> ScanArea::mask() const {
  Array<unsigned char, 2> inside(depth.shape());
  std::transform(depth.begin(), depth.end(), inside.begin(),
                 [](double d) { return static_cast<unsigned char>(d >= 0); });
  return inside;
}

Array<double, 2> ScanArea::taper(double width) const {
  const double sigma = width / 9;
  const auto reach = static_cast<i64>(std::floor(width / 2));
  std::vector<double> kernel;
  double total = 0;
  for (i64 k = -reach; k <= reach; ++k) {
    const double t = sigma > 0 ? static_cast<double>(k) / sigma : 0;
    total += kernel.emplace_back(std::exp(-t * t / 2));
  }
  const auto [rows, cols] = depth.shape();
  Array<double, 2> along(depth.shape()), weight(depth.shape());
  for (i64 y = 0; y < rows; ++y)
    for (i64 x = 0; x < cols; ++x)
      for (i64 k = std::max(-reach, -x); k <= std::min(reach, cols - 1 - x); ++k)
        if (depth(y, x + k) >= width / 2)
          along(y, x) += kernel[static_cast<std::size_t>(k + reach)] / total;
  for (i64 y = 0; y < rows; ++y)
    for (i64 k = std::max(-reach, -y); k <= std::min(reach, rows - 1 - y); ++k)
      for (i64 x = 0; x < cols; ++x)
        if (depth(y, x) >= 0)
          weight(y, x) += kernel[static_cast<std::size_t>(k + reach)] / total * along(y + k, x);
  return weight;
}

ScanArea scan_area(std::span<const Position> positions, const std::array<i64, 2>& shape) {
  ScanArea area;
  const std::vector<Position> hull = convex_hull({positions.begin(), positions.end()});
  if (hull.size() < 3) return area;
  const auto [low, high] = bounds_of(hull);
  // a hair outside the hull still counts as on its edge
  constexpr double hair = 1e-6;
  const auto first = [](double v) {
    return std::max<i64>(0, static_cast<i64>(std::ceil(v - hair)));
  };
  const auto last = [](double v, i64 n) {
    return std::min<i64>(n - 1, static_cast<i64>(std::floor(v + hair)));
  };
  area.first_row = first(low.row);
  area.first_col = first(low.col);
  const i64 rows = last(high.row, shape[0]) - area.first_row + 1;
  const i64 cols = last(high.col, shape[1]) - area.first_col + 1;
  if (rows <= 0 || cols <= 0) return area;
  area.depth = Array<double, 2>({rows, cols});
  area.depth.fill(std::numeric_limits<double>::infinity());
  for (std::size_t i = 0; i < hull.size(); ++i) {
    const Position &a = hull[i], &b = hull[(i + 1) % hull.size()];
    const double length = std::hypot(b.row - a.row, b.col - a.col);
    for (i64 y = 0; y < rows; ++y)
      for (i64 x = 0; x < cols; ++x) {
        const Position p{static_cast<double>(area.first_row + y),
                         static_cast<double>(area.first_col + x)};
        double& depth = area.depth(y, x);
        depth = std::min(depth, cross(a, b, p) / length);
      }
  }
  for (double& d : area.depth)
    if (d < 0 && d > -hair) d = 0;
  return area;
}

}  // namespace ptyle
