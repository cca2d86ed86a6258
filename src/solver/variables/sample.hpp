#pragma once

// A sample of positions, visited tile by tile.

#include <vector>

#include "solver/batches.hpp"
#include "solver/workspace.hpp"

namespace ptyle {

/// f(members, places) for those of the sample that are each tile's own, where it has some; the
/// operator has the tile's object.
template <class T, class F>
void visit_sample(Workspace<T>& with, const std::vector<i64>& sample, F&& f) {
  for (std::size_t t = 0; t < with.tiles.size(); ++t) {
    const std::vector<i64> members = members_of(sample, with.tiles[t].own);
    if (members.empty()) continue;
    with.op->set_object(with.object_on(t));
    f(members, with.places_on(with.tiles[t], members));
  }
}

}  // namespace ptyle
