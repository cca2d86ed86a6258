#pragma once

// The object's support: the pixels that the window of some position reaches. Everything else is
// vacuum in every fit, so that no tile needs to hold it: the corners about a turned or round scan.

#include <cstdint>
#include <span>
#include <vector>

#include "core/box.hpp"
#include "core/ledger.hpp"

namespace ptyle {

/// The window W×W about its centre.
constexpr Box window_about(Pixel centre, i64 window) {
  const i64 row = centre.row - window / 2, col = centre.col - window / 2;
  return {{row, row + window}, {col, col + window}};
}

/// A box and so many pixels more on each side.
constexpr Box grown(const Box& box, i64 before, i64 after) {
  return {{box.rows.begin - before, box.rows.end + after},
          {box.cols.begin - before, box.cols.end + after}};
}
constexpr Box grown(const Box& box, i64 by) { return grown(box, by, by); }

/// The smallest box that holds every window. Throws std::invalid_argument without positions.
Box reach(std::span<const Pixel> centres, i64 window);

class Support {
 public:
  /// Of windows that may move by `margin` px each way.
  Support(std::span<const Pixel> centres, i64 window, i64 margin);

  /// The smallest box that holds the support's pixels in `part`; empty where there are none.
  [[nodiscard]] Box within(const Box& part) const;
  /// The same of the windows' centres.
  [[nodiscard]] Box centres_within(const Box& part) const;
  /// True if all pixels of `part` belong to the support.
  [[nodiscard]] bool covers(const Box& part) const;
  /// 1 for a pixel of `part` that belongs to the support, else 0; empty where all belong to it.
  /// The ledger books it as "object".
  [[nodiscard]] Array<std::uint8_t, 2> mask(const Box& part, Ledger* ledger = nullptr) const;

 private:
  template <class Use>
  void for_each_near(const Box& part, Use&& use) const;
  [[nodiscard]] Array<std::int32_t, 2> counts(const Box& part, i64 cell) const;
  template <class Use>
  void for_each_window(const Box& part, Use&& use) const;

  i64 window_, margin_, side_;  // side_: of a square bin, px
  Pixel corner_;                // the first bin's
  i64 rows_ = 0, cols_ = 0;     // of bins
  std::vector<std::size_t> first_;
  std::vector<Pixel> centres_;  // bin by bin
};

}  // namespace ptyle
