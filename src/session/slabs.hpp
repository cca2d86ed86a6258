#pragma once

// How the ranks divide the writing of an object's file. It is cut into slabs, some rows of one
// slice each, which lie one after the other in the file. A few of the ranks write, a slab each at a
// time:
//
//   round      0           1
//   slab     0 1 2 3     4 5 6 7    …
//   writer   0 1 2 3     0 1 2 3

#include <algorithm>
#include <array>
#include <vector>

#include "core/box.hpp"
#include "exchange/team.hpp"
#include "io/rows_at_a_time.hpp"

namespace ptyle {

/// The ranks that write, ascending, rank 0 first: enough of them for the disks of a cluster, spread
/// evenly, so that they are on different machines where there are several.
inline std::vector<int> writing_ranks(int ranks) {
  constexpr int most = 16;
  std::vector<int> writers(static_cast<std::size_t>(std::clamp(ranks, 1, most)));
  for (std::size_t w = 0; w < writers.size(); ++w)
    writers[w] = static_cast<int>(w * static_cast<std::size_t>(ranks) / writers.size());
  return writers;
}

/// The same of a team, whose process that leads writes alone where it has all ranks.
inline std::vector<int> writing_ranks(const Team& team) {
  return writing_ranks(static_cast<int>(team.here().size()) == team.size() ? 1 : team.size());
}

struct Slab {
  i64 z = 0;
  Interval rows;  ///< counted from the object's first
};

class Slabs {
 public:
  /// `shape`: (slices, rows, columns).
  explicit Slabs(const std::array<i64, 3>& shape)
      : shape_(shape),
        most_(rows_at_a_time(shape[1], shape[2])),
        of_a_slice_((shape[1] + most_ - 1) / most_),
        count_(shape[0] * of_a_slice_) {}
  [[nodiscard]] i64 count() const { return count_; }
  [[nodiscard]] i64 most_rows() const { return most_; }
  /// Numbers of the largest one.
  [[nodiscard]] i64 most_values() const { return most_ * shape_[2]; }
  Slab operator[](i64 i) const {
    const i64 first = i % of_a_slice_ * most_;
    return {i / of_a_slice_, {first, std::min(first + most_, shape_[1])}};
  }
  /// The number, among all numbers of the object, of its first one.
  [[nodiscard]] i64 first_value(const Slab& slab) const {
    return (slab.z * shape_[1] + slab.rows.begin) * shape_[2];
  }
  /// Those that `writers` write in this round, fewer in the last.
  [[nodiscard]] std::vector<Slab> round(i64 number, std::size_t writers) const {
    const auto n = static_cast<i64>(writers);
    std::vector<Slab> slabs;
    for (i64 i = number * n; i < std::min((number + 1) * n, count_); ++i)
      slabs.push_back((*this)[i]);
    return slabs;
  }
  [[nodiscard]] i64 rounds(std::size_t writers) const {
    return (count_ + static_cast<i64>(writers) - 1) / static_cast<i64>(writers);
  }

 private:
  std::array<i64, 3> shape_;
  i64 most_, of_a_slice_, count_;
};

}  // namespace ptyle
