#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/grid.hpp"
#include "solver/sharing.hpp"

namespace ptyle {

/// Mini-batches of one iteration: n mini-batches over all the positions given, each spread evenly
/// over the scan. They depend on seed, iteration and groups alone, not on who asks or on how many
/// threads or ranks there are. Every position is in exactly one mini-batch; mini-batches differ in
/// size by at most one. `group_of`: the group of each position (0, 1, …), of which every mini-batch
/// has as many positions as any other, or one more or less; empty: all are one group.
std::vector<std::vector<i64>> make_batches(std::span<const Position> positions,
                                           std::span<const i64> members, i64 n, std::uint64_t seed,
                                           int iteration, std::span<const int> group_of = {});

/// Thickness of a specimen: thin; thick, where the multi-resolution schedule is used; very thick,
/// of more than two depths of focus.
enum class Thickness { thin, thick, very_thick };

/// How many where nobody says: 20, but no mini-batch of fewer than 10 positions, whose illumination
/// would leave gaps; in a very thick specimen, where more steps are worth more, 40 of at least 4. N
/// counts determine an object pixel's phase to 1/√(2N) rad, and each mini-batch's step follows the
/// noise of its own: none has fewer than 4, as long as as many mini-batches are left as coarse
/// stages need steps. `counts`: of the whole scan, an object pixel.
i64 default_batches(i64 positions, double counts, Thickness thickness);

/// Positions of each of `of` groups, of which some may have none. No group: one, of all
/// `positions`.
std::vector<i64> group_sizes(std::span<const int> group_of, i64 positions, int of);

/// The fraction of the ranks' time that computes where each of them has a group of this size and
/// every one of n mini-batches waits for its busiest rank, R ranks with m_r positions in all and
/// m_rb of them in mini-batch b:
///
///   S(n) = Σ_r m_r / (R Σ_b max_r m_rb)
double share_of_groups(std::span<const i64> sizes, i64 n);

/// How many mini-batches of several groups (of one: `most`) where nobody says. m are the positions
/// of the fullest group. A rank has at least 4 positions in a mini-batch where it can, n ≤ m/4, but
/// no fewer mini-batches are made for that than 4, nor than m where m < 4; and never more than
/// `most`. Of these the largest n for which S(n) is at least 0.9, or 0.95 of S(1) where that is
/// less: the rest is lost however the positions are dealt; where there is none, the n with the best
/// S(n).
i64 batches_of_groups(std::span<const i64> sizes, i64 most);

/// Positions of the ranks in the mini-batches of an iteration.
struct Load {
  i64 all = 0;      ///< of all ranks and mini-batches
  i64 busiest = 0;  ///< of the busiest rank of each mini-batch, summed over these
  int ranks = 1;
  /// The fraction of the ranks' time that computes.
  [[nodiscard]] double share() const {
    return busiest > 0 ? double(all) / (double(ranks) * double(busiest)) : 1;
  }
};
Load load_of(std::span<const std::vector<i64>> batches, std::span<const PositionShare> shares);

/// At most so many of a mini-batch, which lie all over the scan as the mini-batch does: its numbers
/// ascend, so that the first ones lie in the first lines of the scan.
std::vector<i64> sample_of(const std::vector<i64>& batch, i64 most);

/// The step is estimated on every so many mini-batches.
constexpr i64 estimate_every = 10;
/// And on so many at the beginning of a stage of the multi-resolution schedule.
constexpr i64 estimate_at_first = 4;
/// Positions of a mini-batch whose curvature is estimated on every second one.
constexpr i64 large_batch = 24;

/// The positions kept out of the fit, a given share, the same for a seed; sorted. At least one
/// where the share is above 0, and never all.
std::vector<i64> held_out_positions(i64 count, double share, std::uint64_t seed);

/// One in so many detector pixels is kept out of the fit, for a fraction in (0, ½].
std::uint32_t one_pixel_in(double fraction);

/// The positions on which the pixels kept out of the fit are looked at, spread evenly over the
/// scan, the same for a seed; sorted: one in 20, which takes about 2 % of an iteration's time as
/// there is no way back through the slices, but at least 16 and at most 256.
std::vector<i64> sample_for_pixels(std::span<const Position> positions,
                                   std::span<const i64> members, std::uint64_t seed);

/// A mini-batch's positions in an order that is drawn anew for every iteration, the same for a
/// seed.
std::vector<i64> in_random_order(std::vector<i64> members, std::uint64_t seed, int iteration);

/// Those of a mini-batch that a rank has; all ascend.
std::vector<i64> members_of(const std::vector<i64>& batch, const std::vector<i64>& positions);

}  // namespace ptyle
