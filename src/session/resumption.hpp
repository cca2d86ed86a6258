#pragma once

// A fit into a checkpoint, and out of one on any number of ranks.

#include <optional>
#include <string>

#include "exchange/team.hpp"
#include "io/checkpoint.hpp"
#include "io/result.hpp"
#include "session/division.hpp"
#include "solver/fit.hpp"

namespace ptyle {

/// Every process of the team calls it, between two groups: each rank writes its core, then the
/// folder gets its name. Throws UserError where it cannot be written.
template <class T>
void save_checkpoint(Team& team, const std::string& folder, const Fit<T>& fit,
                     const Division& division, const History& history,
                     const Fingerprint& fingerprint);

/// Phase and absorption of the part `box` of the object.
template <class T>
TileStart<T> resumed_tile(const Checkpoint& checkpoint, i64 slices, bool absorption, const Box& box,
                          Ledger* ledger);
template <class T>
Array<Complex<T>, 3> resumed_probe(const Checkpoint& checkpoint);
/// What Fit::restore takes, of the names that this fit has.
std::map<std::string, double> resumed_state(const Checkpoint& checkpoint,
                                            const std::map<std::string, double>& names);
History resumed_history(const Checkpoint& checkpoint);

}  // namespace ptyle
