#pragma once

#include <map>
#include <set>

#include "simulate/recipe.hpp"

namespace ptyle {

/// UserError, with the key and its limits, for the first value out of its limits.
void check_recipe(const Recipe& recipe);

/// B, Å², of every element, from thermal.B and thermal.rms; empty where motion is none.
std::map<int, double> thermal_factors(const ThermalRecipe& thermal, const std::set<int>& elements);

}  // namespace ptyle
