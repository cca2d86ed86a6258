#pragma once

#include "io/checkpoint.hpp"
#include "prepare/experiment.hpp"
#include "session/division.hpp"
#include "session/reconstruct.hpp"

namespace ptyle {

/// Key by key, what a run must have in common with the one whose checkpoint it resumes.
/// Choices that are left to the program (auto, 0) are there as it made them.
Fingerprint fingerprint_of(const ReconstructConfig& config, const Experiment& experiment,
                           const Division& division);

/// UserError where this run is another than that of the checkpoint, naming what differs.
void check_same_run(const Checkpoint& checkpoint, const ReconstructConfig& config,
                    const Experiment& experiment, const Division& division);

}  // namespace ptyle
