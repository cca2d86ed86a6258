#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "simulate/recipe.hpp"

namespace ptyle {

/// A key and what is wrong with its value beside those of others.
struct Mismatch {
  std::string key, what;
};
std::vector<Mismatch> mismatches(const Recipe& recipe);

/// UserError, with the key, for the first value out of its limits, or the first mismatch.
void check_recipe(const Recipe& recipe);

/// B, Å², of every element, from thermal.B and thermal.rms; empty where motion is none.
std::map<int, double> thermal_factors(const ThermalRecipe& thermal, const std::set<int>& elements);

}  // namespace ptyle
