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

namespace {

constexpr const char* no_file = "the configuration";

/// Reads the file and what comes on top; `check(faults)` adds those between keys.
template <class More, class Check>
void read(Schema& schema, const std::string& file, const More& more, Check&& check) {
  Faults faults;
  schema.read(file, more, faults);
  check(faults);
  faults.raise(file.empty() ? no_file : file);
}

void check_between(ReconstructConfig& config, const Schema& schema, const Purpose& purpose,
                   Faults& faults) {
  complete(config);
  schema.add(faults_between_keys(config, schema.faulty(), purpose), faults);
}

}  // namespace

void check_reconstruct(ReconstructConfig& config, const Schema& schema,
                       const std::string& config_file, Faults& faults, bool writes) {
  if (config.output.folder.empty()) {
    const auto path = fs::absolute(config_file).lexically_normal();
    const auto folder = path.parent_path() / path.stem();
    config.output.folder = folder == path ? path.string() + "-result" : folder.string();
  }
  check_between(config, schema, {writes ? Purpose::Folder::written : Purpose::Folder::looked_at},
                faults);
}

ReconstructInput read_reconstruct(const std::string& file, const std::vector<std::string>& settings,
                                  bool overwrite, bool resume, bool writes,
                                  const PartOptions& parts) {
  ReconstructInput input;
  input.config.parts = parts;
  input.config.output.resume = resume;
  Schema schema = reconstruct_schema(input.config);
  read(schema, file, settings, [&](Faults& faults) {
    if (overwrite) input.config.output.overwrite = true;
    check_reconstruct(input.config, schema, file, faults, writes);
  });
  input.resolved = schema.resolved();
  return input;
}

ReconstructInput read_reconstruct_values(const std::string& file,
                                         const std::vector<NamedValue>& values,
                                         const PatternsInMemory* patterns,
                                         const PartOptions& parts) {
  ReconstructInput input;
  input.config.parts = parts;
  Schema schema = reconstruct_schema(input.config);
  read(schema, file, values, [&](Faults& faults) {
    check_between(input.config, schema, {Purpose::Folder::unused, patterns}, faults);
  });
  input.resolved = schema.resolved();
  return input;
}

ReconstructConfig read_given(const std::string& file, const std::vector<NamedValue>& values) {
  ReconstructConfig config;
  Schema schema = reconstruct_schema(config);
  read(schema, file, values, [](Faults&) {});
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
