#pragma once

#include <cmath>
#include <type_traits>

#include "core/annotation.hpp"

namespace ptyle {

/// √x of a number, or of each number of a vector (of the compiler's own type): by lanes, which the
/// compiler puts together to one square root of vectors. Lanes take the compiler's built-in root,
/// because the library's, compiled for wide vectors, might be linked in for every processor.
template <class N>
PTYLE_HOST_DEVICE N root_of(N x) {
  if constexpr (std::is_floating_point_v<N>) {
    return std::sqrt(x);
  } else {
    constexpr int lanes = sizeof(N) / sizeof(x[0]);
    for (int l = 0; l < lanes; ++l) {
      if constexpr (sizeof(x[0]) == sizeof(float))
        x[l] = __builtin_sqrtf(x[l]);
      else
        x[l] = __builtin_sqrt(x[l]);
    }
    return x;
  }
}

}  // namespace ptyle
