#include "session/misfits.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/grid.hpp"
#include "core/quantile.hpp"

namespace ptyle {
std::vector<double> r_of_mean(const Experiment& e, const std::vector<i64>& patterns) {
  const i64 w = e.patterns->window();
  const auto held = e.patterns->held();
  std::vector<double> r(patterns.size(), 0);
  std::vector<float> pattern(static_cast<std::size_t>(w * w));
  for (std::size_t k = 0; k < patterns.size(); ++k) {
    if (!std::binary_search(held.begin(), held.end(), patterns[k])) continue;
    e.patterns->load(patterns[k], pattern.data());
    const auto each = [&](auto&& use) {
      for (i64 y = 0; y < w; ++y)
        for (i64 x = 0; x < w; ++x)
          if (const i64 at = to_corner(y, w) * w + to_corner(x, w); e.valid.data()[at] != 0)
            use(std::max(0.0, static_cast<double>(pattern[static_cast<std::size_t>(at)])),
                e.mean_pattern(y, x));
    };
    double counts = 0, misfit = 0;
    each([&](double measured, double) { counts += measured; });
    if (!(counts > 0)) continue;
    // R = Σ(√I − √M)² / ΣM
    each([&](double measured, double mean) {
      misfit += std::pow(std::sqrt(mean * counts / e.mean_counts) - std::sqrt(measured), 2);
    });
    r[k] = misfit / counts;
  }
  return r;
}

std::vector<double> comparable(std::vector<double> r_factors, const std::vector<i64>& held_out) {
  constexpr std::size_t fewest = 5;  // of which two that are odd leave the median alone
  if (held_out.size() < fewest) return r_factors;
  std::vector<double> held, fitted;
  for (std::size_t i = 0; i < r_factors.size(); ++i)
    if (std::binary_search(held_out.begin(), held_out.end(), static_cast<i64>(i)))
      held.push_back(r_factors[i]);
    else if (r_factors[i] >= 0)
      fitted.push_back(r_factors[i]);
  if (fitted.empty()) return r_factors;
  const double higher = quantile(held, 0.5) / quantile(fitted, 0.5);
  if (higher > 1)
    for (const i64 i : held_out) r_factors[static_cast<std::size_t>(i)] /= higher;
  return r_factors;
}

Unexplained misfits_of(const Experiment& experiment, const std::vector<double>& r_factors,
                       const std::vector<i64>* among, Team& team) {
  // A pattern of another place is as far from the fit as from the mean, or farther.
  constexpr double as_far = 0.7;
  Unexplained found = unexplained_patterns(r_factors);
  if (among)
    std::erase_if(found.patterns,
                  [&](i64 i) { return !std::binary_search(among->begin(), among->end(), i); });
  std::vector<double> of_mean = r_of_mean(experiment, found.patterns);
  if (!of_mean.empty()) team.maximum(of_mean);
  std::vector<i64> confirmed;
  found.worst = 0;
  for (std::size_t k = 0; k < of_mean.size(); ++k) {
    const double r = r_factors[static_cast<std::size_t>(found.patterns[k])];
    if (r < as_far * of_mean[k]) continue;
    confirmed.push_back(found.patterns[k]);
    found.worst = std::max(found.worst, r);
  }
  found.patterns = std::move(confirmed);
  return found;
}

}  // namespace ptyle
