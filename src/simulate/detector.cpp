#include "simulate/detector.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "core/error.hpp"
#include "simulate/streams.hpp"

namespace ptyle {
namespace {

[[noreturn]] void refuse(i64 position, double value, CountType type) {
  throw UserError(
      fmt::format("dose.type: a pixel of pattern {} counts {:.0f}, more than {} holds; take {}",
                  position, value, to_string(type),
                  type == CountType::uint32 ? "a smaller dose" : "a wider type or a smaller dose"));
}

/// The share of a pixel's signal that reaches the pixel `distance` from it, along one axis.
std::vector<double> spread_of(double sigma, i64 reach) {
  std::vector<double> share;
  const auto below = [sigma](double x) { return std::erf(x / (std::sqrt(2.0) * sigma)) / 2; };
  for (i64 d = 0; d <= reach; ++d) share.push_back(below(double(d) + 0.5) - below(double(d) - 0.5));
  return share;
}

// to(i) = Σ_j share(|i − j|) from(j) along a line of n values, `stride` apart.
template <class T>
void blur_line(T* line, i64 n, i64 stride, const std::vector<double>& share,
               std::vector<double>& scratch) {
  const i64 reach = std::ssize(share) - 1;
  scratch.assign(static_cast<std::size_t>(n), 0.0);
  for (i64 i = 0; i < n; ++i)
    for (i64 j = std::max<i64>(i - reach, 0); j <= std::min(i + reach, n - 1); ++j)
      scratch[static_cast<std::size_t>(i)] +=
          share[static_cast<std::size_t>(std::abs(i - j))] * static_cast<double>(line[j * stride]);
  for (i64 i = 0; i < n; ++i)
    line[i * stride] = static_cast<T>(scratch[static_cast<std::size_t>(i)]);
}

// Step 4, on what is counted.
template <class T>
void read_out(const Plan& plan, std::uint64_t seed, i64 position, View<T, 2> frame) {
  Philox random(seed, readout_stream, static_cast<std::uint64_t>(position));
  const Readout& r = plan.readout;
  for (T& value : frame) {
    double level = r.gain * static_cast<double>(value) + r.offset;
    if (r.noise > 0) level += r.noise * normal_deviate(random);
    value = static_cast<T>(level);
  }
}

template <class T>
void black_out(const Plan& plan, View<T, 2> frame) {
  for (i64 k = 0; k < plan.dead.size(); ++k)
    if (plan.dead.data()[k]) frame.data[k] = 0;
}

}  // namespace

template <class T>
void blur(View<T, 2> frame, double sigma) {
  if (sigma <= 0) return;
  const auto [ny, nx] = frame.shape;
  const auto share = spread_of(sigma, static_cast<i64>(std::ceil(6 * sigma)));
  std::vector<double> scratch;
  for (i64 y = 0; y < ny; ++y) blur_line(frame.data + y * nx, nx, 1, share, scratch);
  for (i64 x = 0; x < nx; ++x) blur_line(frame.data + x, ny, nx, share, scratch);
}

template <class T>
void expose(const Plan& plan, View<T, 2> frame) {
  if (plan.background > 0)
    for (T& value : frame) value += static_cast<T>(plan.background);
  for (i64 k = 0; k < plan.gains.size(); ++k) frame.data[k] *= static_cast<T>(plan.gains.data()[k]);
}

template <class T>
void record(const Plan& plan, std::uint64_t seed, i64 position, View<T, 2> frame) {
  blur(frame, plan.blur);
  expose(plan, frame);
  if (plan.noise) {
    Array<std::uint32_t, 2> counts(frame.shape);
    draw_counts<T>(frame, seed, position, CountType::uint32, counts);
    std::copy(counts.begin(), counts.end(), frame.begin());
  }
  if (plan.readout.any()) read_out(plan, seed, position, frame);
  black_out(plan, frame);
}

template <class T>
void record(const Plan& plan, std::uint64_t seed, i64 position, View<T, 2> expected,
            View<std::uint32_t, 2> counts) {
  blur(expected, plan.blur);
  expose(plan, expected);
  if (!plan.readout.any()) {
    draw_counts<T>(expected, seed, position, plan.type, counts);
  } else {
    draw_counts<T>(expected, seed, position, CountType::uint32, counts);
    Array<double, 2> levels(counts.shape);
    std::copy(counts.begin(), counts.end(), levels.begin());
    read_out<double>(plan, seed, position, levels);
    for (i64 k = 0; k < levels.size(); ++k) {
      const double level = std::max(std::round(levels.data()[k]), 0.0);
      if (level > largest_count(plan.type)) refuse(position, level, plan.type);
      counts.data[k] = static_cast<std::uint32_t>(level);
    }
  }
  black_out(plan, counts);
}

template <class T>
void draw_counts(View<const T, 2> expected, std::uint64_t seed, i64 position, CountType type,
                 View<std::uint32_t, 2> counts) {
  Philox random(seed, count_stream, static_cast<std::uint64_t>(position));
  const double most = largest_count(type);
  for (i64 k = 0; k < expected.size(); ++k) {
    const auto mean = static_cast<double>(expected.data[k]);
    const i64 count = mean > 0 ? std::poisson_distribution<i64>(mean)(random) : 0;
    if (static_cast<double>(count) > most) refuse(position, static_cast<double>(count), type);
    counts.data[k] = static_cast<std::uint32_t>(count);
  }
}

template void blur(View<float, 2>, double);
template void blur(View<double, 2>, double);
template void expose(const Plan&, View<float, 2>);
template void expose(const Plan&, View<double, 2>);
template void record(const Plan&, std::uint64_t, i64, View<float, 2>);
template void record(const Plan&, std::uint64_t, i64, View<double, 2>);
template void record(const Plan&, std::uint64_t, i64, View<float, 2>, View<std::uint32_t, 2>);
template void record(const Plan&, std::uint64_t, i64, View<double, 2>, View<std::uint32_t, 2>);
template void draw_counts(View<const float, 2>, std::uint64_t, i64, CountType,
                          View<std::uint32_t, 2>);
template void draw_counts(View<const double, 2>, std::uint64_t, i64, CountType,
                          View<std::uint32_t, 2>);

}  // namespace ptyle
