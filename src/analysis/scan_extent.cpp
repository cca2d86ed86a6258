#include "analysis/scan_extent.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "analysis/area.hpp"
#include "analysis/neighbours.hpp"
#include "core/bounds.hpp"

namespace ptyle {
namespace {

double area_of(const std::vector<Position>& hull) {
  double twice = 0;
  for (std::size_t i = 2; i < hull.size(); ++i) {
    const Position &o = hull[0], &a = hull[i - 1], &b = hull[i];
    twice += (a.row - o.row) * (b.col - o.col) - (a.col - o.col) * (b.row - o.row);
  }
  const Bounds box = bounds_of(hull);
  const double area = twice / 2, of_box = box.rows() * box.cols();
  return std::abs(area - of_box) < 1e-9 * of_box ? of_box : area;  // a rectangle, to rounding
}

}  // namespace

ScanExtent scan_extent(std::span<const Position> positions) {
  ScanExtent scan;
  if (positions.size() < 2) return scan;
  Ordered ordered({positions.begin(), positions.end()});
  const double apart = neighbour_distance(positions, ordered, 4);
  if (apart > 0) ordered.drop_lonely(5 * apart);
  const auto count = static_cast<double>(ordered.positions().size());
  const std::vector<Position> hull = convex_hull(std::move(ordered).positions());
  scan.area = area_of(hull);
  for (const Position& a : hull)
    for (const Position& b : hull) scan.length = std::max(scan.length, distance(a, b));
  scan.step = std::max(std::sqrt(scan.area / count), scan.length / count);
  if (apart > 0) scan.step = std::min(scan.step, apart);
  return scan;
}

}  // namespace ptyle
