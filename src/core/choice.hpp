#pragma once

// A choice: an enum (or an optional one, for "auto") whose values have words. Beside the enum
// stands its one table, which is found by the argument's type:
//
//   enum class PairOrder { row_col, x_y };
//   constexpr auto choices(PairOrder) {
//     return std::to_array<Named<PairOrder>>({{PairOrder::row_col, "row_col"}, {PairOrder::x_y,
//     "x_y"}});
//   }

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ptyle {

template <class E>
struct Named {
  E value;
  std::string_view word;
};

template <class E>
concept Choosable = requires(E value) {
  choices(value)[0].word;
};

/// The word of a value; empty where it has none.
template <Choosable E>
constexpr std::string_view word_of(const E& value) {
  for (const auto& [one, word] : choices(E{}))
    if (one == value) return word;
  return {};
}

/// The value of a word; nothing where no value has it.
template <Choosable E>
constexpr std::optional<E> choice_named(std::string_view text) {
  for (const auto& [value, word] : choices(E{}))
    if (word == text) return value;
  return std::nullopt;
}

/// All words, in the table's order.
template <Choosable E>
std::vector<std::string> words_of() {
  std::vector<std::string> words;
  for (const auto& named : choices(E{})) words.emplace_back(named.word);
  return words;
}

}  // namespace ptyle
