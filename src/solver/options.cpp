#include "solver/options.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "solver/blur.hpp"
#include "solver/paper/courses.hpp"
#include "solver/parts.hpp"
#include "solver/rules/descent.hpp"
#include "solver/variables/position_options.hpp"

namespace ptyle {
namespace {

/// An operation that looks at lateral neighbours must find them in the halo.
void check_reach(Halo halo, i64 reach, const std::string& what) {
  const i64 has = std::min(halo.before, halo.after);
  if (reach > has)
    throw UserError(
        fmt::format("ranks.halo is {} px, but {} reaches {} px from a voxel: a halo "
                    "of at least that is needed",
                    has, what, reach));
}

}  // namespace

FitOptions settled(FitOptions options, bool alone) {
  if (options.update == Update::literal) {
    options.local_positions = std::max<i64>(1, options.local_positions);
    options.parts.of<DescentOptions>().preconditioner = PreconditionerChoice::none;
  }
  if (alone) options.exchange_behind = false;  // nothing travels
  return options;
}

void check_options(const FitOptions& options, const Sharing& sharing) {
  check_paper_options(options, sharing);
  const auto parts = asked_parts<float>(options);  // the same in double precision
  const bool steps_of_the_paper =
      options.local_positions > 0 || options.exchange_behind || !sum_kind(sharing.scheme);
  if (parts.rule && steps_of_the_paper)
    throw UserError(
        "ranks: only preconditioned descent takes steps between exchanges or exchanges voxels");
  if (!parts.penalties.empty() && steps_of_the_paper)
    throw UserError(
        "penalty: its gradient needs to be summed after each mini-batch, not with ranks.update: "
        "literal, ranks.local_positions, ranks.exchange_behind or an exchange of voxels");
  if (options.parts.of<PositionOptions>().refine == Switch::on && steps_of_the_paper)
    throw UserError("positions.refine: on needs gradients that are summed after each mini-batch");
  if (sharing.mesh.ranks() == 1) return;
  for (const auto& one : parts.variables)
    if (one->reach() > 0) check_reach(sharing.mesh.halo(), one->reach(), "positions.refine");
  for (const auto& one : parts.penalties)
    check_reach(sharing.mesh.halo(), one->reach(), one->key());
  for (const auto& one : parts.regularisers)
    check_reach(sharing.mesh.halo(), one->reach(), one->key());
  check_reach(sharing.mesh.halo(), reach_of_blur(low_pass_sigma(options)),
              "the first stage of the multi-resolution schedule (solver.continuation)");
}

}  // namespace ptyle
