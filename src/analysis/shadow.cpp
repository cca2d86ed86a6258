#include "analysis/shadow.hpp"

#include <algorithm>
#include <cmath>

#include "analysis/neighbours.hpp"
#include "core/units.hpp"

namespace ptyle {

DiscBlocks::DiscBlocks(const BrightFieldDisc& disc, i64 window)
    : disc_(disc),
      window_(window),
      block_(std::max<i64>(1, std::llround(disc.radius / 16))),
      side_(static_cast<i64>(2 * disc.radius) / block_ + 1) {}

void DiscBlocks::cut(const float* pattern, View<const float, 2> valid, double* blocks) const {
  constexpr double inside = 0.9;
  std::fill(blocks, blocks + size(), 0.0);
  const i64 length = side_ * block_, top = std::llround(disc_.row - disc_.radius),
            left = std::llround(disc_.col - disc_.radius);
  for (i64 y = 0; y < length; ++y)
    for (i64 x = 0; x < length; ++x) {
      const i64 row = top + y, col = left + x;
      if (row < 0 || col < 0 || row >= window_ || col >= window_) continue;
      if (std::hypot(static_cast<double>(row) - disc_.row, static_cast<double>(col) - disc_.col) >
          inside * disc_.radius)
        continue;
      const i64 at = to_corner(row, window_), across = to_corner(col, window_);
      if (valid(at, across) != 0)
        blocks[y / block_ * side_ + x / block_] +=
            static_cast<double>(pattern[at * window_ + across]);
    }
}

namespace {

constexpr std::size_t most_pairs = 200, fewest_pairs = 20;  // for means and their standard errors
constexpr double least_apart = 2;                           // blocks

/// Some positions all over the scan.
std::vector<i64> sample(std::size_t count) {
  std::vector<i64> some;
  const std::size_t stride = std::max<std::size_t>(1, count / most_pairs);
  for (std::size_t i = 0; i < count && some.size() < most_pairs; i += stride)
    some.push_back(static_cast<i64>(i));
  return some;
}

}  // namespace

Shadows::Shadows(const DiscBlocks& blocks, double disc_radius, std::span<const Position> positions,
                 double px_per_length)
    : side_(blocks.side()) {
  const auto some = sample(positions.size());
  const double step = neighbour_distance(positions, 1);
  const double scale = px_per_length / static_cast<double>(blocks.block()), size = std::abs(scale);
  const double reach = std::max(1.1 * step, (least_apart + 1) / size);
  if (!(step > 0) || !std::isfinite(reach) ||
      size * reach > 0.5 * disc_radius / static_cast<double>(blocks.block()))
    return;
  std::vector<std::array<i64, 2>> pairs;
  for (const i64 i : some) {
    const int along = static_cast<int>(pairs.size() % 2);
    i64 other = -1;
    double most = 0;
    for (std::size_t j = 0; j < positions.size(); ++j) {
      const Position& at = positions[static_cast<std::size_t>(i)];
      const Position d{positions[j].row - at.row, positions[j].col - at.col};
      const double apart = std::hypot(d.row, d.col),
                   most_along = std::abs(along == 0 ? d.col : d.row) - 0.5 * apart;
      if (apart <= reach && size * apart >= least_apart && most_along > most)
        most = most_along, other = static_cast<i64>(j);
    }
    if (other >= 0) pairs.push_back({i, other});
  }
  if (pairs.size() < fewest_pairs) return;
  for (const auto& pair : pairs) patterns_.insert(patterns_.end(), pair.begin(), pair.end());
  std::sort(patterns_.begin(), patterns_.end());
  patterns_.erase(std::unique(patterns_.begin(), patterns_.end()), patterns_.end());
  const auto place = [&](i64 i) {
    return static_cast<std::size_t>(std::lower_bound(patterns_.begin(), patterns_.end(), i) -
                                    patterns_.begin());
  };
  for (std::size_t k = 0; k < pairs.size(); ++k) {
    const auto& [i, j] = pairs[k];
    const Position &a = positions[static_cast<std::size_t>(i)],
                   &b = positions[static_cast<std::size_t>(j)];
    pairs_.push_back({place(i),
                      place(j),
                      {scale * (b.row - a.row), scale * (b.col - a.col)},
                      static_cast<int>(k % 2)});
  }
}

/// Σ a(k) b(k + s)/√(Σ a² Σ b²) where both are within the disc, b between its blocks.
double Shadows::correlation(const double* a, const double* b, Position shift) const {
  const auto top = static_cast<i64>(std::floor(shift.row)),
             left = static_cast<i64>(std::floor(shift.col));
  const double down = shift.row - static_cast<double>(top),
               right = shift.col - static_cast<double>(left);
  double ab = 0, aa = 0, bb = 0;
  for (i64 y = std::max<i64>(0, -top); y < std::min(side_, side_ - 1 - top); ++y)
    for (i64 x = std::max<i64>(0, -left); x < std::min(side_, side_ - 1 - left); ++x) {
      const double* const at = b + (y + top) * side_ + x + left;
      const double here = a[y * side_ + x];
      const double there = (1 - down) * ((1 - right) * at[0] + right * at[1]) +
                           down * ((1 - right) * at[side_] + right * at[side_ + 1]);
      if (here == 0 || there == 0) continue;  // beyond the disc
      ab += here * there;
      aa += here * here;
      bb += there * there;
    }
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : 0;
}

Likeness Shadows::compare(std::vector<double> discs, double scale) const {
  const auto size = static_cast<std::size_t>(side_ * side_);
  for (std::size_t k = 0; k < size; ++k) {
    double mean = 0;
    for (std::size_t i = k; i < discs.size(); i += size)
      mean += discs[i] / static_cast<double>(patterns_.size());
    for (std::size_t i = k; i < discs.size(); i += size) discs[i] -= mean;
  }
  Likeness found;
  for (const Pair& pair : pairs_) found.along_.push_back(pair.along);
  for (int mirrored = 0; mirrored < 2; ++mirrored)
    for (int r = 0; r < Turn::rotations; ++r) {
      const double angle = 2 * pi * r / Turn::rotations;
      const double c = scale * std::cos(angle), s = scale * std::sin(angle);
      auto& all =
          found.correlations_[static_cast<std::size_t>(mirrored)][static_cast<std::size_t>(r)];
      for (const auto& [first, second, apart, along] : pairs_) {
        Position shift{c * apart.row - s * apart.col, s * apart.row + c * apart.col};
        if (mirrored == 1) shift.col = -shift.col;
        all.push_back(
            correlation(discs.data() + first * size, discs.data() + second * size, shift));
      }
    }
  return found;
}

const Likeness::Pairs& Likeness::of(const Turn& turn) const {
  return correlations_[static_cast<std::size_t>(turn.mirrored)]
                      [static_cast<std::size_t>(turn.rotation)];
}

double Likeness::mean(const Turn& turn, int along) const {
  const Pairs& all = of(turn);
  double sum = 0, n = 0;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (along < 0 || along_[i] == along) sum += all[i], n += 1;
  return n > 0 ? sum / n : 0;
}

double Likeness::above(const Turn& first, const Turn& second) const {
  const Pairs &a = of(first), &b = of(second);
  const auto n = static_cast<double>(a.size());
  double sum = 0, squares = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    sum += a[i] - b[i];
    squares += (a[i] - b[i]) * (a[i] - b[i]);
  }
  const double variance = squares / n - sum / n * (sum / n);
  return variance > 0 ? sum / n / std::sqrt(variance / n) : 0;
}

Turn Likeness::best(int along) const {
  Turn best;
  double most = mean(best, along);
  for (int m = 0; m < 2; ++m)
    for (int r = 0; r < Turn::rotations; ++r)
      if (const double here = mean({m, r}, along); here > most) most = here, best = {m, r};
  return best;
}

}  // namespace ptyle
