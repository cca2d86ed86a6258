#pragma once

// One value of a configuration: YAML to a field and back.

#include <string>

#include "core/keys.hpp"

namespace YAML {
class Node;
}

namespace ptyle {

/// Reads a value into the key's field. Returns what is wrong ("\"high\" is not a number"), or
/// nothing; the field is then unchanged or set.
std::string read_value(const Key& key, const YAML::Node& node);

/// The field's value as YAML on one line; empty where it has none.
std::string write_value(const Key& key);

}  // namespace ptyle
