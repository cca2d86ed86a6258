#pragma once

// optics.fitted: what the patterns say of beam and scan (session/quick_look) in the place of keys
// that are not given, before a reconstruction starts.
//
//   1. every process reads an even share of the patterns; the quick look is taken of all of them
//   2. what it cannot tell although a key is missing, or tells otherwise than a key, is refused
//   3. defocus, C12 and phi12, scan rotation and flips are put into keys that are not given
//
// A run that is resumed measures nothing: it takes the values of its checkpoint.

#include <map>
#include <string>

#include "exchange/team.hpp"
#include "session/config.hpp"
#include "session/patterns_in_memory.hpp"
#include "session/reconstruction.hpp"

namespace ptyle {

struct FittedOptics {
  ReconstructConfig config;  ///< with the values, and optics.fitted false
  /// The comment behind a key that was measured, by its path; on the process that leads.
  std::map<std::string, std::string> where;
};

/// All processes of the team together, which get the same values; of a configuration whose
/// optics.fitted is false, it is the same. `patterns` stand for data.file (none: nullptr). Throws
/// UserError, on the process that leads, where something is not determined.
FittedOptics with_fitted_optics(const ReconstructConfig& config, const PatternsInMemory* patterns,
                                Team& team, const ReconstructCallbacks& callbacks);

/// The specimen's thickness, Å, where there are slices; 0: not known.
double thickness_of(const ObjectConfig& object);

}  // namespace ptyle
