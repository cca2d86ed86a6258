#include "session/misfits.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/grid.hpp"
#include "core/quantile.hpp"
#include "prepare/odd_patterns.hpp"
#include "prepare/selection.hpp"

namespace ptyle {
namespace {

/// Iterations until the object is good enough to tell which patterns do not belong to it, and until
/// that is certain: at the edge of a scan the object is found late.
constexpr int first_look = 5, second_look = 8;

/// Patterns are judged at two looks, or, where they are to be left out only since the run was
/// resumed, after the next iteration; and at the end of a run that is shorter.
bool to_be_judged(int iteration, bool finished, bool late) {
  if (iteration >= second_look) return iteration == second_look || late;
  return iteration == first_look || finished;
}

/// R of the mean pattern, scaled to the pattern's counts, for each of these patterns that is held
/// here; else 0.
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
    double counts = 0, signal = 0, misfit = 0;
    each([&](double measured, double) {
      counts += measured;
      signal += measured - e.offset;
    });
    if (!(signal > 0)) continue;
    // R = Σ(√I − √M)² / ΣM
    each([&](double measured, double mean) {
      misfit +=
          std::pow(std::sqrt(mean * signal / e.mean_counts + e.offset) - std::sqrt(measured), 2);
    });
    r[k] = misfit / counts;
  }
  return r;
}

/// R-factors by position (−1: not fitted), with those of held-out patterns lowered by what sets
/// them apart as a whole: they are not fitted.
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

/// Patterns whose R stands apart, of those in `among` where it is given. Patterns that the fit
/// explains better than the mean of all patterns would are none. All ranks together.
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

}  // namespace

template <class T>
void judge_patterns(OpenFit<T>& open, int iteration, bool finished) {
  Fit<T>& fit = *open.fit;
  const bool leave_out = open.config.data.outliers == Outliers::fit;
  const bool late = leave_out && fit.state().numbers().at(Fit<T>::misfits_are_out) == 0;
  if (!to_be_judged(iteration, finished, late)) return;
  const bool again = iteration > first_look && iteration <= second_look;
  const Unexplained odd = misfits_of(open.experiment, comparable(fit.r_factors(), fit.held_out()),
                                     again ? &fit.doubtful() : nullptr, open.team());
  if (iteration == first_look) fit.doubt(odd.patterns);
  const bool certain = iteration >= second_look;
  if (!certain && !finished) return;
  const bool now = leave_out && certain;
  if (now) fit.set_misfits_are_out();
  if (odd.patterns.empty()) return;
  std::vector<i64> numbers;
  for (const i64 i : odd.patterns)
    numbers.push_back(open.experiment.numbers[static_cast<std::size_t>(i)]);
  open.warn(fmt::format(
      "{} pattern{} fitted far worse than the others, R up to {:.2g} where {:.2g} is usual "
      "(number{} {}){}",
      numbers.size(), numbers.size() == 1 ? " is" : "s are", odd.worst, odd.usual,
      numbers.size() == 1 ? "" : "s", listed(numbers),
      now         ? ", and left out from now on"
      : leave_out ? fmt::format("; they would be left out after {} iterations", second_look)
                  : "; data.outliers=fit leaves such out"));
  if (now) fit.leave_out(odd.patterns);
}

template void judge_patterns(OpenFit<float>&, int, bool);
template void judge_patterns(OpenFit<double>&, int, bool);

}  // namespace ptyle
