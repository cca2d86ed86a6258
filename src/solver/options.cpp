#include "solver/options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

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

/// Faults by their keys, one of each.
class FaultsByKey {
 public:
  void add(const std::string& key, const std::optional<std::string>& text) {
    if (text &&
        std::none_of(all_.begin(), all_.end(), [&](const auto& one) { return one.key == key; }))
      all_.push_back({key, *text});
  }
  void add(const Excluded& one) { add(one.key, one.text()); }
  [[nodiscard]] std::vector<KeyFault> take() { return std::move(all_); }

 private:
  std::vector<KeyFault> all_;
};

/// Adds the keys that look at several positions, which a sequential update does not.
void add_by_position(const FitOptions& options, const Parts<float>& parts, FaultsByKey& faults) {
  constexpr const char* alone = "which moves by one position after the other: leave it out";
  for (const auto& one : parts.penalties) faults.add(by_pie(one->key(), alone));
  if (options.parts.of<PositionOptions>().refine == Switch::on)
    faults.add(excluded_by_pie::refined_positions);
  if (!options.continuation.finished()) faults.add(excluded_by_pie::continuation);
  if (!options.parts.of<GeometryOptions>().refine.empty())
    faults.add(excluded_by_pie::refined_geometry);
  if (const auto& variable = options.parts.of<VariableProbeOptions>(); variable.any())
    faults.add(by_pie(key_of(variable), "which has one probe for all positions: leave it out"));
  for (const auto& one : parts.variables)
    if (one->needs_batches()) faults.add(by_pie(one->key(), alone));
}

/// Adds the keys that need sums after every mini-batch, where there are none.
void add_without_sums(const Parts<float>& parts, FaultsByKey& faults) {
  if (parts.rule)
    faults.add(
        "solver.rule",
        "needs gradients summed after each mini-batch; with ranks.update: literal, "
        "ranks.local_positions, ranks.exchange_behind or exchanges of voxels only descent works: "
        "leave it out, or else these");
  for (const auto& one : parts.penalties) faults.add(one->key(), needs_sums());
  for (const auto& one : parts.variables)
    if (one->needs_sums()) faults.add(one->key(), needs_sums());
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

std::string needs_sums() {
  return "needs gradients that are summed over the ranks after each mini-batch: leave it out, or "
         "else ranks.update, ranks.local_positions, ranks.exchange_behind and exchanges of voxels";
}

std::vector<KeyFault> faults_of_options(const FitOptions& options, Scheme scheme, int ranks,
                                        i64 slices) {
  FaultsByKey faults;
  for (const auto& [key, text] : faults_of_paper_options(options, scheme)) faults.add(key, text);
  const auto parts = asked_parts<float>(options);  // the same in double precision
  faults.add("solver.batches", fault_of_batches(options.parts, options.batches));
  faults.add("geometry.refine", fault_of_refine(options.parts.of<GeometryOptions>()));
  faults.add("detector.refine", fault_of_refine(options.parts.of<DetectorOptions>()));
  faults.add("solver.preconditioner", fault_of_preconditioner(options.parts.of<RuleOptions>()));
  if (!sums_every_batch(options, scheme, ranks)) add_without_sums(parts, faults);
  if (options.parts.of<VariableProbeOptions>().modes > 0 && options.probe_from == 0)
    faults.add("probe.variable",
               "needs a probe that is refined (probe.refine_from above 0); probe.intensity alone "
               "does not");
  if (parts.rule && parts.rule->by_position()) add_by_position(options, parts, faults);
  faults.add("geometry.refine",
             fault_of_slices(options.parts, slices, !options.continuation.finished()));
  faults.add("object.occupancy", fault_of_occupancy(options.parts.of<StatesOptions>()));
  for (const auto& one : excluded_by_states(options.parts)) faults.add(one);
  return faults.take();
}

void check_options(const FitOptions& options, const Sharing& sharing, i64 slices) {
  raise(faults_of_options(options, sharing.scheme, sharing.mesh.ranks(), slices));
  const auto parts = asked_parts<float>(options);
  if (parts.rule && parts.rule->by_position() && sharing.mesh.ranks() > 1)
    throw UserError(fmt::format(
        "solver.rule: pie runs on one rank, not {}: the update of a position starts from that of "
        "the position before, so that each rank would wait for all others",
        sharing.mesh.ranks()));
  if (sharing.mesh.ranks() == 1) return;
  for (const auto& one : parts.variables) check_reach(sharing.mesh, one->reach(), one->key());
  for (const auto& one : parts.penalties) check_reach(sharing.mesh, one->reach(), one->key());
  for (const auto& one : parts.regularisers) check_reach(sharing.mesh, one->reach(), one->key());
  if (parts.rule) check_reach(sharing.mesh, parts.rule->reach(), parts.rule->key());
  check_reach(sharing.mesh, reach_of_blur(low_pass_sigma(options)),
              "the first stage of the multi-resolution schedule (solver.continuation)");
}

}  // namespace ptyle
