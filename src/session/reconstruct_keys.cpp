#include "session/reconstruct_keys.hpp"

#include <filesystem>

#include "session/check.hpp"
#include "session/json_schema.hpp"
#include "session/keys.hpp"

namespace fs = std::filesystem;

namespace ptyle {

Schema reconstruct_schema(ReconstructConfig& config) {
  Keys all;
  keys(all, config);
  return Schema(std::move(all));
}

void check_reconstruct(ReconstructConfig& config, const Schema& schema,
                       const std::string& config_file, Faults& faults, bool writes) {
  complete_probe_start(config);
  complete_by_position(config);
  if (config.output.folder.empty()) {
    const auto path = fs::absolute(config_file).lexically_normal();
    const auto folder = path.parent_path() / path.stem();
    config.output.folder = folder == path ? path.string() + "-result" : folder.string();
  }
  const Purpose purpose{writes ? Purpose::Folder::written : Purpose::Folder::looked_at};
  schema.add(faults_between_keys(config, schema.faulty(), purpose), faults);
}

ReconstructInput read_reconstruct(const std::string& file, const std::vector<std::string>& settings,
                                  bool overwrite, bool resume, bool writes,
                                  const PartOptions& parts) {
  ReconstructInput input;
  input.config.parts = parts;
  input.config.output.resume = resume;
  Schema schema = reconstruct_schema(input.config);
  Faults faults;
  if (!schema.read_file(file, faults)) faults.raise(file);
  for (const auto& setting : settings) schema.read_setting(setting, faults);
  if (overwrite) input.config.output.overwrite = true;
  check_reconstruct(input.config, schema, file, faults, writes);
  faults.raise(file);
  input.resolved = schema.resolved();
  return input;
}

namespace {

constexpr const char* no_file = "the configuration";

/// Reads the file, where there is one, and what is given on top.
void read(Schema& schema, const std::string& file, const std::vector<NamedValue>& values,
          Faults& faults) {
  if (!file.empty() && !schema.read_file(file, faults)) faults.raise(file);
  for (const NamedValue& value : values) schema.read_named(value, faults);
}

}  // namespace

ReconstructInput read_reconstruct_values(const std::string& file,
                                         const std::vector<NamedValue>& values,
                                         const PatternsInMemory* patterns,
                                         const PartOptions& parts) {
  ReconstructInput input;
  input.config.parts = parts;
  Schema schema = reconstruct_schema(input.config);
  Faults faults;
  read(schema, file, values, faults);
  complete_probe_start(input.config);
  complete_by_position(input.config);
  schema.add(
      faults_between_keys(input.config, schema.faulty(), {Purpose::Folder::unused, patterns}),
      faults);
  faults.raise(file.empty() ? no_file : file.c_str());
  input.resolved = schema.resolved();
  return input;
}

ReconstructConfig read_given(const std::string& file, const std::vector<NamedValue>& values) {
  ReconstructConfig config;
  Schema schema = reconstruct_schema(config);
  Faults faults;
  read(schema, file, values, faults);
  faults.raise(file.empty() ? no_file : file.c_str());
  return config;
}

std::string resolved_text(ReconstructConfig config,
                          const std::map<std::string, std::string>& comments) {
  return reconstruct_schema(config).resolved(comments);
}

std::string reconstruct_template(const PartOptions& parts) {
  ReconstructConfig config;
  config.parts = parts;
  return reconstruct_schema(config).starting_file(
      "A starting configuration for: ptyle reconstruct run.yaml\n"
      "Lengths in Å, angles in mrad (azimuths and scan rotation in degrees),\n"
      "accelerating voltage in kV.\n"
      "Commented keys show their default or an example; files are relative to this file.");
}

std::string reconstruct_json_schema(const PartOptions& parts) {
  ReconstructConfig config;
  config.parts = parts;
  Keys all;
  keys(all, config);
  return json_schema(all, "A configuration of ptyle reconstruct");
}

}  // namespace ptyle
