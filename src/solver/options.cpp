#include "solver/options.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "solver/blur.hpp"
#include "solver/paper/courses.hpp"
#include "solver/parts.hpp"
#include "solver/rules/low_pass.hpp"
#include "solver/states.hpp"
#include "solver/variables/detector_options.hpp"
#include "solver/variables/geometry_options.hpp"
#include "solver/variables/position_options.hpp"
#include "solver/variables/recentre.hpp"
#include "solver/variables/variable_probe_options.hpp"

namespace ptyle {
namespace {

/// An operation that looks at lateral neighbours must find them in the halo.
void check_reach(const Mesh& mesh, i64 reach, const std::string& what) {
  const i64 has = mesh.reach();
  if (reach > has)
    throw UserError(
        fmt::format("ranks.halo is {} px, but {} reaches {} px from a voxel: a halo "
                    "of at least that is needed",
                    has, what, reach));
}

UserError by_position_alone(const std::string& key) {
  return UserError(key +
                   " does not go with solver.rule: pie, which moves by one position after the "
                   "other: leave it out");
}

/// A sequential update knows a position at a time, so nothing that looks at several.
void check_by_position(const FitOptions& options, const Parts<float>& parts, const Mesh& mesh) {
  if (mesh.ranks() > 1)
    throw UserError(fmt::format(
        "solver.rule: pie runs on one rank, not {}: the update of a position starts from that of "
        "the position before, so that each rank would wait for all others",
        mesh.ranks()));
  if (!parts.penalties.empty()) throw by_position_alone(parts.penalties.front()->key());
  if (options.parts.of<PositionOptions>().refine == Switch::on)
    throw excluded_by_pie::refined_positions.error();
  if (!options.continuation.finished()) throw excluded_by_pie::continuation.error();
  if (!options.parts.of<GeometryOptions>().refine.empty())
    throw excluded_by_pie::refined_geometry.error();
  if (const auto& variable = options.parts.of<VariableProbeOptions>(); variable.any())
    throw ExcludedByPie{key_of(variable), excluded_by_pie::of_variable_probe}.error();
  for (const auto& one : parts.variables)
    if (one->needs_batches()) throw by_position_alone(one->key());
}

}  // namespace

FitOptions settled(FitOptions options, bool alone) {
  if (options.update == Update::literal) {
    options.local_positions = std::max<i64>(1, options.local_positions);
    options.parts.of<RuleOptions>().preconditioner = PreconditionerChoice::none;
  }
  if (alone) options.exchange_behind = false;  // nothing travels
  return options;
}

bool sums_every_batch(const FitOptions& options, Scheme scheme, int ranks) {
  return options.update == Update::consistent && options.local_positions == 0 &&
         !(options.exchange_behind && ranks > 1) && sum_kind(scheme).has_value();
}

UserError needs_sums(const std::string& key) {
  return UserError(
      key +
      " needs gradients that are summed over the ranks after each mini-batch: leave it out, or "
      "else "
      "ranks.update, ranks.local_positions, ranks.exchange_behind and exchanges of voxels");
}

void check_options(const FitOptions& options, const Sharing& sharing) {
  check_paper_options(options, sharing);
  const auto parts = asked_parts<float>(options);  // the same in double precision
  const auto& variable = options.parts.of<VariableProbeOptions>();
  if (const auto fault = fault_of_batches(options.parts, options.batches))
    throw UserError("solver.batches: " + *fault);
  if (const auto fault = fault_of_refine(options.parts.of<DetectorOptions>()))
    throw UserError("detector.refine: " + *fault);
  if (const auto fault = fault_of_preconditioner(options.parts.of<RuleOptions>()))
    throw UserError("solver.preconditioner: " + *fault);
  if (!sums_every_batch(options, sharing.scheme, sharing.mesh.ranks())) {
    if (parts.rule)
      throw UserError(
          "ranks: only preconditioned descent takes steps between exchanges or exchanges voxels");
    if (!parts.penalties.empty()) throw needs_sums(parts.penalties.front()->key());
    for (const auto& one : parts.variables)
      if (one->needs_sums()) throw needs_sums(one->key());
  }
  if (variable.modes > 0 && options.probe_from == 0)
    throw UserError(
        "probe.variable: a probe that is not refined (probe.refine_from: 0) does not vary; "
        "probe.intensity alone goes with it");
  if (parts.rule && parts.rule->by_position()) check_by_position(options, parts, sharing.mesh);
  if (const auto fault = fault_of_occupancy(options.parts.of<StatesOptions>()))
    throw UserError("object.occupancy: " + *fault);
  if (const auto excluded = excluded_by_states(options.parts); !excluded.empty())
    throw excluded.front().error();
  if (sharing.mesh.ranks() == 1) return;
  for (const auto& one : parts.variables) check_reach(sharing.mesh, one->reach(), one->key());
  for (const auto& one : parts.penalties) check_reach(sharing.mesh, one->reach(), one->key());
  for (const auto& one : parts.regularisers) check_reach(sharing.mesh, one->reach(), one->key());
  if (parts.rule) check_reach(sharing.mesh, parts.rule->reach(), parts.rule->key());
  check_reach(sharing.mesh, reach_of_blur(low_pass_sigma(options)),
              "the first stage of the multi-resolution schedule (solver.continuation)");
}

}  // namespace ptyle
