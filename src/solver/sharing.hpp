#pragma once

// How ranks share a fit: the mesh of tiles, and what they exchange after each mini-batch.

#include <array>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "tiles/schedule.hpp"

namespace ptyle {

/// The values that are exchanged, and how. The first six sum gradients (tiles/schedule), so that
/// the fit does not depend on the ranks. The others let each rank fit its own tile, with more rows
/// of positions around it, and make the copies of voxels agree afterwards (Halo Voxel Exchange of
/// Sec. II-C, and what public codes do in its place): cheaper to think of, but with seams.
enum class Scheme {
  neighbor,
  passes,
  pipelined,
  separable,
  owner,
  allreduce,
  voxel,            ///< copies take the value of the tile whose core it is
  voxel_average,    ///< the mean of all tiles that hold a voxel
  voxel_crossfade,  ///< their mean, each tile's weight falling linearly across its halo
  none              ///< nothing is exchanged; the cores are put together at the end
};
inline constexpr std::array all_schemes{
    Scheme::neighbor,        Scheme::passes,    Scheme::pipelined, Scheme::separable,
    Scheme::owner,           Scheme::allreduce, Scheme::voxel,     Scheme::voxel_average,
    Scheme::voxel_crossfade, Scheme::none};

/// "neighbor", …, "voxel-average", "voxel-crossfade", "none"
std::string_view name_of(Scheme scheme);
/// Nothing where no scheme has the name.
std::optional<Scheme> scheme_named(std::string_view name);
/// How gradients are summed; nothing for the schemes that exchange voxels.
std::optional<SumKind> sum_kind(Scheme scheme);

/// The scheme that sums gradients in this way.
Scheme scheme_of(SumKind kind);

struct Sharing {
  Mesh mesh;
  Scheme scheme = Scheme::owner;
  i64 chunk = 0, in_flight = 0;  ///< of the exchanges (tiles/schedule)
};

/// Global numbers of a rank's positions, ascending.
struct PositionShare {
  std::vector<i64> own;
  std::vector<i64> extra;  ///< of neighbours, whose centres lie within so many px of the core
};
/// The positions of every rank. `centres`: pixel [W/2, W/2] of each position's window.
std::vector<PositionShare> share_positions(const Mesh& mesh, std::span<const Pixel> centres,
                                           i64 extra);
/// The same of one rank alone, in a time that doesn't grow with the ranks, of `count` positions.
PositionShare share_of(const Mesh& mesh, int rank, i64 count,
                       const std::function<Pixel(i64)>& centre, i64 extra);

/// Throws UserError where the scheme cannot run on the mesh, saying why: `neighbor` where overlaps
/// reach past direct neighbours, `voxel` where a core is smaller than the halo that it must fill.
void check_sharing(const Sharing& sharing);

}  // namespace ptyle
