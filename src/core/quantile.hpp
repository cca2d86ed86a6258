#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

namespace ptyle {

/// The value below which a share of the values lies (0.5: the lower median); they are reordered.
/// `values` must not be empty.
inline double quantile(std::span<double> values, double share) {
  const auto at =
      values.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

/// The median, of an even number of values the upper of the two in the middle; they are reordered.
/// `values` must not be empty.
inline double upper_median(std::span<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace ptyle
