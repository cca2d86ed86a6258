#pragma once

// Patterns that the fit cannot explain.

#include "session/open_fit.hpp"

namespace ptyle {

/// Judges the patterns of a fit after the iterations that it is done at: warns of those that the
/// fit cannot explain, and leaves them out where data.outliers asks for it; but not at the end
/// (`finished`) of a short run, which may go on as part of a longer one. All processes of the team
/// call it after each iteration.
template <class T>
void judge_patterns(OpenFit<T>& open, int iteration, bool finished);

}  // namespace ptyle
