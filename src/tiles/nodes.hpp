#pragma once

// The tile that each process takes, where a node (a machine) has several: tiles of a node form
// blocks, so that fewer bytes of exchanges leave nodes.
//
//   1. the tiles are walked through in strips of h rows of the mesh, one row (column) of a strip
//      after the other and to and fro; or in strips of columns. A bisection's tiles are walked
//      through in their order, in which those of a part follow each other
//   2. the walk is cut into as many tiles a node as it has processes
//   3. of all walks that one is taken with which `owner` sends least from node to node; the
//      processes' own order where none sends less; a bisection's own order is taken as it is

#include <span>
#include <vector>

#include "tiles/schedule.hpp"

namespace ptyle {

/// By process: its tile. `node_of`, by process: the number of its node, any; processes of a node
/// need not follow each other, nodes need not have as many of them. Process 0 takes tile 0, and the
/// tiles of a node ascend as its processes do. Throws std::invalid_argument for another number of
/// processes than of tiles.
std::vector<int> tiles_on_nodes(const Mesh& mesh, std::span<const int> node_of);

/// Pixels of each plane that the messages of a schedule take from node to node; `node_of`: by tile.
i64 pixels_between_nodes(const Schedule& schedule, std::span<const int> node_of);

}  // namespace ptyle
