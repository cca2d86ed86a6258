#pragma once

// A schedule as its ranks see it: which messages a rank has in which round, where each lies in a
// buffer, and how large the buffers are. What the executors of `exchange` walk through, and what a
// plan counts (cost.hpp).

#include <vector>

#include "tiles/schedule.hpp"

namespace ptyle {

/// A message as one of its two ranks sees it. In a buffer, planes × rows × cols in C order; it
/// begins after `offset` pixels of each of the planes that travel.
struct StepPart {
  int partner = 0;
  Box box;
  i64 offset = 0;
};

/// The part of a rank in one round; rounds that it has no part in are left out.
struct Step {
  std::size_t round = 0;
  Action action = Action::add;
  std::vector<StepPart> sends;               ///< by rank
  std::vector<StepPart> receives;            ///< by rank
  i64 sent_pixels = 0, received_pixels = 0;  ///< of each plane, all parts together
};

/// The steps of one rank. Throws std::logic_error if a message is not inside its ranks' arrays, or
/// if two go from one rank to the same other in one round.
std::vector<Step> steps_of(const Schedule& schedule, int rank);

/// Pixels of a plane in the largest of a rank's steps; how executors size their buffers.
struct LargestStep {
  i64 sent = 0, received = 0;
};
LargestStep largest_of(const std::vector<Step>& steps);

/// Values in all the buffers of one rank's side of an MPI exchange of so many planes: its chunks in
/// flight, and the schedule's array where that is more than the rank's tile.
double buffer_values(const Schedule& schedule, const Box& tile, int rank, i64 planes);

}  // namespace ptyle
