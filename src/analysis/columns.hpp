#pragma once

// Atom columns in a summed-phase image.

#include <optional>
#include <span>
#include <vector>

#include "core/array.hpp"
#include "core/grid.hpp"

namespace ptyle {

/// A column of atoms along the beam.
struct AtomColumn {
  int number = 0;     ///< Z of its heaviest atom
  Position position;  ///< mean of its heaviest atoms
};

/// An atom seen along the beam.
struct ProjectedAtom {
  int number = 0;
  Position position;
};

/// Gathers atoms that lie within `width` of each other in projection (lengths of one unit).
std::vector<AtomColumn> gather_columns(std::span<const ProjectedAtom> atoms, double width);

/// Half the distance between each column and its nearest neighbour (infinite for a lone one).
std::vector<double> half_distances(std::span<const AtomColumn> columns);

/// The position, in pixels, of the peak nearest to `expected`: the middle of a round Gaussian on a
/// constant background, fitted by Gauss–Newton to the pixels within `radius` of where it stands;
/// started at the brightest 3 × 3 mean within the radius. Nothing where no peak (positive
/// amplitude, width from 0.3 px to twice the radius) is found within the radius.
std::optional<Position> find_peak(View<const double, 2> image, Position expected, double radius);

}  // namespace ptyle
