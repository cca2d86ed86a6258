#pragma once

// One value of a configuration: YAML to a field and back.

#include <string>

#include "app/schema.hpp"

namespace ptyle {

/// Reads a value into the key's field. Returns what is wrong ("\"high\" is not a number"), or
/// nothing; the field is then unchanged or set.
std::string read_value(const Key& key, const YAML::Node& node);

/// The field's value as YAML on one line; empty where it has none.
std::string write_value(const Key& key);

/// What the key takes: "a number above 0 and at most 3000 kV".
std::string expected(const Key& key);

/// The limits alone: "above 0 and at most 3000"; empty where there are none.
std::string limits_text(const Limits& limits);

}  // namespace ptyle
