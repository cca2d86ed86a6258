#pragma once

#include "io/result.hpp"
#include "prepare/experiment.hpp"

namespace ptyle {

/// The head of a result: lengths and the beam, the detector pixel of the window, and
/// by which version, when (UTC), where and by which command it was made.
void add_head(ResultFacts& facts, const Experiment& experiment);

}  // namespace ptyle
