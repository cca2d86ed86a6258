#pragma once

#include "core/annotation.hpp"

namespace ptyle {

/// `value` of a detector pixel that is measured, else 0: a pixel whose measured count y is below 0
/// has no weight (core/pattern.hpp). Of numbers, or of each number of vectors. Its own count goes
/// through here too, as roots and logarithms need one that is not negative.
template <class N>
PTYLE_HOST_DEVICE N where_measured(N y, N value) {
  return y < N{} ? N{} : value;
}

}  // namespace ptyle
