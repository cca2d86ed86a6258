#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/grid.hpp"

namespace ptyle {

/// Mini-batches of one iteration: n mini-batches over all the positions given, each spread evenly
/// over the scan. They depend on seed and iteration alone, not on who asks or on how many threads
/// or ranks there are. Every position is in exactly one mini-batch; mini-batches differ in size by
/// at most one.
std::vector<std::vector<i64>> make_batches(std::span<const Position> positions,
                                           std::span<const i64> members, i64 n, std::uint64_t seed,
                                           int iteration);

/// Thickness of a specimen: thin; thick, where the multi-resolution schedule is used; very thick,
/// of more than two depths of focus.
enum class Thickness { thin, thick, very_thick };

/// How many where nobody says: 20, but no mini-batch of fewer than 10 positions, whose illumination
/// would leave gaps; in a very thick specimen, where more steps are worth more, 40 of at least 4. N
/// counts determine an object pixel's phase to 1/√(2N) rad, and each mini-batch's step follows the
/// noise of its own: none has fewer than 4, as long as as many mini-batches are left as coarse
/// stages need steps. `counts`: of the whole scan, an object pixel.
i64 default_batches(i64 positions, double counts, Thickness thickness);

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

/// Those of a mini-batch that a rank has; all ascend.
std::vector<i64> members_of(const std::vector<i64>& batch, const std::vector<i64>& positions);

}  // namespace ptyle
