#pragma once

// Positions and their windows near a tile, found without a comparison of every position with every
// tile: they are sorted into square buckets once.

#include <span>
#include <type_traits>
#include <vector>

#include "core/box.hpp"

namespace ptyle {

/// The window W×W about its centre.
constexpr Box window_about(Pixel centre, i64 window) {
  const i64 row = centre.row - window / 2, col = centre.col - window / 2;
  return {{row, row + window}, {col, col + window}};
}

/// The smallest box that holds every window. Throws std::invalid_argument without positions.
Box reach(std::span<const Pixel> centres, i64 window);

class Buckets {
 public:
  /// `centres` must outlive it.
  explicit Buckets(std::span<const Pixel> centres);
  /// Numbers of the centres in a box, in no order; until `use` returns false, where it returns a
  /// bool.
  template <class Use>
  void in(const Box& box, Use&& use) const {
    const Interval rows = buckets_of(box.rows, all_.rows), cols = buckets_of(box.cols, all_.cols);
    for (i64 r = rows.begin; r < rows.end; ++r)
      for (i64 i = starts_[place(r, cols.begin)]; i < starts_[place(r, cols.end)]; ++i)
        if (const i64 number = numbers_[static_cast<std::size_t>(i)];
            box.contains(centres_[static_cast<std::size_t>(number)])) {
          if constexpr (std::is_same_v<decltype(use(number)), bool>) {
            if (!use(number)) return;
          } else {
            use(number);
          }
        }
  }

 private:
  /// Those that an interval touches, of those along an axis.
  [[nodiscard]] Interval buckets_of(Interval part, Interval all) const;
  [[nodiscard]] std::size_t place(i64 row, i64 col) const {
    return static_cast<std::size_t>(row * cols_ + col);
  }
  std::span<const Pixel> centres_;
  Box all_;
  i64 side_ = 1, cols_ = 0;
  std::vector<i64> starts_, numbers_;  // of the buckets, row by row, and the end of the last
};

}  // namespace ptyle
