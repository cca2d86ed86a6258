#include "analysis/neighbours.hpp"

#include <algorithm>
#include <stdexcept>

#include "core/bounds.hpp"
#include "core/quantile.hpp"

namespace ptyle {
namespace {

using Axis = double Position::*;
Axis others(Axis one) { return one == &Position::row ? &Position::col : &Position::row; }

}  // namespace

Ordered::Ordered(std::vector<Position> positions) : positions_(std::move(positions)) {
  std::erase_if(positions_,
                [](const Position& p) { return !std::isfinite(p.row) || !std::isfinite(p.col); });
  const Bounds all = bounds_of(positions_);
  along_ = all.rows() >= all.cols() ? &Position::row : &Position::col;
  const auto across = others(along_);
  std::sort(positions_.begin(), positions_.end(), [&](const Position& a, const Position& b) {
    return a.*along_ < b.*along_ || (a.*along_ == b.*along_ && a.*across < b.*across);
  });
}

/// Goes on to both sides, the nearer one first, until the next is farther along the axis alone than
/// the k-th nearest so far.
double Ordered::to_nearest(Position at, i64 k) const {
  const auto wanted = static_cast<std::size_t>(k) + 1;
  if (positions_.size() < wanted) throw std::out_of_range("there are not so many positions");
  std::vector<double> nearest;  // a heap, the farthest in front
  const double here = at.*along_;
  auto right = std::lower_bound(positions_.begin(), positions_.end(), here,
                                [this](const Position& p, double x) { return p.*along_ < x; });
  auto left = right;
  while (left != positions_.begin() || right != positions_.end()) {
    const bool go_left =
        right == positions_.end() ||
        (left != positions_.begin() && here - (*(left - 1)).*along_ < (*right).*along_ - here);
    const Position& next = go_left ? *--left : *right++;
    if (nearest.size() == wanted && std::abs(next.*along_ - here) > nearest.front()) break;
    nearest.push_back(distance(next, at));
    std::push_heap(nearest.begin(), nearest.end());
    if (nearest.size() <= wanted) continue;
    std::pop_heap(nearest.begin(), nearest.end());
    nearest.pop_back();
  }
  return nearest.front();
}

bool Ordered::lonely(std::size_t i, double radius) const {
  const Position& at = positions_[i];
  const auto across = others(along_);
  const auto near = [&](const Position& p) {
    return std::abs(p.*across - at.*across) <= radius && distance(p, at) <= radius;
  };
  for (std::size_t k = i; k-- > 0 && at.*along_ - positions_[k].*along_ <= radius;)
    if (near(positions_[k])) return false;
  for (std::size_t k = i + 1; k < positions_.size() && positions_[k].*along_ - at.*along_ <= radius;
       ++k)
    if (near(positions_[k])) return false;
  return true;
}

void Ordered::drop_lonely(double radius) {
  std::vector<bool> gone(positions_.size());
  for (std::size_t i = 0; i < positions_.size(); ++i) gone[i] = lonely(i, radius);
  std::size_t left = 0;
  for (std::size_t i = 0; i < positions_.size(); ++i)
    if (!gone[i]) positions_[left++] = positions_[i];
  positions_.resize(left);
}

double neighbour_distance(std::span<const Position> positions, const Ordered& ordered, i64 k) {
  const i64 n = static_cast<i64>(positions.size()), stride = (n + 299) / 300;
  if (static_cast<i64>(ordered.positions().size()) <= k) return 0;
  std::vector<double> found;
  for (i64 i = 0; i < n; i += stride)
    if (const Position& at = positions[static_cast<std::size_t>(i)];
        std::isfinite(at.row) && std::isfinite(at.col))
      found.push_back(ordered.to_nearest(at, k));  // the 0th is the position itself
  return found.empty() ? 0 : upper_median(found);
}

double neighbour_distance(std::span<const Position> positions, i64 k) {
  return neighbour_distance(positions, Ordered({positions.begin(), positions.end()}), k);
}

}  // namespace ptyle
