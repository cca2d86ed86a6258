#pragma once

#include "io/checkpoint.hpp"
#include "prepare/experiment.hpp"
#include "session/reconstruct.hpp"
#include "session/start.hpp"

namespace ptyle {

/// Key by key, what a run must have in common with the one whose checkpoint it resumes.
Fingerprint fingerprint_of(const ReconstructConfig& config, const Experiment& experiment,
                           const ObjectFrame& frame);

}  // namespace ptyle
