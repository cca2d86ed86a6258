#pragma once

#include <cmath>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "core/grid.hpp"

namespace ptyle {

/// Positions in the order of the axis along which they extend farther: those near one of them are
/// found beside it. Only finite ones.
class Ordered {
 public:
  explicit Ordered(std::vector<Position> positions);

  /// The distance from a place to the k-th nearest position (0: the nearest, itself where it is
  /// one). Throws std::out_of_range where there are not so many.
  [[nodiscard]] double to_nearest(Position at, i64 k) const;
  /// Leaves out those without another one within so far.
  void drop_lonely(double radius);
  [[nodiscard]] const std::vector<Position>& positions() const& { return positions_; }
  [[nodiscard]] std::vector<Position> positions() && { return std::move(positions_); }

 private:
  [[nodiscard]] bool lonely(std::size_t i, double radius) const;
  std::vector<Position> positions_;
  double Position::*along_;
};

/// The median, over up to 300 positions spread over the scan, of the distance to the k-th nearest
/// other one (k = 1: the nearest). 0 where there are not k others.
double neighbour_distance(std::span<const Position> positions, const Ordered& ordered, i64 k);
double neighbour_distance(std::span<const Position> positions, i64 k);

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
