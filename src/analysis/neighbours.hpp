#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include "core/grid.hpp"

namespace ptyle {

/// The median, over up to 300 positions spread over the scan, of the distance to the k-th nearest
/// other one (k = 1: the nearest). 0 where there are not k others.
inline double neighbour_distance(const std::vector<Position>& positions, i64 k) {
  const i64 n = static_cast<i64>(positions.size()), stride = (n + 299) / 300;
  if (n <= k) return 0;
  std::vector<double> found, all(positions.size());
  for (i64 i = 0; i < n; i += stride) {
    std::transform(positions.begin(), positions.end(), all.begin(),
                   [&](Position p) { return distance(p, positions[i]); });
    std::nth_element(all.begin(), all.begin() + k, all.end());  // [0] is the position itself
    found.push_back(all[k]);
  }
  const auto middle = found.begin() + static_cast<std::ptrdiff_t>(found.size() / 2);
  std::nth_element(found.begin(), middle, found.end());
  return *middle;
}

/// Positions sorted into square cells, to look up those around a place. They may grow in number and
/// move, if it is said.
class Cells {
 public:
  Cells(const std::vector<Position>& positions, double side) : positions_(positions), side_(side) {
    for (std::size_t i = 0; i < positions.size(); ++i) add(static_cast<i64>(i));
  }
  void add(i64 number) { cells_[cell(positions_[number])].push_back(number); }
  void moved(i64 number, Position from) {
    if (cell(from) == cell(positions_[number])) return;
    std::erase(cells_[cell(from)], number);
    add(number);
  }
  /// Calls use(number) for every position within `side` of a place.
  template <class Use>
  void around(Position at, Use&& use) const {
    const auto [y, x] = cell(at);
    for (i64 dy = -1; dy <= 1; ++dy)
      for (i64 dx = -1; dx <= 1; ++dx)
        if (const auto found = cells_.find({y + dy, x + dx}); found != cells_.end())
          for (i64 i : found->second)
            if (distance(positions_[i], at) <= side_) use(i);
  }

 private:
  [[nodiscard]] std::pair<i64, i64> cell(Position p) const {
    return {static_cast<i64>(std::floor(p.row / side_)),
            static_cast<i64>(std::floor(p.col / side_))};
  }
  const std::vector<Position>& positions_;
  double side_;
  std::map<std::pair<i64, i64>, std::vector<i64>> cells_;
};

}  // namespace ptyle
