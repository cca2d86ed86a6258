#pragma once

#include "io/checkpoint.hpp"
#include "prepare/experiment.hpp"
#include "session/config.hpp"
#include "session/division.hpp"

namespace ptyle {

/// Key by key, what a run must have in common with the one whose checkpoint it resumes: all that
/// has made the data, the starting object and probe, and the sizes of the state. Choices that are
/// left to the program (auto, 0) are there as it made them. What acts from iteration to iteration
/// (step sizes, penalties, limits, threads) may change, and is there too.
Fingerprint fingerprint_of(const ReconstructConfig& config, const Experiment& experiment,
                           const Division& division);

/// UserError where this run is another than that of the checkpoint, naming what differs. Returned
/// is what has changed and may, a phrase each ("solver.step was 0, now it is 0.3").
std::vector<std::string> check_same_run(const Checkpoint& checkpoint,
                                        const ReconstructConfig& config,
                                        const Experiment& experiment, const Division& division);

}  // namespace ptyle
