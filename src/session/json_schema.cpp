#include "session/json_schema.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>

#include "core/field_types.hpp"

namespace ptyle {
namespace {

std::string quoted(const std::string& text) {
  std::string json = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') json += '\\';
    if (static_cast<unsigned char>(c) < 0x20)
      json += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    else
      json += c;
  }
  return json + '"';
}

std::string list_of(const std::vector<std::string>& values) {
  return fmt::format("[{}]", fmt::join(values, ", "));
}

std::vector<std::string> all_quoted(const std::vector<std::string>& texts) {
  std::vector<std::string> all;
  for (const auto& text : texts) all.push_back(quoted(text));
  return all;
}

/// Members of an object, in their order.
class Members {
 public:
  Members& add(const std::string& name, const std::string& json) {
    members_.push_back(quoted(name) + ": " + json);
    return *this;
  }
  [[nodiscard]] std::string on_one_line() const {
    return fmt::format("{{{}}}", fmt::join(members_, ", "));
  }
  /// One a line; `indent` is of the closing bracket.
  [[nodiscard]] std::string on_lines(const std::string& indent) const {
    return fmt::format("{{\n{0}  {1}\n{0}}}", indent, fmt::join(members_, ",\n" + indent + "  "));
  }

 private:
  std::vector<std::string> members_;
};

template <class T>
constexpr const char* type_name() {
  if constexpr (std::is_same_v<T, bool>)
    return "\"boolean\"";
  else if constexpr (std::is_integral_v<T>)
    return "\"integer\"";
  else if constexpr (std::is_floating_point_v<T>)
    return "\"number\"";
  else
    return "\"string\"";
}

/// Type and limits of a single value.
template <class T>
Members value_schema(const Limits& limits) {
  Members schema;
  schema.add("type", std::is_same_v<T, std::string> && limits.number ? R"(["string", "number"])"
                                                                     : type_name<T>());
  if (std::isfinite(limits.min))
    schema.add(limits.min_open ? "exclusiveMinimum" : "minimum", fmt::format("{}", limits.min));
  if (std::isfinite(limits.max)) schema.add("maximum", fmt::format("{}", limits.max));
  if (limits.filled) schema.add("minLength", "1");
  return schema;
}

Members list_schema(const Members& item, std::size_t size) {
  Members schema;
  schema.add("type", "\"array\"").add("items", item.on_one_line());
  if (size > 0) schema.add("minItems", std::to_string(size)).add("maxItems", std::to_string(size));
  return schema;
}

/// T: the type of a field (Key::Field).
template <class T>
Members field_schema(const Limits& limits) {
  if constexpr (is_optional<T>) {
    return field_schema<typename T::value_type>(limits);
  } else if constexpr (is_list<T>) {
    const Members item = value_schema<typename T::value_type>(limits);
    const Members list = list_schema(item, fixed_size<T>);
    if (!limits.or_one) return list;
    return Members().add("anyOf", list_of({item.on_one_line(), list.on_one_line()}));
  } else {
    return value_schema<T>(limits);
  }
}

/// The field's value, which is the default; empty where it has none.
template <class T>
std::string json_of(const T& value) {
  if constexpr (is_optional<T>) {
    return value ? json_of(*value) : std::string();
  } else if constexpr (is_list<T>) {
    std::vector<std::string> all;
    for (const auto& one : value) all.push_back(json_of(one));
    return list_of(all);
  } else if constexpr (std::is_same_v<T, std::string>) {
    return quoted(value);
  } else {
    return fmt::format("{}", value);
  }
}

struct Described {
  Members schema;
  std::string value;
};

Described described(const Key& key) {
  if (const auto* choice = std::get_if<ChoiceField>(&key.field))
    return {Members().add("type", "\"string\"").add("enum", list_of(all_quoted(choice->words))),
            quoted(choice->word())};
  return std::visit(
      [&](const auto& field) -> Described {
        if constexpr (std::is_pointer_v<std::decay_t<decltype(field)>>)
          return {field_schema<std::remove_pointer_t<std::decay_t<decltype(field)>>>(key.limits),
                  json_of(*field)};
        else
          return {};
      },
      key.field);
}

Members key_schema(const Key& key) {
  auto [schema, value] = described(key);
  // A default such as "0: not given" that the limits would refuse is none to write.
  if (!value.empty() && wrong_with(key).empty()) schema.add("default", value);
  return schema.add("description",
                    quoted(key.unit.empty() ? key.doc : fmt::format("[{}] {}", key.unit, key.doc)));
}

/// The keys of a section into `properties`; earlier names are deprecated, and exclude the new ones.
void add_keys(const Keys& keys, const std::string& section, Members& properties,
              std::vector<std::string>& exclusions) {
  for (const Key& key : keys.all()) {
    if (section_of(key.path) != section) continue;
    const std::string name = leaf_of(key.path);
    properties.add(name, key_schema(key).on_one_line());
    if (key.formerly.empty()) continue;
    const std::string earlier = leaf_of(key.formerly);
    Key by_earlier = key;
    by_earlier.doc = "the earlier name of " + name;
    properties.add(earlier, key_schema(by_earlier).add("deprecated", "true").on_one_line());
    exclusions.push_back(
        fmt::format(R"({{"required": {}}})", list_of(all_quoted({name, earlier}))));
  }
}

void add_exclusions(const std::vector<std::string>& exclusions, Members& schema) {
  if (!exclusions.empty())
    schema.add("not", fmt::format(R"({{"type": "object", "anyOf": {}}})", list_of(exclusions)));
}

std::string section_schema(const Keys& keys, const Keys::Section& section) {
  Members properties, schema;
  std::vector<std::string> exclusions;
  add_keys(keys, section.path, properties, exclusions);
  schema.add("type", R"(["object", "null"])")
      .add("description", quoted(section.doc))
      .add("properties", properties.on_lines("      "))
      .add("additionalProperties", "false");
  add_exclusions(exclusions, schema);
  return schema.on_lines("    ");
}

}  // namespace

std::string json_schema(const Keys& keys, const std::string& title) {
  Members properties, schema;
  std::vector<std::string> exclusions;
  for (const auto& section : keys.sections()) {
    if (section.path.empty())
      add_keys(keys, "", properties, exclusions);
    else
      properties.add(section.path, section_schema(keys, section));
  }
  schema.add("$schema", quoted("https://json-schema.org/draft/2020-12/schema"))
      .add("title", quoted(title))
      .add("type", "\"object\"")
      .add("properties", properties.on_lines("  "))
      .add("additionalProperties", "false");
  add_exclusions(exclusions, schema);
  return schema.on_lines("") + "\n";
}

}  // namespace ptyle
