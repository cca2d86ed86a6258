#include "tiles/support.hpp"

#include <algorithm>
#include <stdexcept>

namespace ptyle {

std::vector<Pixel> centres_near(const Box& part, i64 window, i64 margin, i64 count,
                                const std::function<Pixel(i64)>& centre) {
  const Box near = grown(part, window + margin);
  std::vector<Pixel> centres;
  for (i64 i = 0; i < count; ++i)
    if (const Pixel at = centre(i); near.contains(at)) centres.push_back(at);
  return centres;
}

/// Calls use(what it shares with `part`) for each window that meets it, until it returns false.
template <class Use>
void Support::for_each_window(const Box& part, Use&& use) const {
  if (part.empty()) return;
  near_.in(grown(part, window_ + margin_), [&](i64 i) {
    const Pixel centre = centres_[static_cast<std::size_t>(i)];
    const Box met = intersection(grown(window_about(centre, window_), margin_), part);
    return met.empty() || use(met);
  });
}

Box Support::centres_within(const Box& part) const {
  Box all;
  near_.in(part, [&](i64 i) {
    const Pixel p = centres_[static_cast<std::size_t>(i)];
    all = hull(all, {{p.row, p.row + 1}, {p.col, p.col + 1}});
  });
  return all;
}

Box Support::within(const Box& part) const {
  if (part.empty()) return {};
  const auto is_reached = [&](i64 row, i64 col) {
    bool reached = false;
    for_each_window({{row, row + 1}, {col, col + 1}}, [&](const Box&) {
      reached = true;
      return false;
    });
    return reached;
  };
  // Inside a scan two corners are enough, which takes no look at all the windows.
  if (is_reached(part.rows.begin, part.cols.begin) &&
      is_reached(part.rows.end - 1, part.cols.end - 1))
    return part;
  Box all;
  for_each_window(part, [&](const Box& met) {
    all = hull(all, met);
    return all != part;
  });
  return all;
}

/// How many windows hold each square cell of `part` from its first pixel on; as much as lies in it
/// of the last ones.
Array<std::int32_t, 2> Support::counts(const Box& part, i64 cell) const {
  // How many begin less how many end before each cell; summed along both axes.
  const auto cells = [&](i64 pixels) { return (pixels + cell - 1) / cell; };
  const i64 rows = cells(part.rows.size()), cols = cells(part.cols.size());
  Array<std::int32_t, 2> count({rows + 1, cols + 1});
  const auto held = [&](Interval met, Interval of) {
    const i64 end = met.end - of.begin;
    return Interval{cells(met.begin - of.begin), met.end == of.end ? cells(end) : end / cell};
  };
  for_each_window(part, [&](const Box& met) {
    const Interval r = held(met.rows, part.rows), c = held(met.cols, part.cols);
    if (r.empty() || c.empty()) return true;
    ++count(r.begin, c.begin), --count(r.begin, c.end);
    --count(r.end, c.begin), ++count(r.end, c.end);
    return true;
  });
  for (i64 r = 0; r <= rows; ++r)
    for (i64 c = 1; c <= cols; ++c) count(r, c) += count(r, c - 1);
  for (i64 r = 1; r <= rows; ++r)
    for (i64 c = 0; c <= cols; ++c) count(r, c) += count(r - 1, c);
  return count;
}

namespace {

bool none_is_zero(View<const std::int32_t, 2> count) {
  for (i64 r = 0; r + 1 < count.shape[0]; ++r)
    for (i64 c = 0; c + 1 < count.shape[1]; ++c)
      if (count(r, c) == 0) return false;
  return true;
}

}  // namespace

/// A dense scan holds large cells whole, which are quickly counted.
bool Support::surely_covers(const Box& part) const {
  return part.empty() || none_is_zero(counts(part, std::max<i64>(1, window_ / 8)).view());
}

bool Support::covers(const Box& part) const {
  return surely_covers(part) || none_is_zero(counts(part, 1).view());
}

Array<std::uint8_t, 2> Support::mask(const Box& part, Ledger* ledger) const {
  if (surely_covers(part)) return {};
  const auto count = counts(part, 1);
  if (none_is_zero(count.view())) return {};
  Array<std::uint8_t, 2> mask({part.rows.size(), part.cols.size()}, ledger, "object");
  for (i64 r = 0; r < part.rows.size(); ++r)
    for (i64 c = 0; c < part.cols.size(); ++c) mask(r, c) = count(r, c) > 0;
  return mask;
}

}  // namespace ptyle
