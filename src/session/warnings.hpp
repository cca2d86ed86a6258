#pragma once

// Warnings of `ptyle reconstruct` before it computes: `ptyle inspect` reports more, but not
// everybody asks it.

#include <optional>
#include <string>
#include <vector>

#include "prepare/experiment.hpp"
#include "session/config.hpp"

namespace ptyle {

/// Warnings of values that are cut off, and of a probe that its window cannot hold.
std::vector<std::string> warnings_of(const ReconstructConfig& config, const Experiment& experiment);

/// Detector pixels whose values are cut off in some patterns. Nothing where none is.
std::optional<std::string> warning_of_clipping(const Experiment& experiment);

/// `counts`: of the whole scan, an object pixel (settings.hpp); `held_pixels`: detector pixels are
/// held out, and show when to stop.
std::optional<std::string> warning_of_few_counts(double counts, i64 batches, bool held_pixels);

}  // namespace ptyle
