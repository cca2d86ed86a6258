#include "solver/sharing.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"

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
  for (std::size_t i = 0; i < centres.size(); ++i) {
    const int owner = mesh.tile_of(centres[i]);
    for (int rank = 0; rank < mesh.ranks(); ++rank) {
      const Box core = mesh.core(rank);
      const Box near{{core.rows.begin - extra, core.rows.end + extra},
                     {core.cols.begin - extra, core.cols.end + extra}};
      if (rank != owner && near.contains(centres[i]))
        shares[static_cast<std::size_t>(rank)].extra.push_back(static_cast<i64>(i));
    }
  }
  return shares;
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
