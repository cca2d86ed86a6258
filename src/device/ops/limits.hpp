#pragma once

#include "core/annotation.hpp"

namespace ptyle {

/// Least and most that a value may be; as std::clamp.
template <class T>
struct VoxelLimits {
  T low, high;
  VoxelLimits(double least, double most) : low(static_cast<T>(least)), high(static_cast<T>(most)) {}
  [[nodiscard]] PTYLE_HOST_DEVICE T operator()(T v) const {
    const T least = v < low ? low : v;
    return high < least ? high : least;
  }
};

}  // namespace ptyle
