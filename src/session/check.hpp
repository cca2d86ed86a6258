#pragma once

// Is a configuration right? Each value by the limits of its key, then keys beside each other, and
// the files that they name.

#include <set>
#include <string>
#include <vector>

#include "core/keys.hpp"
#include "session/reconstruct.hpp"

namespace ptyle {

/// Throws UserError with everything that is wrong. Nothing is written; where nothing will be
/// (`writes` is false), an earlier result is no fault. reconstruct() expects such a configuration.
void check(const ReconstructConfig& config, bool writes = true);

/// The faults between keys (exactly one calibration, what needs the energy, …) and with the files
/// that are named: there or not. A key counts as given where its value is not the default, or is
/// `faulty`: wrong in itself, as was reported already.
std::vector<KeyFault> faults_between_keys(const ReconstructConfig& config,
                                          const std::set<std::string>& faulty = {},
                                          bool writes = true);

/// "/probe" as probe.start is a dataset of the data file, unless it is the name of a file: the file
/// is put before it.
void complete_probe_start(ReconstructConfig& config);

/// The fault of a result that is there and may not be replaced; empty: there is none.
std::string earlier_result(const OutputConfig& output);

}  // namespace ptyle
