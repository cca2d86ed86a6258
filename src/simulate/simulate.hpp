#pragma once

// `ptyle simulate recipe.yaml`: from a recipe to a data set.
//
//   1. make_plan: scan, object, atoms, probe                       (plan.hpp)
//   2. make_slices: phases, slice by slice, into the file          (object.hpp)
//   3. cell by cell, the part of the object that a set of positions reaches is read back
//   4. patterns by the reconstruction's own operator, averaged over configurations, detected
//      (detector.hpp), written
//
// Memory does not grow with the scan: a few slices in step 2, a cell and a batch of frames in 4.

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "simulate/plan.hpp"
#include "simulate/recipe.hpp"

namespace ptyle {

struct SimulateProgress {
  std::string stage;        ///< "object" | "patterns"
  i64 done = 0, total = 0;  ///< slices (of all configurations) | positions asked for
  double seconds = 0;       ///< since the stage began
  double seconds_left = 0;
};

struct SimulateCallbacks {
  std::function<void(const SimulateProgress&)> progress;
  std::function<void(const std::string&)> log;
  std::function<bool()> stop;  ///< asked often; true: what is made is kept, and resumed next time
};

struct SimulateReport {
  bool complete = false;  ///< all positions are there, and the file has its name
  std::string file;       ///< output, or output.part
  i64 made = 0;           ///< positions simulated in this call
  i64 left = 0;           ///< positions still missing in the file
};

/// Makes the data set, or the positions [first, second) of it; what an earlier call made is kept.
/// UserError for what is wrong with the recipe or the file.
SimulateReport simulate(const Recipe& recipe, std::optional<std::pair<i64, i64>> positions,
                        const SimulateCallbacks& callbacks);

}  // namespace ptyle
