#include "prepare/disc_jumps.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

namespace ptyle {
namespace {

/// Centres along the direction in which they vary most.
std::vector<double> along_main_axis(const std::vector<Position>& centres) {
  const auto n = static_cast<double>(centres.size());
  Position mean{};
  for (const Position& c : centres) mean = {mean.row + c.row / n, mean.col + c.col / n};
  double rr = 0, rc = 0, cc = 0;
  for (const Position& c : centres) {
    const double row = c.row - mean.row, col = c.col - mean.col;
    rr += row * row, rc += row * col, cc += col * col;
  }
  const double angle = 0.5 * std::atan2(2 * rc, rr - cc);
  std::vector<double> along;
  for (const Position& c : centres)
    along.push_back((c.row - mean.row) * std::cos(angle) + (c.col - mean.col) * std::sin(angle));
  return along;
}

}  // namespace

std::vector<i64> smaller_group(const std::vector<Position>& centres) {
  constexpr double far = 4;
  const std::size_t n = centres.size(), least = std::max<std::size_t>(4, n / 50);
  if (n < 4 * least) return {};
  const std::vector<double> along = along_main_axis(centres);
  std::vector<i64> order(n);
  std::iota(order.begin(), order.end(), i64{0});
  std::sort(order.begin(), order.end(), [&](i64 a, i64 b) {
    return along[static_cast<std::size_t>(a)] < along[static_cast<std::size_t>(b)];
  });
  double squares = 0, below = 0;  // the sum of all is 0
  for (const double v : along) squares += v * v;
  std::size_t best = 0;
  double most = 0, apart = 0;  // most: k m₁² + (n - k) m₂²
  for (std::size_t k = 1; k + least <= n; ++k) {
    below += along[static_cast<std::size_t>(order[k - 1])];
    if (k < least) continue;
    const auto low = static_cast<double>(k), high = static_cast<double>(n - k);
    const double between = below * below * (1 / low + 1 / high);
    if (between > most) most = between, best = k, apart = -below / high - below / low;
  }
  const double within = std::sqrt(std::max(0.0, squares - most) / static_cast<double>(n));
  if (best == 0 || std::abs(apart) <= far * within) return {};
  const auto split = order.begin() + static_cast<std::ptrdiff_t>(best);
  std::vector<i64> group =
      2 * best < n ? std::vector<i64>(order.begin(), split) : std::vector<i64>(split, order.end());
  std::sort(group.begin(), group.end());
  return group;
}

bool is_moved(View<const double, 2> a, View<const double, 2> b, const Position& by,
              View<const float, 2> valid) {
  const i64 rows = a.shape[0], cols = a.shape[1];
  const auto top = static_cast<i64>(std::floor(by.row)),
             left = static_cast<i64>(std::floor(by.col));
  const double down = by.row - static_cast<double>(top), right = by.col - static_cast<double>(left);
  // b(y - row, x - col), between its four pixels; nothing where one of them is missing
  const auto moved = [&](i64 y, i64 x) -> std::optional<double> {
    double sum = 0;
    for (const i64 dy : {0, 1})
      for (const i64 dx : {0, 1}) {
        const i64 v = y - top - dy, u = x - left - dx;
        if (v < 0 || v >= rows || u < 0 || u >= cols || valid(v, u) == 0) return {};
        sum += b(v, u) * (dy == 1 ? down : 1 - down) * (dx == 1 ? right : 1 - right);
      }
    return sum;
  };
  double in_a = 0, in_b = 0;
  for (i64 y = 0; y < rows; ++y)
    for (i64 x = 0; x < cols; ++x)
      if (valid(y, x) != 0) in_a += a(y, x), in_b += b(y, x);
  if (!(in_a > 0 && in_b > 0)) return false;
  double before = 0, after = 0;
  const auto amplitude = [](double counts, double of) {
    return std::sqrt(std::max(0.0, counts) / of);
  };
  for (i64 y = 0; y < rows; ++y)
    for (i64 x = 0; x < cols; ++x) {
      const auto there = moved(y, x);
      if (valid(y, x) == 0 || !there) continue;
      before += std::pow(amplitude(a(y, x), in_a) - amplitude(b(y, x), in_b), 2);
      after += std::pow(amplitude(a(y, x), in_a) - amplitude(*there, in_b), 2);
    }
  return after < 0.4 * before;
}

}  // namespace ptyle
