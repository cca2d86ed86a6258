#pragma once

#include <string>

#include "core/error.hpp"

namespace ptyle {

/// A key that does not go with another, or with its value, and why.
struct Excluded {
  std::string key, by, why;
  /// "does not go with BY, WHY"
  [[nodiscard]] std::string text() const { return "does not go with " + by + ", " + why; }
  [[nodiscard]] UserError error() const { return UserError(key + ": " + text()); }
};

}  // namespace ptyle
