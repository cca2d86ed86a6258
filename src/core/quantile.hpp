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

}  // namespace ptyle
