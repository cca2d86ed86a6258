#pragma once

#include "io/frames.hpp"
#include "prepare/config.hpp"
#include "prepare/experiment.hpp"
#include "session/file_facts.hpp"
#include "session/inspect.hpp"

namespace ptyle {

/// The keys as they were given, with what the file says of the others and what was measured on its
/// patterns.
FoundConfig found_config(const InspectConfig& given, const h5::File& file, const Frames& frames,
                         const StatedFacts& stated, const Experiment& experiment);

}  // namespace ptyle
