#pragma once

// A reconstruction as an object: configuration in, callbacks for progress and stop, result out.

#include <functional>
#include <string>
#include <vector>

#include "core/array.hpp"
#include "core/grid.hpp"
#include "core/ledger.hpp"
#include "exchange/team.hpp"
#include "prepare/config.hpp"
#include "solver/config.hpp"

namespace ptyle {

struct ReconstructConfig {
  DataConfig data;
  CalibrationConfig calibration;
  ScanConfig scan;
  OpticsConfig optics;
  ObjectConfig object;
  ProbeConfig probe;
  SolverConfig solver;
  RanksConfig ranks;
  OutputConfig output;
};

/// One line of progress.
struct Progress {
  int iteration = 0, iterations = 0;
  double cost = 0, r_factor = 0;
  double r_held_out = -1;  ///< −1: nothing held out
  double seconds = 0, seconds_left = 0;
  double seconds_before = 0;  ///< when the iteration before had ended
  std::string stage;  ///< of the continuation, e.g. "k < 0.60 1/Å, slices tied by 10"; empty: none
};

/// The same ones are given on all processes. They are called on the one that leads, but for `stop`,
/// which is asked on all. A checkpoint may be on its way meanwhile: they must not use HDF5.
struct ReconstructCallbacks {
  std::function<void(const Progress&)> progress;
  std::function<void(const std::string&)> log, warn;
  /// The object as it stands after an iteration, (slice, row, col) rad, and the positions on it, Å:
  /// to watch small ones, as the process that leads holds the whole of it then.
  std::function<void(const Progress&, View<const float, 3>, const std::vector<Position>&)> look;
  std::function<bool()> stop;  ///< asked in every group; true: finish the group, and write
};

/// Runs it, on all ranks of the team together, and writes the result file, TIFF and pictures into
/// output.folder. `resolved_yaml` is stored in the result as its `config`. Returns false where
/// `stop` ended it early. Throws UserError for the user's mistakes.
bool reconstruct(const ReconstructConfig& config, const std::string& resolved_yaml,
                 const ReconstructCallbacks& callbacks, Team& team);

}  // namespace ptyle
