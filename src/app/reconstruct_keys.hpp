#pragma once

#include <string>
#include <vector>

#include "app/schema.hpp"
#include "session/reconstruct.hpp"

namespace ptyle {

/// The keys of `ptyle reconstruct`, bound to the fields of `config`.
Schema reconstruct_schema(ReconstructConfig& config);

/// The faults between keys (exactly one calibration, what needs the energy, …) and of the files
/// that are named: there or not. A missing output.folder is filled in: beside the file, named after
/// it. Nothing is written; where nothing will be (`writes` is false), an earlier result is no
/// fault.
void check_reconstruct(ReconstructConfig& config, const Schema& schema,
                       const std::string& config_file, Faults& faults, bool writes = true);

/// What is to say of a result that is there and may not be replaced; empty: there is none.
std::string earlier_result(const OutputConfig& output);

/// Configuration and settings read and checked whole; UserError with every fault.
struct ReconstructInput {
  ReconstructConfig config;
  std::string resolved;  ///< YAML, reads back as the same
};
ReconstructInput read_reconstruct(const std::string& file, const std::vector<std::string>& settings,
                                  bool overwrite, bool resume = false, bool writes = true);

/// What --print-template prints.
std::string reconstruct_template();

}  // namespace ptyle
