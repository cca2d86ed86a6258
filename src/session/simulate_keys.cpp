#include "session/simulate_keys.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "session/json_schema.hpp"
#include "simulate/recipe_checks.hpp"

namespace fs = std::filesystem;

namespace ptyle {
namespace {

/// The faults between keys.
void check(const Recipe& recipe, const Schema& schema, Faults& faults) {
  const std::string& file = recipe.specimen.file;
  std::vector<KeyFault> between;
  if (schema.given("specimen.structure") && schema.given("specimen.file"))
    between.push_back({"specimen.file", "excludes specimen.structure; give one of the two"});
  if (!file.empty() && !fs::is_regular_file(file))
    between.push_back({"specimen.file", fmt::format("there is no file {}", file)});
  schema.add(between, faults);
  schema.add(mismatches(recipe), faults);
}

}  // namespace

Schema simulate_schema(Recipe& recipe) {
  Keys all;
  keys(all, recipe);
  return Schema(std::move(all));
}

namespace {

/// `more`: what comes on top of the file.
template <class More>
SimulateInput read(const std::string& file, const More& more) {
  SimulateInput input;
  Schema schema = simulate_schema(input.recipe);
  Faults faults;
  schema.read(file, more, faults);
  check(input.recipe, schema, faults);
  if (file.empty() && input.recipe.output.empty())
    schema.add({{"output", "must be given, the file to be written"}}, faults);
  faults.raise(file.empty() ? "the recipe" : file);
  if (input.recipe.output.empty())
    input.recipe.output = fs::absolute(file).lexically_normal().replace_extension(".h5").string();
  input.resolved = schema.resolved();
  return input;
}

}  // namespace

SimulateInput read_simulate(const std::string& file, const std::vector<std::string>& settings) {
  return read(file, settings);
}
SimulateInput read_simulate_values(const std::string& file, const std::vector<NamedValue>& values) {
  return read(file, values);
}

std::string simulate_template() {
  Recipe recipe;
  return simulate_schema(recipe).starting_file(
      "A starting recipe for: ptyle simulate recipe.yaml\n"
      "Lengths in Å, angles in mrad (azimuths and rotations in degrees),\n"
      "accelerating voltage in kV.\n"
      "Commented keys show their default or an example; files are relative to this file.");
}

std::string simulate_json_schema() {
  Recipe recipe;
  Keys all;
  keys(all, recipe);
  return json_schema(all, "A recipe of ptyle simulate");
}

}  // namespace ptyle
