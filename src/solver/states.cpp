#include "solver/states.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

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
  if (!std::all_of(shares.begin(), shares.end(),
                   [](double share) { return share > 0 && std::isfinite(share); }))
    return "is not above 0 for every state; it is the fraction of the dose that each gets";
  return {};
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
