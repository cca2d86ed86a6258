#pragma once

#include <cmath>

#include "core/array.hpp"
#include "core/units.hpp"

namespace ptyle {

/// Hann's taper at the i-th of n samples, in their middles: 0 towards both ends, 1 in the middle.
inline double hann(i64 i, i64 n) {
  return 0.5 - 0.5 * std::cos(2 * pi * (static_cast<double>(i) + 0.5) / static_cast<double>(n));
}

}  // namespace ptyle
