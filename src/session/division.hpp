#pragma once

// How a measurement is divided among ranks: the object's frame, the mesh of tiles, and whose
// position is whose. The same on every rank, and the same in a plan as in a run.

#include <memory>
#include <span>
#include <vector>

#include "analysis/scan_extent.hpp"
#include "core/grid.hpp"
#include "session/start.hpp"
#include "solver/config.hpp"
#include "solver/options.hpp"
#include "solver/rules/rule_options.hpp"
#include "solver/sharing.hpp"
#include "solver/variables/position_options.hpp"
#include "tiles/cost.hpp"

namespace ptyle {

/// A scan on its object: the same however many ranks divide it.
struct ScanOnObject {
  i64 window = 0, margin = 0;  ///< px; positions may move by the margin
  ObjectFrame frame;
  ScanExtent extent;           ///< of the frame's positions, px
  std::vector<Pixel> centres;  ///< pixels [W/2, W/2] of their windows
};
/// Positions are in Å (px where pixel = 1).
ScanOnObject scan_on_object(std::span<const Position> positions, i64 window, double pixel,
                            i64 margin);

/// The cores of the tiles of so many ranks, and whom mini-batches are dealt for.
struct Cores {
  Mesh mesh;   ///< of no halo; a bisection: of windows alone
  int of = 1;  ///< ranks that mini-batches are dealt for (ranks.of)
  /// By position: the rank that would have it of so many, by which mini-batches are dealt; none:
  /// dealt for one.
  std::shared_ptr<const std::vector<int>> group_of = {};
};

/// How a scan is divided, without what is listed by position.
struct Cut {
  Sharing sharing;
  int of = 1;  ///< as of its cores
  std::shared_ptr<const std::vector<int>> group_of = {};
  ExchangeCost cost;  ///< of an exchange
  i64 positions = 0;  ///< of all ranks
  ScanExtent extent;  ///< of them, px
  i64 extra = 0;      ///< reach of the neighbours' positions, px
  i64 margin = 0;     ///< positions may move so far, px; 0: they are not refined
  /// The rule by which the object moves, and its preconditioner, chosen where the configuration
  /// leaves them to ptyle.
  RuleChoice rule = RuleChoice::automatic;
  PreconditionerChoice preconditioner = PreconditionerChoice::automatic;
  i64 transfer_reach = 0;  ///< of the transfer preconditioner, px, once the aperture is known
};

/// The halo of a text of ranks.halo: "exact", or a length in Å (px where pixel = 1). Throws
/// UserError for another.
Halo halo_of(const std::string& text, i64 window, double pixel);
/// True if the exchange asked for goes along rows and columns of tiles, or is of voxels: tiles are
/// cut by lines then.
bool needs_lines(const RanksConfig& config);
/// The ranks that mini-batches are dealt for where `ranks` run (ranks.of).
int dealt_for(const RanksConfig& config, int ranks);
/// For ranks that exchange `planes` planes at most. Throws UserError for a mesh that cannot be, and
/// for ranks.of that cannot share the scan.
Cores cores_of(const ScanOnObject& scan, const RanksConfig& config, int ranks, i64 planes);
/// The cut along them, of `bytes` a value. `looked_at`: px about a voxel that the fit looks at
/// beside the windows; −1: as far as the halo. Throws UserError for a halo or exchange that cannot
/// be.
Cut cut_along(const Cores& cores, const ScanOnObject& scan, double pixel, const RanksConfig& config,
              i64 planes, int bytes, i64 looked_at = -1);

struct Division : Cut {
  ObjectFrame frame;
  std::vector<PositionShare> shares;  ///< by rank; of one rank alone, the others' are empty
  i64 least = 0, most = 0;            ///< positions of a rank's own, over all ranks
  /// By rank: positions that may be handed over to it at most, as they move; empty: none moves.
  std::vector<i64> most_that_come = {};
  /// By rank: its tile has pixels that no window reaches (tiles/support); empty: none has.
  std::vector<bool> partly_dark = {};
};

/// A division of the scan: of all ranks, or what `only` one needs of it, whose time and memory
/// don't grow with the number of ranks.
Division divide(ScanOnObject scan, Cut cut, int only = -1);

/// For `ranks` ranks that exchange `planes` planes of `bytes` a value at most. Positions are in Å
/// (px where pixel = 1). Where they may move by `margin` px, the object grows by that on every
/// side, and halos by what moves need between two hand-overs (room_for_moves). Throws UserError for
/// a mesh, halo or exchange that cannot be.
Division divide(std::span<const Position> positions, i64 window, double pixel,
                const RanksConfig& config, int ranks, i64 planes, int bytes, i64 margin = 0,
                int only = -1, i64 looked_at = -1);

/// The network that exchanges are chosen by.
Network network_of(const RanksConfig& config);
/// The cost of one exchange; of voxels, the illumination's plane does not travel.
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
                    std::span<const Position> positions, i64 window, double pixel);
/// The same of so many positions of this extent, in their unit.
i64 margin_of_moves(const PositionOptions& refinement, const RanksConfig& config, int ranks,
                    i64 positions, const ScanExtent& scan, i64 window, double pixel);

}  // namespace ptyle
