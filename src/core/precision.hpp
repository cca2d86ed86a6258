#pragma once

#include "core/choice.hpp"

namespace ptyle {

/// Precision of the arithmetic: 4 or 8 bytes per real number.
enum class Precision { float32, float64 };
constexpr auto choices(Precision) {
  return std::to_array<Named<Precision>>(
      {{Precision::float32, "float"}, {Precision::float64, "double"}});
}

}  // namespace ptyle
