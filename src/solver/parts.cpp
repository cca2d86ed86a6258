#include "solver/parts.hpp"

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "core/error.hpp"
#include "solver/penalties/quadratic.hpp"
#include "solver/regularisers/blur.hpp"
#include "solver/rules/rule_options.hpp"
#include "solver/states.hpp"
#include "solver/vacuum.hpp"
#include "solver/variables/detector_options.hpp"
#include "solver/variables/geometry_options.hpp"
#include "solver/variables/position_options.hpp"
#include "solver/variables/probe_limits.hpp"
#include "solver/variables/recentre.hpp"
#include "solver/variables/variable_probe_options.hpp"

namespace ptyle {

/// A line each; regularisers are applied in this order, and variables move in it.
PartOptions known_parts() {
  PartOptions parts;
  parts.add<RuleOptions>();
  parts.add<PenaltyOptions>();
  parts.add<BlurOptions>();
  parts.add<VacuumOptions>();
  parts.add<StatesOptions>();
  parts.add<PositionOptions>();
  parts.add<GeometryOptions>();
  parts.add<VariableProbeOptions>();
  parts.add<DetectorOptions>();
  parts.add<RecentreOptions>();
  parts.add<ProbeLimitOptions>();  // behind all that moves the probe
  return parts;
}

PartOptions PartOptions::fresh() const {
  PartOptions parts = *this;
  for (One& one : parts.all_) one.now = one.defaults;
  return parts;
}

void keys(Keys& v, PartOptions& options) {
  for (auto& one : options.all_) one.declare(one.now, v);
}

template <class T>
void PartOptions::add_to(Parts<T>& parts) const {
  for (const One& one : all_) {
    const auto* const rule = parts.rule.get();
    if constexpr (std::is_same_v<T, float>)
      one.add_in_float(one.now, parts);
    else
      one.add_in_double(one.now, parts);
    if (rule && parts.rule.get() != rule)
      throw UserError("two rules are asked for by which the object moves; one of them is needed");
  }
}

std::unique_ptr<UpdateRule<float>> asked_rule(const PartOptions& options) {
  Parts<float> parts;  // the same in double precision
  options.add_to(parts);
  return std::move(parts.rule);
}

std::optional<std::string> fault_of_batches(const PartOptions& options, i64 batches) {
  const std::string whole_scan = batches > 1 ? whole_scan_for(options) : "";
  if (whole_scan.empty()) return {};
  return fmt::format(
      "{} are too many for {}, whose mini-batch is the whole scan: leave it out, or set it to 1",
      batches, whole_scan);
}

bool needs_products(const PartOptions& options) {
  const auto rule = asked_rule(options);
  return rule && rule->needs_products();
}

std::string whole_scan_for(const PartOptions& options) {
  const auto rule = asked_rule(options);
  return rule ? rule->whole_scan_for() : "";
}

void PartOptions::refuse(const char* why) {
  throw std::logic_error(std::string("PartOptions: such a part ") + why);
}

template void PartOptions::add_to(Parts<float>&) const;
template void PartOptions::add_to(Parts<double>&) const;

}  // namespace ptyle
