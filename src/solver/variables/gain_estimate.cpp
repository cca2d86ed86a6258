#include "solver/variables/gain_estimate.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "core/parallel.hpp"
#include "core/units.hpp"

namespace ptyle {
namespace {

/// Standard deviation of the Gaussian that makes a neighbourhood, px: 4πσ² pixels, whose mean gain
/// is known to a tenth of what gains spread by. A pixel's own share of it is 1/2πσ², 2 %.
constexpr double neighbourhood = 3;
/// A neighbourhood's score is chance up to so many of its standard errors, and none beyond: between
/// them misfit counts in part, as pixels would else turn from one to the other at every estimate.
constexpr double by_chance = 2, no_chance = 4;
/// Rounds in which τ² and m² take turns.
constexpr int misfit_rounds = 3;
/// Limits of a gain; and how many standard deviations of ĝ − 1 count at most.
constexpr double least = 0.1, greatest = 10, farthest = 6;
/// Least τ² that is told from 0.
constexpr double smallest = 1e-12;

/// Squares of normal deviates count up to clipped_at², and then have this mean and variance.
constexpr double clipped_at = 2;
const double within = std::erf(clipped_at / std::sqrt(2.0));
const double density = std::sqrt(2 / pi) * std::exp(-clipped_at * clipped_at / 2);  // at ± it
const double mean_of_squares =
    within - clipped_at * density + clipped_at * clipped_at * (1 - within);
const double variance_of_squares =
    3 * within - clipped_at * (clipped_at * clipped_at + 3) * density +
    std::pow(clipped_at, 4) * (1 - within) - mean_of_squares * mean_of_squares;
/// −∂⟨z²⟩/∂ log τ² at the root: the mean of the squares that are not clipped.
const double slope_of_squares = within - clipped_at * density;

/// A pixel's term of the score.
double score_of(double deviation, double variance, double spread2) {
  const double all = spread2 + variance;
  if (!(all > 0)) return 0;
  return (std::min(deviation * deviation / all, clipped_at * clipped_at) - mean_of_squares) / all;
}

/// The root of a function that falls, between two bounds above 0, to the greater over the lesser to
/// the power of 2^−bisections.
template <class Function>
double root_of(double low, double high, int bisections, Function&& function) {
  for (int i = 0; i < bisections; ++i) {
    const double middle = std::sqrt(low * high);
    (function(middle) > 0 ? low : high) = middle;
  }
  return low;
}

/// ĝ − 1 of all pixels, with their variances: the whole detector's score.
struct Deviations {
  View<const double, 2> model, deviation, variance;

  [[nodiscard]] double score(double spread2) const {
    double sum = 0;
    for (i64 k = 0; k < model.size(); ++k)
      if (model.data[k] > 0) sum += score_of(deviation.data[k], variance.data[k], spread2);
    return sum;
  }
  /// τ²
  [[nodiscard]] double spread2() const {
    if (!(score(smallest) > 0)) return 0;
    return root_of(smallest, 1, 60, [&](double spread2) { return score(spread2); });
  }
  /// T²: the standard error of τ² is that of the score over its slope.
  [[nodiscard]] double greatest_spread2(double spread2) const {
    double weights = 0;
    for (i64 k = 0; k < model.size(); ++k)
      if (model.data[k] > 0 && spread2 + variance.data[k] > 0)
        weights += std::pow(spread2 + variance.data[k], -2);
    if (!(weights > 0)) return spread2;
    const double missing = std::max(0.0, -score(spread2));
    return spread2 +
           (std::sqrt(variance_of_squares * weights) + missing) / (slope_of_squares * weights);
  }
};

/// The pixels about another that are about as bright, with their weights.
class Surroundings {
 public:
  explicit Surroundings(View<const double, 2> model)
      : model_(model), up_(reach_in(model.shape[0])), along_(reach_in(model.shape[1])) {
    for (i64 dy = -up_; dy <= up_; ++dy)
      for (i64 dx = -along_; dx <= along_; ++dx)
        near_.push_back(
            std::exp(-0.5 * double(dy * dy + dx * dx) / (neighbourhood * neighbourhood)));
    for (i64 x = -along_; x < model.shape[1] + along_; ++x)
      columns_.push_back(wrapped(x, model.shape[1]));
  }
  static constexpr auto reach = static_cast<i64>(3 * neighbourhood);
  static constexpr i64 most = (2 * reach + 1) * (2 * reach + 1);

  /// f(j, w_j) of the neighbourhood of k, which has counts of the model.
  template <class F>
  void each(i64 k, F&& f) const {
    const auto [rows, cols] = model_.shape;
    const double here = model_.data[k];
    const double* near = near_.data();
    for (i64 dy = -up_; dy <= up_; ++dy) {
      const i64 row = wrapped(k / cols + dy, rows) * cols;
      const i64* const column = columns_.data() + k % cols;
      for (i64 i = 0; i <= 2 * along_; ++i, ++near) {
        const double there = model_.data[row + column[i]];
        if (!(there > 0)) continue;
        const double alike = std::min(here, there) / std::max(here, there);
        f(row + column[i], *near * alike * alike);
      }
    }
  }

 private:
  static i64 wrapped(i64 i, i64 n) { return (i % n + n) % n; }         // DC stands at [0,0]
  static i64 reach_in(i64 n) { return std::min(reach, (n - 1) / 2); }  // each pixel once

  View<const double, 2> model_;
  i64 up_, along_;
  std::vector<double> near_;
  std::vector<i64> columns_;  // of −along … cols + along
};

/// f(k) of all pixels that the model has counts in, rows at a time.
template <class F>
void each_pixel(View<const double, 2> model, int threads, F&& f) {
  const auto [rows, cols] = model.shape;
  parallel_for(rows, threads, [&, cols = cols](i64 y, int) {
    for (i64 k = y * cols; k < (y + 1) * cols; ++k)
      if (model.data[k] > 0) f(k);
  });
}

/// A neighbourhood's score, of weights beside deviations.
class LocalScore {
 public:
  LocalScore(const Surroundings& around, const Deviations& all, i64 k) {
    around.each(k, [&](i64 j, double weight) {
      entries_[n_++] = {weight, all.deviation.data[j], all.variance.data[j]};
    });
  }
  [[nodiscard]] double operator()(double spread2) const {
    double sum = 0;
    for (std::size_t i = 0; i < n_; ++i)
      sum += entries_[i].weight * score_of(entries_[i].deviation, entries_[i].variance, spread2);
    return sum;
  }
  [[nodiscard]] double standard_error(double spread2) const {
    double squares = 0;
    for (std::size_t i = 0; i < n_; ++i)
      if (spread2 + entries_[i].variance > 0)
        squares += std::pow(entries_[i].weight / (spread2 + entries_[i].variance), 2);
    return std::sqrt(squares * variance_of_squares);
  }

 private:
  struct Entry {
    double weight, deviation, variance;
  };
  std::array<Entry, Surroundings::most> entries_;
  std::size_t n_ = 0;
};

/// v² = s² + m²
void add_misfit(const Deviations& all, const Surroundings& around, double spread2, int threads,
                View<double, 2> to) {
  constexpr double low = 1e-6;   // of m², as gains of 0.1 % are no matter
  constexpr int bisections = 8;  // from there to 1: to 6 %
  each_pixel(all.model, threads, [&](i64 k) {
    to.data[k] = all.variance.data[k];
    const LocalScore score(around, all, k);
    const double error = score.standard_error(spread2);
    const double part = (score(spread2) / error - by_chance) / (no_chance - by_chance);
    if (!(error > 0 && part > 0)) return;
    const double least2 = std::max(spread2, low);
    to.data[k] +=
        std::min(part, 1.0) * (root_of(least2, std::max(1.0, least2), bisections, score) - least2);
  });
}

}  // namespace

Neighbours neighbours_of(View<const double, 2> measured, View<const double, 2> model, int threads,
                         Ledger* ledger) {
  const Surroundings around(model);
  Neighbours found{Array<double, 2>(model.shape, ledger, "probe"),
                   Array<double, 2>(model.shape, ledger, "probe")};
  found.quotient.fill(1);
  each_pixel(model, threads, [&](i64 k) {
    double counts = 0, expected = 0, squares = 0;
    around.each(k, [&](i64 j, double weight) {
      counts += weight * measured.data[j];
      expected += weight * model.data[j];
      squares += std::pow(weight * model.data[j], 2);
    });
    found.quotient.data()[k] = counts / expected;
    found.share.data()[k] = squares / (expected * expected);
  });
  return found;
}

Gains estimate_gains(View<const double, 2> measured, View<const double, 2> model,
                     View<const double, 2> variance, int threads, Ledger* ledger) {
  double all_measured = 0, all_model = 0;
  for (i64 k = 0; k < model.size(); ++k)
    if (model.data[k] > 0) all_measured += measured.data[k], all_model += model.data[k];
  Gains found{Array<double, 2>(model.shape, ledger, "probe"),
              Array<double, 2>(model.shape, ledger, "probe")};
  found.gain.fill(1);
  if (!(all_measured > 0)) return found;
  Array<double, 2> deviation(model.shape, ledger, "probe"),
      with_misfit(model.shape, ledger, "probe");
  for (i64 k = 0; k < model.size(); ++k)
    if (model.data[k] > 0)
      deviation.data()[k] = measured.data[k] / model.data[k] * (all_model / all_measured) - 1;
  const Surroundings around(model);
  const Deviations known{model, deviation.view(), variance},
      all{model, deviation.view(), with_misfit.view()};
  double spread2 = known.spread2();
  for (int i = 0; i < misfit_rounds; ++i) {
    add_misfit(known, around, spread2, threads, with_misfit);
    spread2 = all.spread2();
  }
  const double greatest2 = all.greatest_spread2(spread2);
  found.spread = std::sqrt(spread2);
  found.greatest_spread = std::sqrt(greatest2);
  found.error.fill(found.greatest_spread);
  for (i64 k = 0; k < model.size(); ++k) {
    if (!(model.data[k] > 0)) continue;
    const double v2 = with_misfit.data()[k], sum = spread2 + v2, part = sum > 0 ? spread2 / sum : 0,
                 most = farthest * std::sqrt(sum);
    const double off = std::clamp(deviation.data()[k], -most, most);
    found.gain.data()[k] = std::clamp(1 + part * off, least, greatest);
    found.error.data()[k] = std::hypot((1 - part) * found.greatest_spread, part * std::sqrt(v2));
  }
  return found;
}

}  // namespace ptyle
