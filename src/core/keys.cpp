#include "core/keys.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "core/error.hpp"
#include "core/field_types.hpp"

namespace ptyle {
namespace {

template <class T>
std::string nouns() {
  if constexpr (std::is_same_v<T, double>) return "numbers";
  if constexpr (std::is_same_v<T, std::string>) return "texts";
  return "whole numbers";
}

template <class T>
std::string type_text(const Limits& limits) {
  if constexpr (is_optional<T>) {
    return type_text<typename T::value_type>(limits);
  } else if constexpr (is_list<T>) {
    const auto count = fixed_size<T> > 0 ? fmt::format("{} ", fixed_size<T>) : std::string();
    using Element = typename T::value_type;
    const auto list = fmt::format("a list of {}{}", count, nouns<Element>());
    return limits.or_one ? fmt::format("{} or {}", noun<Element>(), list) : list;
  } else {
    return noun<T>();
  }
}

template <class T>
std::string value_text(const T& value) {
  if constexpr (is_optional<T>)
    return value ? value_text(*value) : std::string();
  else if constexpr (is_list<T>)
    return fmt::format("[{}]", fmt::join(value, ", "));
  else
    return fmt::format("{}", value);
}

template <class T>
std::string wrong_value(const T& value, const Key& key) {
  if constexpr (is_optional<T>) {
    return value ? wrong_value(*value, key) : std::string();
  } else if constexpr (is_list<T>) {
    for (const auto& one : value)
      if (auto wrong = wrong_value(one, key); !wrong.empty()) return wrong;
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (key.limits.filled && value.empty()) return "the text is empty";
  } else if constexpr (!std::is_same_v<T, bool>) {
    if (!std::isfinite(double(value))) return fmt::format("{} is not finite", value);
    if (!inside(double(value), key.limits))
      return out_of_limits(fmt::format("{}", value), key.unit);
  }
  return {};
}

/// Calls with the field's value, or with its ChoiceField.
template <class Call>
auto visit_field(const Key& key, Call&& call) {
  return std::visit(
      [&](const auto& field) {
        if constexpr (std::is_pointer_v<std::decay_t<decltype(field)>>)
          return call(*field);
        else
          return call(field);
      },
      key.field);
}

/// What a field consists of: a list's elements, an optional's value, or itself.
template <class T>
struct Element {
  using type = T;
};
template <class T>
struct Element<std::optional<T>> : Element<T> {};
template <class T>
requires is_list<T>
struct Element<T> : Element<typename T::value_type> {
};

template <class T>
bool consists_of(const Key& key) {
  return visit_field(key, []<class Field>(const Field&) {
    return std::is_same_v<typename Element<Field>::type, T>;
  });
}

}  // namespace

std::string section_of(const std::string& path) {
  const auto dot = path.rfind('.');
  return dot == std::string::npos ? std::string() : path.substr(0, dot);
}

std::string leaf_of(const std::string& path) { return path.substr(path.rfind('.') + 1); }

bool Key::takes_list() const {
  return visit_field(*this, []<class T>(const T&) {
    if constexpr (is_optional<T>)
      return is_list<typename T::value_type>;
    else
      return is_list<T>;
  });
}

bool Key::takes_reals() const { return consists_of<double>(*this); }

bool Key::takes_whole_numbers() const {
  return consists_of<int>(*this) || consists_of<std::uint64_t>(*this);
}

const std::vector<std::string>& Key::choices() const {
  static const std::vector<std::string> none;
  const auto* choice = std::get_if<ChoiceField>(&field);
  return choice ? choice->words : none;
}

void Keys::section(const char* path, const char* doc, AtResume at_resume) {
  const bool there = std::any_of(sections_.begin(), sections_.end(),
                                 [&](const Section& section) { return section.path == path; });
  if (!there) sections_.push_back({path, doc});
  section_ = path;
  at_resume_ = at_resume;
}

Declaration Keys::add(const char* name, Key::Field field, const Limits& limits, const char* unit,
                      const char* doc) {
  const std::string path = section_.empty() ? name : section_ + "." + name;
  if (std::any_of(keys_.begin(), keys_.end(), [&](const Key& key) { return key.path == path; }))
    throw std::logic_error(fmt::format("the key {} is declared twice", path));
  Key& key = keys_.emplace_back();
  key.path = path;
  key.field = std::move(field);
  key.limits = limits;
  key.unit = unit;
  key.doc = doc;
  key.at_resume = at_resume_;
  return Declaration(key);
}

std::string text_of(const Key& key) {
  return visit_field(key, [](const auto& value) {
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, ChoiceField>)
      return value.word();
    else
      return value_text(value);
  });
}

std::string wrong_with(const Key& key) {
  return visit_field(key, [&](const auto& value) -> std::string {
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, ChoiceField>)
      return value.word().empty() ? "the value is none of its choices" : "";
    else
      return wrong_value(value, key);
  });
}

bool inside(double value, const Limits& limits) {
  const bool low = limits.min_open ? value > limits.min : value >= limits.min;
  return low && value <= limits.max;
}

std::string out_of_limits(const std::string& text, const std::string& unit) {
  return fmt::format("{}{}{} is out of its limits", text, unit.empty() ? "" : " ", unit);
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
  if (const auto& words = key.choices(); !words.empty())
    return fmt::format("one of {}", fmt::join(words, ", "));
  if (const auto& words = key.limits.words; !words.empty())
    return fmt::format("one of {} or a file", fmt::join(words, ", "));
  std::string text = visit_field(
      key, [&](const auto& value) { return type_text<std::decay_t<decltype(value)>>(key.limits); });
  if (key.file == FileKind::file) text = "the name of a file or folder";
  const auto limits = limits_text(key.limits);
  if (!limits.empty()) text += ", " + limits;
  if (!key.unit.empty()) text += (limits.empty() ? ", in " : " ") + key.unit;
  return text;
}

std::vector<KeyFault> limit_faults(const Keys& keys, const Keys& defaults) {
  std::vector<KeyFault> faults;
  for (std::size_t i = 0; i < keys.all().size(); ++i) {
    const Key& key = keys.all()[i];
    if (text_of(key) == text_of(defaults.all()[i])) continue;
    if (const auto wrong = wrong_with(key); !wrong.empty())
      faults.push_back({key.path, fmt::format("{}; it must be {}", wrong, expected(key))});
  }
  return faults;
}

std::set<std::string> not_default(const Keys& keys, const Keys& defaults) {
  std::set<std::string> paths;
  for (std::size_t i = 0; i < keys.all().size(); ++i)
    if (text_of(keys.all()[i]) != text_of(defaults.all()[i])) paths.insert(keys.all()[i].path);
  return paths;
}

void raise(const std::vector<KeyFault>& faults) {
  if (faults.empty()) return;
  const auto line = [](const KeyFault& f) { return fmt::format("{}: {}", f.key, f.text); };
  if (faults.size() == 1) throw UserError(line(faults.front()));
  std::string text = fmt::format("the configuration has {} faults", faults.size());
  for (const auto& fault : faults) text += "\n  " + line(fault);
  throw UserError(text);
}

}  // namespace ptyle
