#include "app/value.hpp"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cmath>
#include <type_traits>

namespace ptyle {
namespace {

template <class T>
inline constexpr bool is_list = false;
template <class T, std::size_t N>
inline constexpr bool is_list<std::array<T, N>> = true;
template <class T>
inline constexpr bool is_list<std::vector<T>> = true;

template <class T>
inline constexpr std::size_t fixed_size = 0;
template <class T, std::size_t N>
inline constexpr std::size_t fixed_size<std::array<T, N>> = N;

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

template <class T>
std::string noun() {
  if constexpr (std::is_same_v<T, bool>) return "true or false";
  if constexpr (std::is_same_v<T, int> || std::is_same_v<T, std::uint64_t>) return "a whole number";
  if constexpr (std::is_same_v<T, double>) return "a number";
  return "a text";
}

template <class T>
std::string nouns() {
  if constexpr (std::is_same_v<T, double>) return "numbers";
  if constexpr (std::is_same_v<T, std::string>) return "texts";
  return "whole numbers";
}

/// The value as the user wrote it, short.
std::string shown(const YAML::Node& node) {
  if (node.IsNull()) return "nothing";
  if (node.IsMap()) return "a section";
  YAML::Emitter out;
  out << YAML::Flow << node;
  const std::string text = out.c_str();
  return text.size() > 60 ? text.substr(0, 57) + "..." : text;
}

bool inside(double value, const Limits& limits) {
  const bool low = limits.min_open ? value > limits.min : value >= limits.min;
  return low && value <= limits.max;
}

std::string out_of_limits(const std::string& text, const std::string& unit) {
  return fmt::format("{}{}{} is out of its limits", text, unit.empty() ? "" : " ", unit);
}

/// A whole number, however large.
bool is_whole(const std::string& text) {
  const bool sign = text.starts_with('-') || text.starts_with('+');
  return text.size() > std::size_t{sign} &&
         text.find_first_not_of("0123456789", sign ? 1 : 0) == std::string::npos;
}

template <class T>
std::string read_scalar(const Key& key, const YAML::Node& node, T& field) {
  const std::string not_it = fmt::format("{} is not {}", shown(node), noun<T>());
  if (!node.IsScalar()) return not_it;
  if constexpr (std::is_same_v<T, std::string>) {
    const auto& text = node.Scalar();
    const auto& choices = key.limits.choices;
    // Where a key names a file as well, its choices are only the words that are no file.
    if (!choices.empty() && key.file == FileKind::none &&
        std::find(choices.begin(), choices.end(), text) == choices.end())
      return fmt::format("\"{}\" is none of its choices", text);
    if (key.limits.filled && text.empty()) return "the text is empty";
    field = text;
  } else {
    if constexpr (std::is_same_v<T, std::uint64_t>)
      if (node.Scalar().starts_with('-')) return out_of_limits(shown(node), key.unit);
    T value{};
    if (!YAML::convert<T>::decode(node, value)) {
      const bool too_large =
          std::is_integral_v<T> && !std::is_same_v<T, bool> && is_whole(node.Scalar());
      return too_large ? out_of_limits(shown(node), key.unit) : not_it;
    }
    if constexpr (!std::is_same_v<T, bool>) {
      if (!std::isfinite(double(value))) return fmt::format("{} is not finite", shown(node));
      if (!inside(double(value), key.limits)) return out_of_limits(shown(node), key.unit);
    }
    field = value;
  }
  return {};
}

template <class List>
std::string read_list(const Key& key, const YAML::Node& node, List& field) {
  using T = typename List::value_type;
  constexpr std::size_t n = fixed_size<List>;
  List value{};
  if (key.limits.or_one && node.IsScalar()) {
    T one{};
    if (auto wrong = read_scalar(key, node, one); !wrong.empty()) return wrong;
    if constexpr (n > 0)
      value.fill(one);
    else
      value = {one};
    field = value;
    return {};
  }
  if (!node.IsSequence()) return fmt::format("{} is not a list", shown(node));
  if (n > 0 && node.size() != n)
    return fmt::format("{} has {} value{} instead of {}", shown(node), node.size(),
                       node.size() == 1 ? "" : "s", n);
  if constexpr (n == 0) value.resize(node.size());
  for (std::size_t i = 0; i < node.size(); ++i)
    if (auto wrong = read_scalar(key, node[i], value[i]); !wrong.empty()) return wrong;
  field = value;
  return {};
}

template <class T>
std::string scalar_text(const T& value) {
  if constexpr (std::is_same_v<T, std::string>) {
    YAML::Emitter out;
    out << value;
    return out.c_str();
  } else {
    return fmt::format("{}", value);
  }
}

template <class T>
std::string text_of(const T& value) {
  if constexpr (is_optional<T>) {
    return value ? text_of(*value) : std::string();
  } else if constexpr (is_list<T>) {
    std::string text = "[";
    for (std::size_t i = 0; i < value.size(); ++i)
      text += (i ? ", " : "") + scalar_text<typename T::value_type>(value[i]);
    return text + "]";
  } else {
    return scalar_text(value);
  }
}

template <class T>
std::string type_text(const Key& key) {
  if constexpr (is_optional<T>) {
    return type_text<typename T::value_type>(key);
  } else if constexpr (is_list<T>) {
    const auto count = fixed_size<T> > 0 ? fmt::format("{} ", fixed_size<T>) : std::string();
    using Element = typename T::value_type;
    const auto list = fmt::format("a list of {}{}", count, nouns<Element>());
    return key.limits.or_one ? fmt::format("{} or {}", noun<Element>(), list) : list;
  } else {
    return noun<T>();
  }
}

}  // namespace

Limits Limits::up_to(double value) const {
  Limits copy = *this;
  copy.max = value;
  return copy;
}

Limits Limits::alone() const {
  Limits copy = *this;
  copy.or_one = true;
  return copy;
}

Limits filled() {
  Limits limits;
  limits.filled = true;
  return limits;
}

Limits above(double value) {
  Limits limits;
  limits.min = value;
  limits.min_open = true;
  return limits;
}

Limits at_least(double value) {
  Limits limits;
  limits.min = value;
  return limits;
}

Limits between(double low, double high) { return at_least(low).up_to(high); }

Limits one_of(std::vector<std::string> choices) {
  Limits limits;
  limits.choices = std::move(choices);
  return limits;
}

std::string read_value(const Key& key, const YAML::Node& node) {
  if (node.IsNull()) return "it has no value";
  return std::visit(
      [&](auto* field) -> std::string {
        using T = std::remove_pointer_t<decltype(field)>;
        if constexpr (is_optional<T>) {
          typename T::value_type value{};
          std::string wrong;
          if constexpr (is_list<typename T::value_type>)
            wrong = read_list(key, node, value);
          else
            wrong = read_scalar(key, node, value);
          if (wrong.empty()) *field = value;
          return wrong;
        } else if constexpr (is_list<T>) {
          return read_list(key, node, *field);
        } else {
          return read_scalar(key, node, *field);
        }
      },
      key.field);
}

std::string write_value(const Key& key) {
  return std::visit([](auto* field) { return text_of(*field); }, key.field);
}

std::string limits_text(const Limits& limits) {
  const bool low = std::isfinite(limits.min), high = std::isfinite(limits.max);
  if (low && high && !limits.min_open) return fmt::format("from {} to {}", limits.min, limits.max);
  std::string text;
  if (low)
    text = limits.min_open ? fmt::format("above {}", limits.min)
                           : fmt::format("{} or more", limits.min);
  if (low && high) text += " and ";
  if (high) text += fmt::format("at most {}", limits.max);
  return text;
}

std::string expected(const Key& key) {
  const auto& choices = key.limits.choices;
  if (!choices.empty()) {
    const auto words = fmt::format("{}", fmt::join(choices, ", "));
    return key.file == FileKind::none ? "one of " + words : words + " or a file";
  }
  std::string text = std::visit(
      [&](auto* field) { return type_text<std::remove_pointer_t<decltype(field)>>(key); },
      key.field);
  if (key.file == FileKind::file) text = "the name of a file or folder";
  const auto limits = limits_text(key.limits);
  if (!limits.empty()) text += ", " + limits;
  if (!key.unit.empty()) text += (limits.empty() ? ", in " : " ") + key.unit;
  return text;
}

}  // namespace ptyle
