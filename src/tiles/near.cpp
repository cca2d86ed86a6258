#include "tiles/near.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace ptyle {

Box reach(std::span<const Pixel> centres, i64 window) {
  if (centres.empty()) throw std::invalid_argument("an object needs at least one position");
  Box all;
  for (const Pixel& p : centres) all = hull(all, window_about(p, window));
  return all;
}

Buckets::Buckets(std::span<const Pixel> centres) : centres_(centres) {
  constexpr double a_bucket = 16;  // positions
  if (centres.empty()) {
    starts_.assign(1, 0);
    return;
  }
  all_ = reach(centres, 1);
  const double rows = double(all_.rows.size()), cols = double(all_.cols.size());
  const double wanted = std::max(1.0, double(centres.size()) / a_bucket);
  // A line has but one row of buckets.
  side_ = std::max<i64>(
      1, std::llround(std::max(std::sqrt(rows / wanted * cols), std::max(rows, cols) / wanted)));
  const auto row_count = static_cast<i64>(rows) / side_ + 1;
  cols_ = static_cast<i64>(cols) / side_ + 1;
  starts_.assign(static_cast<std::size_t>(row_count * cols_ + 1), 0);
  const auto bucket = [&](const Pixel& p) {
    return place((p.row - all_.rows.begin) / side_, (p.col - all_.cols.begin) / side_);
  };
  for (const Pixel& p : centres) ++starts_[bucket(p) + 1];
  for (std::size_t b = 1; b < starts_.size(); ++b) starts_[b] += starts_[b - 1];
  numbers_.resize(centres.size());
  std::vector<i64> next(starts_.begin(), starts_.end() - 1);
  for (std::size_t i = 0; i < centres.size(); ++i)
    numbers_[static_cast<std::size_t>(next[bucket(centres[i])]++)] = static_cast<i64>(i);
}

Interval Buckets::buckets_of(Interval part, Interval all) const {
  const Interval seen = intersection(part, all);
  if (seen.empty()) return {0, 0};
  return {(seen.begin - all.begin) / side_, (seen.end - 1 - all.begin) / side_ + 1};
}

}  // namespace ptyle
