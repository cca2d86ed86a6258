#pragma once

// How a measurement is divided among ranks: the object's frame, the mesh of tiles, and whose
// position is whose. The same on every rank, and the same in a plan as in a run.

#include <memory>
#include <vector>

#include "core/grid.hpp"
#include "session/start.hpp"
#include "solver/config.hpp"
#include "solver/options.hpp"
#include "solver/sharing.hpp"
#include "solver/variables/position_options.hpp"
#include "tiles/cost.hpp"
#include "tiles/support.hpp"

namespace ptyle {

struct Division {
  ObjectFrame frame;
  Sharing sharing;
  std::vector<PositionShare> shares;  ///< by rank
  i64 extra = 0;                      ///< reach of the neighbours' positions, px
  i64 margin = 0;                     ///< positions may move so far, px; 0: they are not refined
  /// By rank: positions that may be handed over to it at most, as they move; empty: none moves.
  std::vector<i64> most_that_come = {};
  std::shared_ptr<const Support> support = {};  ///< of the object; none: all of it
  int of = 1;                                   ///< ranks that mini-batches are dealt for
  /// By position: the rank that would have it of so many, by which mini-batches are dealt; empty:
  /// dealt for one.
  std::vector<int> group_of = {};
};

/// The ranks that mini-batches are dealt for where `ranks` run (ranks.of).
int dealt_for(const RanksConfig& config, int ranks);

/// For `ranks` ranks that exchange `planes` planes of `bytes` a value at most. Positions are in Å
/// (px where pixel = 1). Where they may move by `margin` px, the object grows by that on every
/// side, and halos by what moves need between two hand-overs (room_for_moves). `looked_at`: px
/// about a voxel that the fit looks at beside the windows; −1: as far as the halo. Throws UserError
/// for a mesh, halo or exchange that cannot be, and for ranks.of that cannot share the scan.
Division divide(const std::vector<Position>& positions, i64 window, double pixel,
                const RanksConfig& config, int ranks, i64 planes, int bytes, i64 margin = 0,
                i64 looked_at = -1);

/// The network that exchanges are chosen by.
Network network_of(const RanksConfig& config);
/// The cost of one exchange; where it is of voxels, the illumination's plane does not travel.
ExchangeCost cost_of(const Sharing& sharing, i64 planes, int bytes, const Network& network);

/// A fit's options of how and when ranks exchange.
void set_exchange(FitOptions& options, const RanksConfig& config);
/// True where gradients are summed over so many ranks after every mini-batch (solver/options).
bool sums_every_batch(const RanksConfig& config, int ranks);

/// px that positions may move, by `refinement`; 0: they stay. Refined unasked are those of a scan
/// of many positions, close to each other beside their window, whose gradients are summed over
/// ranks. Throws UserError where they are asked for and cannot be, and for a move of more than half
/// a window.
i64 margin_of_moves(const PositionOptions& refinement, const RanksConfig& config, int ranks,
                    const std::vector<Position>& positions, i64 window, double pixel);

}  // namespace ptyle
