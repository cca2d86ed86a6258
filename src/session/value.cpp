#include "session/value.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <yaml-cpp/yaml.h>

#include <charconv>
#include <cmath>
#include <string_view>
#include <system_error>

#include "core/field_types.hpp"

namespace ptyle {
namespace {

/// The value as the user wrote it, short.
std::string shown(const YAML::Node& node) {
  if (node.IsNull()) return "nothing";
  if (node.IsMap()) return "a section";
  YAML::Emitter out;
  out << YAML::Flow << node;
  const std::string text = out.c_str();
  return text.size() > 60 ? fmt::format("{}...", std::string_view(text).substr(0, 57)) : text;
}

/// A whole number, however large.
bool is_whole(const std::string& text) {
  const bool sign = text.starts_with('-') || text.starts_with('+');
  return text.size() > std::size_t{sign} &&
         text.find_first_not_of("0123456789", sign ? 1 : 0) == std::string::npos;
}

/// False where T cannot hold the whole number.
template <class T>
bool decode_decimal(std::string_view text, T& value) {
  if (text.starts_with('+')) text.remove_prefix(1);
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && at == end;
}

template <class T>
std::string read_scalar(const Key& key, const YAML::Node& node, T& field) {
  const std::string not_it = fmt::format("{} is not {}", shown(node), noun<T>());
  if (!node.IsScalar()) return not_it;
  if constexpr (std::is_same_v<T, std::string>) {
    const auto& text = node.Scalar();
    if (key.limits.filled && text.empty()) return "the text is empty";
    field = text;
  } else {
    if constexpr (std::is_same_v<T, std::uint64_t>)
      if (node.Scalar().starts_with('-')) return out_of_limits(shown(node), key.unit);
    T value{};
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
      // 020 is 20, as in YAML 1.2; yaml-cpp takes it for octal.
      const bool whole = is_whole(node.Scalar());
      if (whole && !decode_decimal(node.Scalar(), value))
        return out_of_limits(shown(node), key.unit);
      if (!whole && !YAML::convert<T>::decode(node, value)) return not_it;
    } else if (!YAML::convert<T>::decode(node, value)) {
      return not_it;
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

std::string read_choice(const ChoiceField& choice, const YAML::Node& node) {
  if (!node.IsScalar()) return fmt::format("{} is not a text", shown(node));
  if (!choice.take(node.Scalar()))
    return fmt::format("\"{}\" is none of its choices", node.Scalar());
  return {};
}

/// A text as YAML, in quotation marks where it needs them.
std::string yaml_text(const std::string& text) {
  YAML::Emitter out;
  out << text;
  return out.c_str();
}

}  // namespace

std::string read_value(const Key& key, const YAML::Node& node) {
  if (node.IsNull()) return "it has no value";
  if (const auto* choice = std::get_if<ChoiceField>(&key.field)) return read_choice(*choice, node);
  return std::visit(
      [&](const auto& field) -> std::string {
        using T = std::remove_pointer_t<std::decay_t<decltype(field)>>;
        if constexpr (std::is_same_v<T, ChoiceField>) {
          return {};
        } else if constexpr (is_optional<T>) {
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
  if (const auto* text = std::get_if<std::string*>(&key.field)) return yaml_text(**text);
  if (const auto* list = std::get_if<std::vector<std::string>*>(&key.field)) {
    std::vector<std::string> all;
    for (const auto& text : **list) all.push_back(yaml_text(text));
    return fmt::format("[{}]", fmt::join(all, ", "));
  }
  if (std::holds_alternative<ChoiceField>(key.field)) return yaml_text(text_of(key));
  return text_of(key);
}

}  // namespace ptyle
