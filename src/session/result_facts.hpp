#pragma once

#include "io/result.hpp"
#include "session/open_fit.hpp"
#include "solver/variables/geometry_options.hpp"

namespace ptyle {

/// The facts of a result that a fit and its measurement have: the lengths and the beam, positions,
/// patterns that were left out, held out, or are shown beside what the model makes of them; by
/// which version, when (UTC), where and by which command it was made. Not the probe, the history,
/// the ranks' figures, nor the configuration. All processes of the team call it.
template <class T>
ResultFacts facts_of(const OpenFit<T>& open);

/// Values that were fitted take the place of those that were given, which stay as "given_NAME".
void add_fitted(ResultFacts& facts, const std::vector<FittedValue>& values);

}  // namespace ptyle
