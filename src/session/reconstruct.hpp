#pragma once

// The course of `ptyle reconstruct`, with a Reconstruction.

#include <string>

#include "session/reconstruction.hpp"

namespace ptyle {

/// Checks the configuration (session/check) and runs it, on all ranks of the team together, with
/// the checkpoints that it asks for, and writes the result file, TIFF and pictures into
/// output.folder. `resolved_yaml` is stored in the result as its `config`. Returns false where
/// `stop` ended it early: then a checkpoint is written too. Throws UserError for the user's
/// mistakes.
bool reconstruct(const ReconstructConfig& config, const std::string& resolved_yaml,
                 const ReconstructCallbacks& callbacks, Team& team);
/// The same of one that was checked.
bool reconstruct(const CheckedConfig& config, const std::string& resolved_yaml,
                 const ReconstructCallbacks& callbacks, Team& team);

}  // namespace ptyle
