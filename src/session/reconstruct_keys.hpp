#pragma once

#include <map>
#include <string>
#include <vector>

#include "session/config.hpp"
#include "session/patterns_in_memory.hpp"
#include "session/schema.hpp"

namespace ptyle {

/// The keys of `ptyle reconstruct`, bound to the fields of `config`.
Schema reconstruct_schema(ReconstructConfig& config);

/// Adds the faults between keys and of the files that are named (session/check), each with the line
/// of its key. Completed are probe.start, and a missing output.folder: beside the file, named after
/// it. Where nothing will be written (`writes` is false), an earlier result is no fault.
void check_reconstruct(ReconstructConfig& config, const Schema& schema,
                       const std::string& config_file, Faults& faults, bool writes = true);

/// Configuration and settings read and checked whole; UserError with every fault. `parts`: those of
/// which the configuration may speak.
struct ReconstructInput {
  ReconstructConfig config;
  std::string resolved;  ///< YAML, reads back as the same
};
ReconstructInput read_reconstruct(const std::string& file, const std::vector<std::string>& settings,
                                  bool overwrite, bool resume = false, bool writes = true,
                                  const PartOptions& parts = known_parts());

/// The same of values that a program gives, on top of those of a file (empty: none), for its
/// patterns in memory where it has some. output.folder may be left out, and an earlier result there
/// is no fault.
ReconstructInput read_reconstruct_values(const std::string& file,
                                         const std::vector<NamedValue>& values,
                                         const PatternsInMemory* patterns = nullptr,
                                         const PartOptions& parts = known_parts());

/// Such values alone, each checked by itself: what is missing is no fault.
ReconstructConfig read_given(const std::string& file, const std::vector<NamedValue>& values);

/// Every key with its value, as YAML; `comments` stand behind keys, by their paths.
std::string resolved_text(ReconstructConfig config,
                          const std::map<std::string, std::string>& comments = {});

/// The text of --print-template.
std::string reconstruct_template(const PartOptions& parts = known_parts());

/// The text of --print-schema.
std::string reconstruct_json_schema(const PartOptions& parts = known_parts());

}  // namespace ptyle
