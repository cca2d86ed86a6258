#pragma once

// Is a configuration right? Each value by the limits of its key, then keys beside each other, and
// the files that they name; everything that is wrong is reported at once.

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "core/keys.hpp"
#include "core/ledger.hpp"
#include "prepare/experiment.hpp"
#include "session/config.hpp"
#include "session/patterns_in_memory.hpp"

namespace ptyle {

/// The use of a configuration, which decides what it has to have.
struct Purpose {
  /// Use of output.folder: a run writes into it; it is looked at, and an earlier result there is no
  /// fault; or it need not be given, as folders are named later.
  enum class Folder { written, looked_at, unused } folder = Folder::written;
  /// Patterns in place of data.file; or none.
  const PatternsInMemory* patterns = nullptr;
};

/// Throws UserError with everything that is wrong. Nothing is written.
CheckedConfig checked(ReconstructConfig config, const Purpose& purpose = {});

/// The ranks that a check is for: those of ranks.mesh, or one.
int ranks_to_check(const RanksConfig& config);

/// The measurement, read and prepared as a run of one process does: patterns that memory does not
/// hold lie in a file (session/pattern_disk), of which `log` is told. Throws UserError for what a
/// run of `ranks` ranks refuses, too, but for their memory (session/plan_ranks).
Experiment checked_experiment(const ReconstructConfig& config, int ranks, Ledger& ledger,
                              const std::function<void(const std::string&)>& log);

/// The faults between keys (exactly one calibration, what needs the energy, …) and with the files
/// that are named: there or not. A key counts as given where its value is not the default, or is
/// `faulty`: wrong in itself, as was reported already.
std::vector<KeyFault> faults_between_keys(const ReconstructConfig& config,
                                          const std::set<std::string>& faulty = {},
                                          const Purpose& purpose = {});

/// Completes a configuration before it is checked. "/probe" as probe.start is a dataset of the data
/// file, unless it is the name of a file: the file is put before it. Keys that a rule which goes by
/// position excludes are off where the configuration leaves them to ptyle.
void complete(ReconstructConfig& config);

/// The fault of a result that is there and may not be replaced; empty: there is none.
std::string earlier_result(const OutputConfig& output);

}  // namespace ptyle
