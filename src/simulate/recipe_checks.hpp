#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/keys.hpp"
#include "simulate/recipe.hpp"

namespace ptyle {

/// The faults of values beside those of other keys.
std::vector<KeyFault> mismatches(const Recipe& recipe);

/// UserError, with their keys, for values out of their limits, or for mismatches.
void check_recipe(const Recipe& recipe);

/// B, Å², of every element, from thermal.B and thermal.rms; empty where motion is none. UserError
/// where one of `elements` has none, or one that is not even `possible` has one.
std::map<int, double> thermal_factors(const ThermalRecipe& thermal, const std::set<int>& elements,
                                      const std::set<int>& possible);

}  // namespace ptyle
