#pragma once

// The hand-over of records from rank to rank, as data, without MPI. A record is all that belongs to
// one position; it belongs to the rank in whose core the position lies. Where positions move:
//
//   1. a position that lies more than a margin outside its rank's core changes hands: its record
//      goes to the rank in whose core it lies (parcels_of, which each rank asks for its own)
//   2. the ranks tell each other what comes (exchange/delivery)
//   3. everybody's list follows (owned_after)
//
// A record that has come lies inside a core, and must go back by the whole margin and cross it once
// more before it returns: none goes to and fro for the noise of its position.

#include <algorithm>
#include <span>
#include <vector>

#include "tiles/mesh.hpp"

namespace ptyle {

/// The records that one rank hands to another.
struct Parcel {
  int from = 0, to = 0;
  std::vector<i64> records;  ///< global numbers of positions, ascending
  friend bool operator==(const Parcel&, const Parcel&) = default;
};

/// The margin, px, of positions that move by so many px in all at most.
constexpr i64 hand_over_margin(i64 largest_move) { return std::max<i64>(1, largest_move / 8); }

/// How far a pixel lies outside a box, along the axis on which it is farther, px; 0: inside.
constexpr i64 distance_outside(const Box& box, Pixel p) {
  return std::max({i64{0}, box.rows.begin - p.row, p.row - (box.rows.end - 1),
                   box.cols.begin - p.col, p.col - (box.cols.end - 1)});
}

/// Step 1, of one rank: `own` are its records, `centres` the pixels [W/2, W/2] of their windows.
/// The parcels that leave it, by the rank that gets them.
std::vector<Parcel> parcels_of(const Mesh& mesh, int rank, std::span<const i64> own,
                               std::span<const Pixel> centres, i64 margin);

/// Step 3, of one rank: its records, ascending, once those of these parcels have left that are from
/// it and those have come that are to it; others' parcels change nothing. Throws std::logic_error
/// for a record that leaves where it is not, or comes where it is.
std::vector<i64> owned_after(std::span<const i64> own, int rank, std::span<const Parcel> leaving,
                             std::span<const Parcel> coming);

/// How many records may come to each rank at most, where every position moves by up to `reach` px
/// along either axis: those of positions that lie so near to its core and not in it. `only`: of
/// this rank alone, 0 of all others.
std::vector<i64> most_that_come(const Mesh& mesh, std::span<const Pixel> centres, i64 reach,
                                int only = -1);

}  // namespace ptyle
