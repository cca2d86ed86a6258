#pragma once

#include <algorithm>

#include "core/array.hpp"

namespace ptyle {

/// Object pixels begin … end − 1 along one axis.
struct Interval {
  i64 begin = 0, end = 0;
  [[nodiscard]] constexpr i64 size() const { return std::max<i64>(0, end - begin); }
  [[nodiscard]] constexpr bool empty() const { return end <= begin; }
  [[nodiscard]] constexpr bool contains(i64 i) const { return begin <= i && i < end; }
  [[nodiscard]] constexpr bool contains(Interval o) const {
    return o.empty() || (begin <= o.begin && o.end <= end);
  }
  friend constexpr bool operator==(const Interval&, const Interval&) = default;
};

/// The part that two intervals share; empty where they do not meet.
constexpr Interval intersection(Interval a, Interval b) {
  return {std::max(a.begin, b.begin), std::min(a.end, b.end)};
}

/// An object pixel.
struct Pixel {
  i64 row = 0, col = 0;
};

/// A rectangle of object pixels, in the whole object's coordinates.
struct Box {
  Interval rows, cols;
  [[nodiscard]] constexpr i64 area() const { return rows.size() * cols.size(); }
  [[nodiscard]] constexpr bool empty() const { return rows.empty() || cols.empty(); }
  [[nodiscard]] constexpr bool contains(Pixel p) const {
    return rows.contains(p.row) && cols.contains(p.col);
  }
  [[nodiscard]] constexpr bool contains(const Box& o) const {
    return o.empty() || (rows.contains(o.rows) && cols.contains(o.cols));
  }
  friend constexpr bool operator==(const Box&, const Box&) = default;
};

constexpr Box intersection(const Box& a, const Box& b) {
  return {intersection(a.rows, b.rows), intersection(a.cols, b.cols)};
}

/// A box and so many pixels more on each side.
constexpr Box grown(const Box& box, i64 before, i64 after) {
  return {{box.rows.begin - before, box.rows.end + after},
          {box.cols.begin - before, box.cols.end + after}};
}
constexpr Box grown(const Box& box, i64 by) { return grown(box, by, by); }

/// The smallest box that holds both; an empty one adds nothing.
constexpr Box hull(const Box& a, const Box& b) {
  if (a.empty()) return b;
  if (b.empty()) return a;
  return {{std::min(a.rows.begin, b.rows.begin), std::max(a.rows.end, b.rows.end)},
          {std::min(a.cols.begin, b.cols.begin), std::max(a.cols.end, b.cols.end)}};
}

}  // namespace ptyle
