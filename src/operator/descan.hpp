#pragma once

// The displacement of patterns on every backend: the wave behind the last slice times
// exp(2πi d·r / W).

#include "core/annotation.hpp"

namespace ptyle {

/// r of a row or column of the window, from its middle.
template <class Integer>
PTYLE_HOST_DEVICE Integer from_middle(Integer i, Integer window) {
  return i - window / 2;
}

}  // namespace ptyle
