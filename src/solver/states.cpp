#include "solver/states.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

#include "solver/parts.hpp"
#include "solver/rules/rule_options.hpp"
#include "solver/variables/recentre.hpp"
#include "solver/variables/variable_probe_options.hpp"

namespace ptyle {

std::vector<double> StatesOptions::shares() const {
  if (states == 1) return {};
  std::vector<double> all = occupancy;
  if (all.empty()) all.assign(static_cast<std::size_t>(states), 1);
  const double sum = std::accumulate(all.begin(), all.end(), 0.0);
  for (double& share : all) share /= sum;
  return all;
}

std::optional<std::string> fault_of_occupancy(const StatesOptions& options) {
  const auto& shares = options.occupancy;
  if (shares.empty()) return {};
  if (std::ssize(shares) != options.states)
    return fmt::format("has {} number{}, but object.states is {}: give one for each", shares.size(),
                       shares.size() == 1 ? "" : "s", options.states);
  constexpr double least = 1e-3;  // what gets less leaves nothing in the patterns
  const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
  if (!std::isfinite(sum) || !std::all_of(shares.begin(), shares.end(),
                                          [&](double share) { return share >= least * sum; }))
    return "needs a thousandth of the dose or more for every state; it is the fraction that each "
           "gets";
  return {};
}

std::vector<Excluded> excluded_by_states(const PartOptions& options) {
  if (options.of<StatesOptions>().states == 1) return {};
  std::vector<Excluded> all;
  const auto exclude = [&](const char* key, const char* why) {
    all.push_back({key, "object.states", why});
  };
  if (options.of<RuleOptions>().preconditioner == PreconditionerChoice::transfer)
    exclude("solver.preconditioner",
            "as it takes all slices for those of one object: set illumination, or leave it out");
  if (const auto rule = asked_rule(options); rule && rule->by_position())
    exclude("solver.rule", "as pie updates one object: choose another rule");
  if (options.of<RecentreOptions>().every > 0)
    exclude("object.recentre_z", "as each state would be moved by its own: leave it out");
  if (const auto& variable = options.of<VariableProbeOptions>(); variable.any())
    exclude(key_of(variable), "as all states see one probe: leave it out");
  return all;
}

std::vector<Complex<double>> coefficients_of_states(const OperatorSetup& setup,
                                                    const std::vector<double>& shares) {
  const i64 modes = setup.modes_of_a_state();
  if (setup.basis != modes || std::ssize(shares) != setup.states)
    throw std::logic_error("states of the object do not share the probe's modes");
  std::vector<Complex<double>> all(static_cast<std::size_t>(setup.modes * modes));
  for (i64 m = 0; m < setup.modes; ++m)
    all[static_cast<std::size_t>(m * modes + m % modes)] =
        std::sqrt(shares[static_cast<std::size_t>(m / modes)]);
  return all;
}

}  // namespace ptyle
