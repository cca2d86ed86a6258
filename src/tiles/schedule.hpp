#pragma once

// The messages from rank to rank, as data, without MPI.
//
// A schedule is a list of rounds of messages. Rounds are not barriers: a rank takes part in its own
// rounds one after the other, and sends in a round as soon as it has received all that is for it in
// the earlier ones. Slices may be cut into chunks, each of which goes through all rounds on its
// own.
//
// In a round that adds, a rank's values become the sum, in the order of ranks, of what it received
// and what it had, beginning with zero:  ((0 + a_0) + a_1) + …, its own value in its own place.
// So two ranks that add the same parts get the same bits. In a round that replaces, what arrives
// takes the place of what was there.
//
// Every `sum` but `neighbor` works along columns of tiles first, then along rows: the tiles that
// hold a pixel are a contiguous run of mesh rows times a contiguous run of mesh columns, since
// tiles are products of intervals whose ends ascend. All of them therefore add in the same order,
// Σ over columns of (Σ over rows), and give the same bits (but for the sign of a zero). On a
// bisection, which has no columns and rows, `owner` alone works: one round straight to the owners.

#include <array>
#include <string_view>
#include <vector>

#include "tiles/mesh.hpp"

namespace ptyle {

struct Message {
  int from = 0, to = 0;
  Box box;  ///< in the object's coordinates; both ranks' arrays hold it
};

enum class Action { add, replace };

struct Round {
  Action action = Action::add;
  std::vector<Message> messages;  ///< at most one from a rank to another
};

struct Schedule {
  std::vector<Round> rounds;
  /// The box of each rank's array while the exchange runs: its extended tile or more.
  std::vector<Box> arrays;
  i64 chunk = 0;      ///< planes that travel together; 0: all
  i64 in_flight = 0;  ///< chunks that travel at the same time, which bounds the buffers; 0: all
};

/// The ways to sum the ranks' arrays. Afterwards every rank has, at every pixel of its extended
/// tile, the sum over all ranks (with `owner`: at every pixel of its core).
enum class SumKind {
  neighbor,  ///< overlaps with the 8 direct neighbours at once (Sec. III)
  passes,  ///< down adding, up replacing, right adding, left replacing; a neighbour a hop (Sec. IV)
  pipelined,  ///< the same, slices in chunks, so that hops overlap (Sec. V)
  separable,  ///< all pairs of a column that overlap swap at once, then all pairs of a row
  owner,      ///< each sends what lies in others' cores: along columns, then along rows
  allreduce   ///< the whole object: summed in pieces to their owners, which give them to all
};
inline constexpr std::array all_sum_kinds{SumKind::neighbor,  SumKind::passes, SumKind::pipelined,
                                          SumKind::separable, SumKind::owner,  SumKind::allreduce};
/// "neighbor", "passes", …
std::string_view name_of(SumKind kind);

/// How planes travel, and for whom a schedule is made.
struct ScheduleOptions {
  i64 chunk = 0;      ///< planes that travel together; 0: all, with `pipelined` one
  i64 in_flight = 0;  ///< chunks that travel at the same time; 0: all
  int only = -1;      ///< just the messages that this rank sends or receives; −1: all
};

/// Throws UserError for `neighbor` where a tile overlaps with one beyond its direct neighbours, and
/// for all but `owner` on a mesh that is no tensor mesh.
Schedule sum_schedule(const Mesh& mesh, SumKind kind, ScheduleOptions options = {});

/// Takes the values of cores to every copy of them: the transpose of `owner`.
Schedule fill_schedule(const Mesh& mesh, ScheduleOptions options = {});

/// The traffic that one rank sends.
struct Traffic {
  i64 messages = 0;  ///< for one chunk
  i64 pixels = 0;    ///< of each plane; bytes = pixels × planes × sizeof(value)
};
/// The traffic of each rank; complete for a schedule of all messages only.
std::vector<Traffic> traffic(const Schedule& schedule);

/// Length of the longest chain of messages in which each waits for the one before.
i64 hops(const Schedule& schedule);

}  // namespace ptyle
