#pragma once

// The object's support: the pixels that the window of some position reaches. Everything else is
// vacuum in every fit, so that no tile needs to hold it: the corners about a turned or round scan.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "core/box.hpp"
#include "core/ledger.hpp"
#include "tiles/near.hpp"

namespace ptyle {

/// The centres, of `count` windows, that a Support needs within `part`.
std::vector<Pixel> centres_near(const Box& part, i64 window, i64 margin, i64 count,
                                const std::function<Pixel(i64)>& centre);

class Support {
 public:
  /// The windows may move by `margin` px each way; `centres` must outlive it.
  Support(std::span<const Pixel> centres, i64 window, i64 margin)
      : window_(window), margin_(margin), centres_(centres), near_(centres_) {}
  Support(const Support&) = delete;
  Support& operator=(const Support&) = delete;

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
  [[nodiscard]] bool surely_covers(const Box& part) const;
  [[nodiscard]] Array<std::int32_t, 2> counts(const Box& part, i64 cell) const;
  template <class Use>
  void for_each_window(const Box& part, Use&& use) const;

  i64 window_, margin_;
  std::span<const Pixel> centres_;
  Buckets near_;
};

}  // namespace ptyle
