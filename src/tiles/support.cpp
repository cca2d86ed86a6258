#include "tiles/support.hpp"

#include <algorithm>
#include <stdexcept>

namespace ptyle {

Box reach(std::span<const Pixel> centres, i64 window) {
  if (centres.empty()) throw std::invalid_argument("an object needs at least one position");
  Box all;
  for (const Pixel& p : centres) all = hull(all, window_about(p, window));
  return all;
}

Support::Support(std::span<const Pixel> centres, i64 window, i64 margin)
    : window_(window), margin_(margin), side_(window + 2 * margin) {
  const Box all = reach(centres, 1);
  corner_ = {all.rows.begin, all.cols.begin};
  rows_ = (all.rows.size() - 1) / side_ + 1;
  cols_ = (all.cols.size() - 1) / side_ + 1;
  const auto bin = [&](Pixel p) {
    return static_cast<std::size_t>((p.row - corner_.row) / side_ * cols_ +
                                    (p.col - corner_.col) / side_);
  };
  first_.assign(static_cast<std::size_t>(rows_ * cols_) + 1, 0);
  for (const Pixel& p : centres) ++first_[bin(p) + 1];
  for (std::size_t b = 1; b < first_.size(); ++b) first_[b] += first_[b - 1];
  centres_.resize(centres.size());
  std::vector<std::size_t> next(first_.begin(), first_.end() - 1);
  for (const Pixel& p : centres) centres_[next[bin(p)]++] = p;
}

/// Calls use(centre) for each centre in the bins about `part`, until it returns false.
template <class Use>
void Support::for_each_near(const Box& part, Use&& use) const {
  if (part.empty()) return;
  const Box near = grown(part, side_);  // of centres
  const auto bins = [&](Interval of, i64 from, i64 count) {
    const auto index = [&](i64 i) {
      return std::clamp<i64>(i < from ? 0 : (i - from) / side_, 0, count - 1);
    };
    return Interval{index(of.begin), index(of.end - 1) + 1};
  };
  const Interval rows = bins(near.rows, corner_.row, rows_),
                 cols = bins(near.cols, corner_.col, cols_);
  for (i64 r = rows.begin; r < rows.end; ++r)
    for (i64 c = cols.begin; c < cols.end; ++c) {
      const auto b = static_cast<std::size_t>(r * cols_ + c);
      for (std::size_t k = first_[b]; k < first_[b + 1]; ++k)
        if (!use(centres_[k])) return;
    }
}

/// Calls use(what it shares with `part`) for each window that meets it, until it returns false.
template <class Use>
void Support::for_each_window(const Box& part, Use&& use) const {
  for_each_near(part, [&](Pixel centre) {
    const Box met = intersection(grown(window_about(centre, window_), margin_), part);
    return met.empty() || use(met);
  });
}

Box Support::centres_within(const Box& part) const {
  Box all;
  for_each_near(part, [&](Pixel p) {
    if (part.contains(p)) all = hull(all, {{p.row, p.row + 1}, {p.col, p.col + 1}});
    return true;
  });
  return all;
}

Box Support::within(const Box& part) const {
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

bool Support::covers(const Box& part) const {
  const auto all_held = [&](i64 cell) {
    const auto count = counts(part, cell);
    const auto [rows, cols] = count.shape();
    for (i64 r = 0; r + 1 < rows; ++r)
      for (i64 c = 0; c + 1 < cols; ++c)
        if (count(r, c) == 0) return false;
    return true;
  };
  // A dense scan holds large cells whole, which are quickly counted.
  return part.empty() || all_held(std::max<i64>(1, window_ / 8)) || all_held(1);
}

Array<std::uint8_t, 2> Support::mask(const Box& part, Ledger* ledger) const {
  if (covers(part)) return {};
  const auto count = counts(part, 1);
  Array<std::uint8_t, 2> mask({part.rows.size(), part.cols.size()}, ledger, "object");
  for (i64 r = 0; r < part.rows.size(); ++r)
    for (i64 c = 0; c < part.cols.size(); ++c) mask(r, c) = count(r, c) > 0;
  return mask;
}

}  // namespace ptyle
