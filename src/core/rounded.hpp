#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace ptyle {

/// A value to so many digits of its error: 292.846 ± 1.93 is 293 to one, 292.8 to two.
inline double rounded(double value, double error, int digits = 1) {
  const double last = std::floor(std::log10(std::max(error, 1e-6))) - (digits - 1);
  const double scale = std::pow(10, std::abs(last));  // a whole number: 0.1 is not one
  return last < 0 ? std::round(value * scale) / scale : std::round(value / scale) * scale;
}

/// To as many digits as configurations and checkpoints keep of a value that was measured.
inline double six_digits(double value) {
  std::array<char, 32> text{};
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::general, 6);
  std::from_chars(text.data(), end.ptr, value);
  return value;
}

}  // namespace ptyle
