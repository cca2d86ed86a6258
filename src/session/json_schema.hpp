#pragma once

#include <string>

#include "core/keys.hpp"

namespace ptyle {

/// A JSON Schema (2020-12) of configurations with these keys, whose fields hold the defaults:
/// types, choices, limits, sizes of lists, defaults, units. YAML is meant as its version 1.2 reads
/// it (on and off are texts, 1e5 is a number). Consistency of keys with each other is not in it.
std::string json_schema(const Keys& keys, const std::string& title);

}  // namespace ptyle
