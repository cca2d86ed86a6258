#pragma once

// The object, put together from the cores of all tiles, some rows at a time, so that no rank holds
// the whole of it.

#include <string>

#include "core/array.hpp"
#include "core/box.hpp"
#include "exchange/team.hpp"
#include "solver/fit.hpp"
#include "tiles/mesh.hpp"

namespace ptyle {

/// Rows (counted from the object's first) of plane z of a field on the object, "phase" say, on the
/// process that leads, (y, x); elsewhere empty. Every process of the team calls it. Throws
/// NotWritten (session/agreement), on all, where one has no memory for it.
template <class T>
Array<float, 2> stitched_rows(Team& team, const Mesh& mesh, const Fit<T>& fit,
                              const std::string& name, i64 z, Interval rows);

}  // namespace ptyle
