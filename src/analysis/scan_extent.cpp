#include "analysis/scan_extent.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "analysis/area.hpp"
#include "analysis/neighbours.hpp"
#include "core/bounds.hpp"

namespace ptyle {
namespace {

/// Step 2.
std::vector<Position> without_outliers(const std::vector<Position>& positions, double near) {
  if (!(near > 0)) return positions;
  const Cells cells(positions, near);
  std::vector<Position> left;
  std::copy_if(positions.begin(), positions.end(), std::back_inserter(left), [&](Position p) {
    int with_itself = 0;
    cells.around(p, [&](i64) { ++with_itself; });
    return with_itself > 1;
  });
  return left;
}

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

ScanExtent scan_extent(const std::vector<Position>& positions) {
  ScanExtent scan;
  if (positions.size() < 2) return scan;
  const double apart = neighbour_distance(positions, 4);
  const std::vector<Position> close = without_outliers(positions, 5 * apart);
  const std::vector<Position> hull = convex_hull(close);
  const auto count = static_cast<double>(close.size());
  scan.area = area_of(hull);
  for (const Position& a : hull)
    for (const Position& b : hull) scan.length = std::max(scan.length, distance(a, b));
  scan.step = std::max(std::sqrt(scan.area / count), scan.length / count);
  if (apart > 0) scan.step = std::min(scan.step, apart);
  return scan;
}

}  // namespace ptyle
