#include "solver/sharing.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "tiles/near.hpp"

namespace ptyle {

std::string_view name_of(Scheme scheme) {
  if (const auto kind = sum_kind(scheme)) return name_of(*kind);
  switch (scheme) {
    case Scheme::voxel:
      return "voxel";
    case Scheme::voxel_average:
      return "voxel-average";
    case Scheme::voxel_crossfade:
      return "voxel-crossfade";
    default:
      return "none";
  }
}

std::optional<Scheme> scheme_named(std::string_view name) {
  for (const Scheme scheme : all_schemes)
    if (name_of(scheme) == name) return scheme;
  return {};
}

std::optional<SumKind> sum_kind(Scheme scheme) {
  switch (scheme) {
    case Scheme::neighbor:
      return SumKind::neighbor;
    case Scheme::passes:
      return SumKind::passes;
    case Scheme::pipelined:
      return SumKind::pipelined;
    case Scheme::separable:
      return SumKind::separable;
    case Scheme::owner:
      return SumKind::owner;
    case Scheme::allreduce:
      return SumKind::allreduce;
    default:
      return {};
  }
}

Scheme scheme_of(SumKind kind) {
  return *std::find_if(all_schemes.begin(), all_schemes.end(),
                       [&](Scheme scheme) { return sum_kind(scheme) == kind; });
}

std::vector<PositionShare> share_positions(const Mesh& mesh, std::span<const Pixel> centres,
                                           i64 extra) {
  std::vector<PositionShare> shares;
  for (auto& own : assign(mesh, centres)) shares.push_back({std::move(own), {}});
  if (extra <= 0 || mesh.ranks() == 1) return shares;
  const Buckets buckets(centres);
  for (int rank = 0; rank < mesh.ranks(); ++rank) {
    auto& of_others = shares[static_cast<std::size_t>(rank)].extra;
    buckets.in(grown(mesh.core(rank), extra), [&](i64 i) {
      if (mesh.tile_of(centres[static_cast<std::size_t>(i)]) != rank) of_others.push_back(i);
    });
    std::sort(of_others.begin(), of_others.end());
  }
  return shares;
}

PositionShare share_of(const Mesh& mesh, int rank, i64 count,
                       const std::function<Pixel(i64)>& centre, i64 extra) {
  PositionShare share;
  const bool alone = mesh.ranks() == 1;
  const Box near = grown(mesh.core(rank), std::max<i64>(0, extra));
  for (i64 i = 0; i < count; ++i)
    if (const Pixel at = centre(i); mesh.tile_of(at) == rank)
      share.own.push_back(i);
    else if (!alone && extra > 0 && near.contains(at))
      share.extra.push_back(i);
  return share;
}

void check_sharing(const Sharing& sharing) {
  const Mesh& mesh = sharing.mesh;
  if (sharing.scheme == Scheme::neighbor) {
    static_cast<void>(sum_schedule(mesh, SumKind::neighbor, {.only = 0}));
    return;
  }
  if (!mesh.is_tensor() && sharing.scheme != Scheme::owner && sharing.scheme != Scheme::none)
    throw UserError(fmt::format(
        "the exchange '{}' needs rows and columns of tiles, which {} have not: use 'owner', or "
        "ranks.tiling: mesh",
        name_of(sharing.scheme), mesh.describe()));
  if (sum_kind(sharing.scheme) || sharing.scheme == Scheme::none) return;
  const i64 halo = std::max(mesh.halo().before, mesh.halo().after);
  const auto check = [&](int n, auto core, const char* lines) {
    for (int i = 0; i < n && n > 1; ++i)
      if (core(i).size() < halo)
        throw UserError(fmt::format(
            "the exchange '{}' cannot run on {} x {} tiles: the core of {} {} has {} px, but it "
            "must fill halos of {} px; use fewer ranks, a smaller ranks.halo, or 'owner'",
            name_of(sharing.scheme), mesh.rows(), mesh.cols(), lines, i, core(i).size(), halo));
  };
  check(
      mesh.rows(), [&](int r) { return mesh.core_rows(r); }, "row");
  check(
      mesh.cols(), [&](int c) { return mesh.core_cols(c); }, "column");
}

}  // namespace ptyle
