#pragma once

// Keys of a configuration, each declared once, beside the field that it sets:
//
//   template <class V>
//   void keys(V& v, OpticsConfig& o) {
//     v.section("optics", "the beam");
//     v("energy", o.energy, above(0).up_to(10000), "kV", "of the electrons").starting("300");
//   }
//
// A Keys takes the declarations in. The reading of YAML, the limits' check, the template, the
// resolved copy, the fingerprint of a run and the JSON schema are all made from it.

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "core/choice.hpp"
#include "core/limits.hpp"

namespace ptyle {

/// A field that is a choice, by the words of its table.
struct ChoiceField {
  std::vector<std::string> words;
  std::function<std::string()> word;             ///< the field's now; empty: it has none
  std::function<bool(const std::string&)> take;  ///< false: no such word, nothing is set
};

struct Key {
  using Field =
      std::variant<bool*, int*, double*, std::string*, std::uint64_t*, std::optional<double>*,
                   std::array<double, 2>*, std::array<double, 3>*, std::array<int, 2>*,
                   std::array<int, 3>*, std::optional<std::array<double, 2>>*, std::vector<int>*,
                   std::vector<double>*, std::vector<std::string>*, ChoiceField>;

  std::string path;  ///< "optics.energy"
  Field field;
  Limits limits;
  std::string unit;            ///< "kV"; empty: none
  std::string doc;             ///< one line
  std::string example;         ///< in the template, as YAML; empty: the default
  bool starts = false;         ///< not commented out in the template
  std::string also_called;     ///< what users of other programs call it, separated by spaces
  std::string formerly;        ///< path of its earlier name, which still reads; empty: none
  std::string mistaken, hint;  ///< a name for which it is mistaken, and what it is in truth
  FileKind file = FileKind::none;
  AtResume at_resume = AtResume::free;
  bool reported_if_set = false;  ///< a fingerprint names it only where it is not the default
  bool any_order = false;        ///< its list is a set: in another order it is the same

  /// Does it take a list? One that may also be a single value is one, too.
  [[nodiscard]] bool takes_list() const;
  /// True if its value, or each of its list, is a real number.
  [[nodiscard]] bool takes_reals() const;
  /// True if its value, or each of its list, is a whole number.
  [[nodiscard]] bool takes_whole_numbers() const;
  /// The words of a choice; none for another key.
  [[nodiscard]] const std::vector<std::string>& choices() const;
};

/// "optics" of "optics.energy"; empty where there is none.
std::string section_of(const std::string& path);
/// "energy" of "optics.energy".
std::string leaf_of(const std::string& path);

/// The part of a declaration beyond field, limits, unit and line of explanation.
class Declaration {
 public:
  explicit Declaration(Key& key) : key_(key) {}
  Declaration& example(const char* yaml) {
    key_.example = yaml;
    return *this;
  }
  /// The template sets it, to this or to the default.
  Declaration& starting(const char* yaml = "") {
    key_.starts = true;
    return example(yaml);
  }
  Declaration& also_called(const char* names) {
    key_.also_called = names;
    return *this;
  }
  Declaration& formerly(const char* name) {
    const std::string section = section_of(key_.path);
    key_.formerly = section.empty() ? name : section + "." + name;
    return *this;
  }
  /// A user who gives the key `name` is referred to this one.
  Declaration& not_to_be_taken_for(const char* name, const char* truth) {
    key_.mistaken = name;
    key_.hint = truth;
    return *this;
  }
  Declaration& file(FileKind kind = FileKind::file) {
    key_.file = kind;
    return *this;
  }
  /// A key that came later: texts that tell runs apart stay as they were where it is not used.
  Declaration& reported_if_set() {
    key_.reported_if_set = true;
    return *this;
  }
  Declaration& any_order() {
    key_.any_order = true;
    return *this;
  }
  Declaration& same_at_resume() { return at_resume(AtResume::same); }
  Declaration& free_at_resume() { return at_resume(AtResume::free); }

 private:
  Declaration& at_resume(AtResume how) {
    key_.at_resume = how;
    return *this;
  }
  Key& key_;
};

/// The keys that were declared to it, with pointers to their fields, which must outlive it.
class Keys {
 public:
  struct Section {
    std::string path;  ///< "optics"; empty: keys without a section
    std::string doc;
  };

  /// The section of the declarations that follow, a new one or one of before, whose line it keeps;
  /// `at_resume` is theirs unless they say another.
  void section(const char* path, const char* doc = "", AtResume at_resume = AtResume::free);

  template <class T>
  Declaration operator()(const char* name, T& field, const char* doc) {
    return add(name, field_of(field), {}, "", doc);
  }
  template <class T>
  Declaration operator()(const char* name, T& field, const char* unit, const char* doc) {
    return add(name, field_of(field), {}, unit, doc);
  }
  template <class T>
  Declaration operator()(const char* name, T& field, const Limits& limits, const char* doc) {
    return add(name, field_of(field), limits, "", doc);
  }
  template <class T>
  Declaration operator()(const char* name, T& field, const Limits& limits, const char* unit,
                         const char* doc) {
    return add(name, field_of(field), limits, unit, doc);
  }

  [[nodiscard]] const std::vector<Key>& all() const { return keys_; }
  [[nodiscard]] const std::vector<Section>& sections() const { return sections_; }

 private:
  template <class T>
  static Key::Field field_of(T& field) {
    if constexpr (Choosable<T>)
      return ChoiceField{words_of<T>(), [&field] { return std::string(word_of(field)); },
                         [&field](const std::string& word) {
                           const auto value = choice_named<T>(word);
                           if (value) field = *value;
                           return value.has_value();
                         }};
    else
      return &field;
  }
  /// Throws std::logic_error for a key that is there already.
  Declaration add(const char* name, Key::Field field, const Limits& limits, const char* unit,
                  const char* doc);

  std::vector<Section> sections_;
  std::string section_;  // of the declarations that follow
  AtResume at_resume_ = AtResume::free;
  std::vector<Key> keys_;
};

/// The field's value: "300", "[1, 2]", a text as it is; empty where it has none.
std::string text_of(const Key& key);

/// The fault of the field's value by its limits ("-300 kV is out of its limits"); empty: none.
std::string wrong_with(const Key& key);

/// True if a number lies inside.
bool inside(double value, const Limits& limits);

/// "-300 kV is out of its limits"
std::string out_of_limits(const std::string& text, const std::string& unit);

/// The limits alone: "above 0 and at most 3000"; empty where there are none.
std::string limits_text(const Limits& limits);

/// The values that the key takes: "a number, above 0 and at most 3000 kV".
std::string expected(const Key& key);

/// A key (or a section) and what is wrong with it.
struct KeyFault {
  std::string key, text;
};

/// The keys whose values are neither their defaults nor inside their limits. Both hold the same
/// keys, `defaults` with the fields of a fresh configuration.
std::vector<KeyFault> limit_faults(const Keys& keys, const Keys& defaults);

/// The paths of the keys whose values are not their defaults. Both hold the same keys.
std::set<std::string> not_default(const Keys& keys, const Keys& defaults);

/// UserError that names all of them, "key: text"; nothing where there are none.
void raise(const std::vector<KeyFault>& faults);

/// A configuration with the same keys and their defaults. One whose keys are not those of its type
/// alone has an overload of its own.
template <class Config>
Config fresh_like(const Config& /*config*/) {
  return {};
}

/// Calls with the keys of a copy of `config`, and with those of a fresh one.
template <class Config, class Call>
auto with_keys(const Config& config, Call&& call) {
  Config copy = config, fresh = fresh_like(config);
  Keys of_copy, defaults;
  keys(of_copy, copy);
  keys(defaults, fresh);
  return call(of_copy, defaults);
}

/// The paths of the keys whose values are not those of a fresh configuration.
template <class Config>
std::set<std::string> keys_given(const Config& config) {
  return with_keys(config, not_default);
}

/// Throws UserError where a value is out of its limits.
template <class Config>
void check_limits(const Config& config) {
  raise(with_keys(config, limit_faults));
}

}  // namespace ptyle
