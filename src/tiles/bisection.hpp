#pragma once

// A tiling for scans that are turned or round: a k-d tree.
//
//   1. the positions, and so the object, are cut in two across the longer side of their box, so
//      that each part has positions in proportion to its ranks; and so on, to one rank a part
//   2. of the last few cuts of a part both axes are tried: those are taken whose fullest tile times
//      largest tile is least
//   3. a core is what the windows reach of its part, a tile what its own windows reach and what
//      regularisers look at: empty corners about the scan belong to nobody
//
// An axis-aligned raster has whole rows of positions on a line, which no cut divides: there rows
// and columns of tiles (tiles/mesh) are better balanced.

#include <span>

#include "tiles/mesh.hpp"

namespace ptyle {

struct Bisection {
  i64 window = 0;  ///< px
  int ranks = 1;
  Halo halo;
  i64 margin = 0;  ///< px that positions may move in all
  i64 room = 0;    ///< px outside its part that a position of a tile may lie, once they move
  i64 reach = 0;   ///< px that regularisers look at about a core
};

/// Throws UserError where the positions have fewer different pixels than there are ranks, or lie on
/// them so that no cut divides a part.
Mesh bisected_mesh(std::span<const Pixel> centres, const Bisection& asked);

/// The same where the cuts are known, in a fraction of the time: `like` was made of these centres,
/// with another halo or reach, which no cut depends on.
Mesh bisected_mesh(std::span<const Pixel> centres, const Bisection& asked, const Mesh& like);

}  // namespace ptyle
