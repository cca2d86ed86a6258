#pragma once

#include <string>

#include "session/agreement.hpp"
#include "session/reconstruction.hpp"

namespace ptyle {

/// The result or a checkpoint could not be written. Saves what was computed, unless the checkpoint
/// in `folder` holds it (`saved`): in `folder`, else in a new folder beside, in the current one, or
/// in that for temporary files. Then throws, on all ranks, the sentence that says why, where it is
/// and how to go on: on the process that leads as of the rank that could not write.
[[noreturn]] void rescue(const Reconstruction& run, const std::string& folder, bool saved,
                         const NotWritten& why, Team& team);

}  // namespace ptyle
