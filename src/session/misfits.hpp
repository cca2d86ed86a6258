#pragma once

// Patterns that the fit cannot explain.

#include <vector>

#include "exchange/team.hpp"
#include "prepare/experiment.hpp"
#include "prepare/odd_patterns.hpp"

namespace ptyle {

/// Iterations until the object is good enough to tell which patterns do not belong to it, and until
/// that is certain: at the edge of a scan the object is found late.
inline constexpr int first_look_at_misfits = 5, second_look_at_misfits = 8;

/// R-factors by position (−1: not fitted), with those of held-out patterns lowered by what sets
/// them apart as a whole: they are not fitted.
std::vector<double> comparable(std::vector<double> r_factors, const std::vector<i64>& held_out);

/// Patterns whose R stands apart, of those in `among` where it is given. Patterns that the fit
/// explains better than the mean of all patterns would are none. All ranks together.
Unexplained misfits_of(const Experiment& experiment, const std::vector<double>& r_factors,
                       const std::vector<i64>* among, Team& team);

/// R of the mean pattern, scaled to the pattern's counts, for each of these patterns that is held
/// here; else 0.
std::vector<double> r_of_mean(const Experiment& experiment, const std::vector<i64>& patterns);

}  // namespace ptyle
