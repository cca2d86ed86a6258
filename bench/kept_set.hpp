#pragma once

// A simulated set that stays for the next run of a benchmark.

#include <fmt/format.h>

#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "simulate/simulate.hpp"

namespace ptyle::bench {

/// Its file, NAME-SEED.h5 in the folder ptyle-bench-sets of the temporary ones: a set of this
/// recipe that is there is taken as it is, one of another is replaced.
inline std::string kept_set(Recipe recipe, const std::string& name) {
  const auto folder = std::filesystem::temp_directory_path() / "ptyle-bench-sets";
  std::filesystem::create_directories(folder);
  recipe.output = (folder / fmt::format("{}-{}.h5", name, recipe.seed)).string();
  recipe.overwrite = true;
  simulate(recipe, std::nullopt, {});
  return recipe.output;
}

}  // namespace ptyle::bench
