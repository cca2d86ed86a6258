#pragma once

#include "io/result.hpp"
#include "prepare/experiment.hpp"
#include "solver/variables/geometry_options.hpp"

namespace ptyle {

/// The head of a result: lengths and the beam, the detector pixel of the window, and
/// by which version, when (UTC), where and by which command it was made.
void add_head(ResultFacts& facts, const Experiment& experiment);

/// Values that were fitted take the place of those that were given, which stay as "given_NAME".
void add_fitted(ResultFacts& facts, const std::vector<FittedValue>& values);

}  // namespace ptyle
