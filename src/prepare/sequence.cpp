#include "prepare/sequence.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>

#include "core/grid.hpp"
#include "core/quantile.hpp"

namespace ptyle {

CoarsePattern::CoarsePattern(i64 window)
    : window_(window),
      rows_(static_cast<std::size_t>(groups * window)),
      moments_(static_cast<std::size_t>(window)) {
  for (i64 y = 0; y < window; ++y) {
    const i64 k = frequency_index(y, window), away = k < 0 ? -1 - k : k;
    const i64 octave = 32 * away < window ? 0 : 16 * away < window ? 1 : 8 * away < window ? 2 : 3;
    group_.push_back(k < 0 ? 7 - octave : octave);
  }
}

void CoarsePattern::begin() {
  std::fill(rows_.begin(), rows_.end(), 0.0);
  std::fill(moments_.begin(), moments_.end(), 0.0);
}

void CoarsePattern::add_row(i64 y, const double* row) {
  double* const to = rows_.data() + group_[static_cast<std::size_t>(y)] * window_;
  const auto away = static_cast<double>(frequency_index(y, window_));
  for (i64 x = 0; x < window_; ++x) {
    to[x] += row[x];
    moments_[static_cast<std::size_t>(x)] += away * row[x];
  }
}

void CoarsePattern::finish() {
  blocks_.fill(0);
  centre_ = {};
  for (i64 g = 0; g < groups; ++g)
    for (i64 x = 0; x < window_; ++x) {
      const double counts = rows_[static_cast<std::size_t>(g * window_ + x)];
      blocks_[static_cast<std::size_t>(g * groups + group_[static_cast<std::size_t>(x)])] += counts;
      centre_.col += counts * static_cast<double>(frequency_index(x, window_));
    }
  centre_.row = std::accumulate(moments_.begin(), moments_.end(), 0.0);
  const double sum = total();
  centre_ = sum > 0 ? Position{centre_.row / sum, centre_.col / sum} : Position{};
}

double CoarsePattern::total() const { return std::accumulate(blocks_.begin(), blocks_.end(), 0.0); }

std::array<double, 2> CoarsePattern::dark() const {
  std::array<std::uint64_t, 2> bits{};
  constexpr std::size_t half = groups * groups / 2;
  for (std::size_t b = 0; b < blocks_.size(); ++b)
    if (!(blocks_[b] > 0)) bits[b / half] |= std::uint64_t{1} << b % half;
  return {static_cast<double>(bits[0]), static_cast<double>(bits[1])};
}

double CoarsePattern::signature() const {
  double sum = 0, weight = 1;
  for (const double counts : blocks_) {
    weight = std::fmod(weight * 75 + 74, 65537);  // a full-period sequence
    sum += weight * counts;
  }
  return sum;
}

namespace {

/// Squared difference of the blocks' amplitudes, whose noise is the same for all counts.
double change(const double* a, const double* b) {
  double sum = 0;
  constexpr i64 blocks = CoarsePattern::groups * CoarsePattern::groups;
  const double total_a = std::accumulate(a, a + blocks, 0.0),
               total_b = std::accumulate(b, b + blocks, 0.0);
  if (!(total_a > 0 && total_b > 0)) return 0;
  const double dose = std::sqrt(total_a / total_b);  // a beam that varies changes nothing else
  for (i64 k = 0; k < blocks; ++k)
    sum += std::pow(std::sqrt(std::max(0.0, a[k])) - dose * std::sqrt(std::max(0.0, b[k])), 2);
  return sum / total_a;
}

}  // namespace

i64 frames_late(const std::vector<double>& blocks, const std::array<i64, 2>& lines) {
  constexpr i64 each = CoarsePattern::groups * CoarsePattern::groups;
  const i64 fast = lines[1], count = static_cast<i64>(blocks.size()) / each;
  const i64 slow = fast > 0 ? std::min(lines[0], count / fast) : 0;
  if (slow < 6 || fast < 6) return 0;
  // Steps of each place within the lines: by how much the next one differs, the median over lines.
  std::vector<double> step(static_cast<std::size_t>(fast));
  for (i64 j = 0; j < fast; ++j) {
    std::vector<double> changes;
    for (i64 i = 0; i + 1 < slow; ++i) {
      const double* const at = blocks.data() + (i * fast + j) * each;
      changes.push_back(change(at, at + each));
    }
    step[static_cast<std::size_t>(j)] = quantile(changes, 0.5);
  }
  std::vector<double> steps = step;
  const double usual = quantile(steps, 0.5);
  std::vector<double> apart;
  for (const double change : step) apart.push_back(std::abs(change - usual));
  const auto largest = std::max_element(apart.begin(), apart.end());
  const i64 at = largest - apart.begin();
  std::vector<double> others = apart;
  others.erase(others.begin() + at);
  const double next = *std::max_element(others.begin(), others.end());
  // One step stands apart from all others, and the one where lines should end does not.
  const bool one =
      *largest > 0.3 * usual && *largest > 4 * next && *largest > 8 * quantile(others, 0.5);
  if (at == fast - 1 || !one || apart.back() > 0.25 * *largest) return 0;
  return at + 1 <= fast / 2 ? at + 1 : at + 1 - fast;
}

}  // namespace ptyle
