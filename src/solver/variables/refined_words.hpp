#pragma once

// The words of geometry.refine and detector.refine.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "core/choice.hpp"

namespace ptyle {

template <class Part>
bool has_word(const std::vector<std::string>& words, Part part) {
  return std::find(words.begin(), words.end(), word_of(part)) != words.end();
}

/// A word that names no Part, or one that stands there twice.
template <class Part>
std::optional<std::string> fault_of_words(const std::vector<std::string>& words) {
  for (auto word = words.begin(); word != words.end(); ++word) {
    if (!choice_named<Part>(*word))
      return fmt::format("'{}' is none of {}", *word, fmt::join(words_of<Part>(), ", "));
    if (std::find(words.begin(), word, *word) != word)
      return fmt::format("'{}' stands there twice", *word);
  }
  return {};
}

}  // namespace ptyle
