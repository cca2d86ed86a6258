#pragma once

// How a measurement is divided among ranks: the object's frame, the mesh of tiles, and whose
// position is whose. The same on every rank, and the same in a plan as in a run.

#include <vector>

#include "core/grid.hpp"
#include "session/start.hpp"
#include "solver/config.hpp"
#include "solver/sharing.hpp"

namespace ptyle {

struct Division {
  ObjectFrame frame;
  Sharing sharing;
  std::vector<PositionShare> shares;  ///< by rank
  i64 extra = 0;                      ///< reach of the neighbours' positions, px
};

/// For `ranks` ranks that exchange `planes` planes of `bytes` a value at most. Positions are in Å
/// (px where pixel = 1). Throws UserError for a mesh, halo or exchange that cannot be.
Division divide(const std::vector<Position>& positions, i64 window, double pixel,
                const RanksConfig& config, int ranks, i64 planes, int bytes);

}  // namespace ptyle
