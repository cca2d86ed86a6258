#include "prepare/spread.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "core/bounds.hpp"
#include "core/quantile.hpp"
#include "prepare/selection.hpp"

namespace ptyle {

void warn_of_spread(const std::vector<Position>& at, double pixel, i64 window,
                    std::vector<std::string>& warnings) {
  if (at.size() < 2) return;
  const Bounds scan = bounds_of(at);
  const double rows = scan.rows() / pixel, cols = scan.cols() / pixel;
  std::vector<double> steps;
  for (std::size_t i = 1; i < at.size(); ++i) steps.push_back(distance(at[i], at[i - 1]) / pixel);
  const double median = upper_median(steps);
  // The next in the list may be far, as on a spiral. On a raster of n, (rows + s)(cols + s) = n s².
  const auto others = static_cast<double>(at.size() - 1);
  const double sides = rows + cols;
  const double pitch = (sides + std::sqrt(sides * sides + 4 * others * rows * cols)) / (2 * others);
  const double apart = std::min(median, pitch);
  if (std::max(rows, cols) >= 1 && apart < 1)
    warnings.push_back(
        fmt::format("positions lie {:.2g} object pixels from each other, less than one: is "
                    "scan.unit right?",
                    apart));
  if (std::max(rows, cols) < 1)
    warnings.push_back(fmt::format(
        "all positions lie within {:.2g} x {:.2g} object pixels: is scan.unit right?", rows, cols));
  else if (apart > static_cast<double>(window))
    warnings.push_back(fmt::format(
        "positions lie {:.4g} object pixels from each other, beyond their windows of {}: are "
        "scan.unit and the calibration right?",
        apart, window));
}

void warn_of_far_parts(const std::vector<Position>& positions, const std::vector<i64>& numbers,
                       const std::string& name, double pixel, i64 window,
                       std::vector<std::string>& warnings) {
  constexpr double much = 10, times = 4;  // MB a slice; of what is illuminated
  const auto parts = parts_of_scan(positions);
  const auto shape = [&](const std::vector<Position>& at) {
    const Bounds box = bounds_of(at);
    const auto own = static_cast<double>(window);
    return std::array{box.rows() / pixel + own, box.cols() / pixel + own};
  };
  const auto pixels = [](const std::array<double, 2>& sides) { return sides[0] * sides[1]; };
  double illuminated = 0;
  std::vector<i64> others;
  for (std::size_t k = 0; k < parts.size(); ++k) {
    std::vector<Position> at;
    for (const i64 i : parts[k]) at.push_back(positions[static_cast<std::size_t>(i)]);
    illuminated += pixels(shape(at));
    if (k == 0) continue;
    for (const i64 i : parts[k]) others.push_back(numbers[static_cast<std::size_t>(i)]);
  }
  if (others.empty()) return;
  const auto whole = shape(positions);
  const double MB = 4e-6 * pixels(whole);
  if (MB < much || pixels(whole) < times * illuminated) return;
  std::sort(others.begin(), others.end());
  warnings.push_back(fmt::format(
      "{} of the {} positions of {} (number{} {}) lie far from the others: the object reaches over "
      "all of them, {:.0f} x {:.0f} px, {:.0f} MB a slice in single precision, of which {:.2g} % "
      "are illuminated; if they are no part of the scan, data.skip=[{}] leaves them out",
      others.size(), positions.size(), name, others.size() == 1 ? "" : "s", listed(others),
      whole[0], whole[1], MB, 100 * illuminated / pixels(whole), listed(others)));
}

}  // namespace ptyle
