#pragma once

#include <string>
#include <vector>

#include "session/schema.hpp"
#include "simulate/recipe.hpp"

namespace ptyle {

/// The keys of a recipe of `ptyle simulate`, bound to the fields of `recipe`.
Schema simulate_schema(Recipe& recipe);

/// A recipe and settings read and checked whole; UserError with every fault. A missing output is
/// filled in: beside the recipe, named after it.
struct SimulateInput {
  Recipe recipe;
  std::string resolved;  ///< YAML, reads back as the same
};
SimulateInput read_simulate(const std::string& file, const std::vector<std::string>& settings);
/// The same with values that a program gives, on top of a file's (empty: none; `output` is needed
/// then).
SimulateInput read_simulate_values(const std::string& file, const std::vector<NamedValue>& values);

/// The text of --print-template.
std::string simulate_template();

/// The text of --print-schema.
std::string simulate_json_schema();

}  // namespace ptyle
