#pragma once

#include <algorithm>
#include <string>

namespace ptyle {

/// A to Z in small letters; all other bytes stay, also those of UTF-8.
inline std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return text;
}

}  // namespace ptyle
