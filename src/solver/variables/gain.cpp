#include "solver/variables/gain.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/units.hpp"
#include "solver/variables/detector_sample.hpp"

namespace ptyle {
namespace {

/// Positions of a sample: one in so many, but no fewer than that.
constexpr i64 one_in = 8, least_positions = 256;
/// Estimates are held once one has moved by less than this part of their errors, r.m.s.; or after
/// so many.
constexpr double held_below = 0.2;
constexpr int least_estimates = 3, most_estimates = 8;
/// Standard deviation of the Gaussian that makes a neighbourhood, px: 4πσ² pixels, whose mean gain
/// is known to a tenth of what gains spread by. A pixel's own share of it is 1/2πσ², 2 %.
constexpr double neighbourhood = 3;
/// The scatter of a neighbourhood is more than chance beyond so many of its standard errors.
constexpr double by_chance = 3;
/// τ² and what is beyond it are found in turn, as each is counted without the other.
constexpr int misfits = 3;
/// A pixel beyond is no matter of gain; nor is one that deviates by so many standard deviations.
constexpr double least = 0.1, greatest = 10, farthest = 6;
/// Squares of normal deviates count up to c², and then have this mean.
constexpr double c = 2;
double mean_of_clipped() {
  const double within = std::erf(c / std::sqrt(2.0));
  return within - c * std::sqrt(2 / pi) * std::exp(-c * c / 2) + c * c * (1 - within);
}

/// What z² has about that mean, clipped alike.
double variance_of_clipped() {
  const double within = std::erf(c / std::sqrt(2.0)), mean = mean_of_clipped();
  const double fourth = 3 * within - std::sqrt(2 / pi) * std::exp(-c * c / 2) * c * (c * c + 3);
  return fourth + std::pow(c, 4) * (1 - within) - mean * mean;
}

/// A pixel's part of what is 0 at the likeliest τ².
double excess_of(double off, double variance, double spread2) {
  const double all = spread2 + variance;
  return all > 0 ? (std::min(off * off / all, c * c) - mean_of_clipped()) / all : 0;
}

/// The root of what falls with τ², between two values of it, after so many bisections.
template <class Excess>
double root_of(double low, double high, int bisections, Excess&& excess) {
  for (int i = 0; i < bisections; ++i) {
    const double middle = std::sqrt(low * high);
    (excess(middle) > 0 ? low : high) = middle;
  }
  return low;
}

constexpr double smallest = 1e-12;  // of τ² that is not 0

/// The sum over all pixels that the model has counts in.
double excess_of(const std::vector<double>& off, const std::vector<double>& variance,
                 View<const double, 2> model, double spread2) {
  double sum = 0;
  for (std::size_t k = 0; k < off.size(); ++k)
    if (model.data[k] > 0) sum += excess_of(off[k], variance[k], spread2);
  return sum;
}

/// τ²; 0 where the variance alone is enough.
double spread_of(const std::vector<double>& off, const std::vector<double>& variance,
                 View<const double, 2> model) {
  const auto excess = [&](double spread2) { return excess_of(off, variance, model, spread2); };
  return excess(smallest) > 0 ? root_of(smallest, 1, 60, excess) : 0;
}

/// Standard error of τ²: that of the sum over its slope, which clipped squares do not take part in.
/// Where ĝ scatter by less than their variance, the model follows the patterns pixel by pixel: what
/// is missing counts as well, as the model may have taken as much of gains.
double error_of_spread(const std::vector<double>& off, const std::vector<double>& variance,
                       View<const double, 2> model, double spread2) {
  double weights = 0;
  for (std::size_t k = 0; k < variance.size(); ++k)
    if (model.data[k] > 0 && spread2 + variance[k] > 0)
      weights += std::pow(spread2 + variance[k], -2);
  if (!(weights > 0)) return 0;
  const double slope = (mean_of_clipped() - c * c * std::erfc(c / std::sqrt(2.0))) * weights;
  const double missing = std::max(0.0, -excess_of(off, variance, model, spread2));
  return (std::sqrt(variance_of_clipped() * weights) + missing) / slope;
}

/// The pixels about another that are about as bright, with their weights.
class Surroundings {
 public:
  explicit Surroundings(View<const double, 2> model) : model_(model) {
    for (i64 dy = -reach; dy <= reach; ++dy)
      for (i64 dx = -reach; dx <= reach; ++dx)
        near_(dy + reach, dx + reach) =
            std::exp(-0.5 * double(dy * dy + dx * dx) / (neighbourhood * neighbourhood));
    for (i64 x = -reach; x < model.shape[1] + reach; ++x)
      columns_.push_back(wrapped(x, model.shape[1]));
  }
  /// f(j, w_j) of the neighbourhood of k, which has counts of the model.
  template <class F>
  void each(i64 k, F&& f) const {
    const auto [rows, cols] = model_.shape;
    const double here = model_.data[k];
    for (i64 dy = -reach; dy <= reach; ++dy) {
      const i64 row = wrapped(k / cols + dy, rows) * cols;
      const auto weights = near_.view()[dy + reach];
      const i64* const column = columns_.data() + k % cols;
      for (i64 i = 0; i <= 2 * reach; ++i) {
        const double there = model_.data[row + column[i]];
        if (!(there > 0)) continue;
        const double alike = std::min(here, there) / std::max(here, there);
        f(static_cast<std::size_t>(row + column[i]), weights(i) * alike * alike);
      }
    }
  }

 private:
  static constexpr auto reach = static_cast<i64>(3 * neighbourhood);
  static i64 wrapped(i64 i, i64 n) { return (i % n + n) % n; }  // DC stands at [0,0]

  View<const double, 2> model_;
  Array<double, 2> near_{{2 * reach + 1, 2 * reach + 1}};
  std::vector<i64> columns_;  // of −reach … cols + reach
};

/// m², what the model has wrong: what the neighbourhood scatters by beyond gains and s², where that
/// is more than chance.
std::vector<double> misfit_of(const std::vector<double>& off, const std::vector<double>& variance,
                              const Surroundings& around, View<const double, 2> model,
                              double spread2) {
  constexpr int bisections = 8;  // τ² to a few parts in a hundred
  std::vector<double> misfit(off.size(), 0), z2(off.size(), 0);
  for (std::size_t k = 0; k < off.size(); ++k)
    if (spread2 + variance[k] > 0)
      z2[k] = std::min(off[k] * off[k] / (spread2 + variance[k]), c * c) - mean_of_clipped();
  for (i64 k = 0; k < model.size(); ++k) {
    if (!(model.data[k] > 0)) continue;
    double sum = 0, squares = 0;
    around.each(k, [&](std::size_t j, double weight) {
      sum += weight * z2[j];
      squares += weight * weight;
    });
    if (sum < by_chance * std::sqrt(squares * variance_of_clipped())) continue;
    const auto excess = [&](double all) {
      double of_all = 0;
      around.each(k, [&](std::size_t j, double weight) {
        of_all += weight * excess_of(off[j], variance[j], all);
      });
      return of_all;
    };
    const double low = std::max(spread2, smallest);
    misfit[static_cast<std::size_t>(k)] =
        root_of(low, std::max(1.0, low), bisections, excess) - low;
  }
  return misfit;
}

}  // namespace

Neighbours neighbours_of(View<const double, 2> measured, View<const double, 2> model) {
  const Surroundings around(model);
  Neighbours found{std::vector<double>(static_cast<std::size_t>(model.size()), 1),
                   std::vector<double>(static_cast<std::size_t>(model.size()), 0)};
  for (i64 k = 0; k < model.size(); ++k) {
    if (!(model.data[k] > 0)) continue;
    double counts = 0, expected = 0, squares = 0;
    around.each(k, [&](std::size_t j, double weight) {
      counts += weight * measured.data[j];
      expected += weight * model.data[j];
      squares += std::pow(weight * model.data[j], 2);
    });
    const auto at = static_cast<std::size_t>(k);
    found.quotient[at] = counts / expected, found.share[at] = squares / (expected * expected);
  }
  return found;
}

Gains estimate_gains(View<const double, 2> measured, View<const double, 2> model,
                     const std::vector<double>& variance) {
  const auto n = static_cast<std::size_t>(model.size());
  double all_measured = 0, all_model = 0;
  for (std::size_t k = 0; k < n; ++k)
    if (model.data[k] > 0) all_measured += measured.data[k], all_model += model.data[k];
  Gains found{std::vector<double>(n, 1), std::vector<double>(n, 0), 0};
  if (!(all_measured > 0)) return found;
  std::vector<double> off(n, 0);  // ĝ − 1
  for (std::size_t k = 0; k < n; ++k)
    if (model.data[k] > 0)
      off[k] = measured.data[k] / model.data[k] * (all_model / all_measured) - 1;
  const Surroundings around(model);
  double spread2 = spread_of(off, variance, model);
  std::vector<double> with_misfit = variance;
  for (int i = 0; i < misfits; ++i) {
    const auto misfit = misfit_of(off, variance, around, model, spread2);
    std::transform(variance.begin(), variance.end(), misfit.begin(), with_misfit.begin(),
                   std::plus());
    spread2 = spread_of(off, with_misfit, model);
  }
  found.spread = std::sqrt(spread2);
  // Where τ is not known any better, errors are those of gains that spread by more.
  const double at_most2 = spread2 + error_of_spread(off, with_misfit, model, spread2);
  for (std::size_t k = 0; k < n; ++k) {
    if (!(model.data[k] > 0)) continue;
    const double all = spread2 + with_misfit[k], known = all > 0 ? spread2 / all : 0;
    const double most = farthest * std::sqrt(all);
    found.gain[k] = std::clamp(1 + known * std::clamp(off[k], -most, most), least, greatest);
    const double at_most = at_most2 + with_misfit[k];
    found.error[k] = at_most > 0 ? std::sqrt(at_most2 * with_misfit[k] / at_most) : 0;
  }
  return found;
}

template <class T>
void GainVariable<T>::declare(State<T>& state) {
  const i64 window = state.field("probe").shape[1];
  gain_ = &state.declare({field, "probe", Kind::common, {1, window, window}, true});
  estimates_ = &state.number("detector.gain.estimates");
  held_ = &state.number("detector.gain.held");
}

template <class T>
std::vector<double> GainVariable<T>::gains_now(const Workspace<T>& with) const {
  const Array<Complex<T>, 3> here = with.waves_on_host(field);
  std::vector<double> gains(static_cast<std::size_t>(here.size()), 1);
  if (*estimates_ == 0) return gains;
  std::transform(here.begin(), here.end(), gains.begin(),
                 [](const Complex<T>& value) { return static_cast<double>(value.real()); });
  return gains;
}

template <class T>
void GainVariable<T>::publish(Workspace<T>& with) {
  if (offset_ < 0) offset_ = with.op->setup().background;
  if (*estimates_ == 0) return;
  const i64 window = with.op->setup().window;
  const std::vector<double> gains = gains_now(with);
  Array<T, 2> gain({window, window}, with.ledger, "probe");
  std::transform(gains.begin(), gains.end(), gain.begin(),
                 [](double value) { return static_cast<T>(value); });
  with.use_gain(std::move(gain), offset_);
  with.op->set_weights(with.detector_weight().view(), with.data.valid);
}

template <class T>
auto GainVariable<T>::sums_of(Workspace<T>& with, const std::vector<i64>& sample) const -> Sums {
  const std::vector<double> gains = gains_now(with);
  const std::size_t n = gains.size();
  // Σ y, Σ I, number of patterns, a pixel each; Σ (y − I)², Σ I
  Array<double, 1> all({static_cast<i64>(3 * n + 2)}, with.ledger, "probe");
  double *const measured = all.data(), *const model = measured + n, *const patterns = model + n,
                *const scatter = patterns + n;
  const auto& valid = with.data.valid;
  for_each_pattern<T>(with, sample, [&](const double* i, const T* y) {
    for (std::size_t k = 0; k < n; ++k) {
      if (y[k] < 0 || (!valid.empty() && !(valid.data[k] > 0))) continue;
      const double counts = double(y[k]);
      measured[k] += gains[k] * (counts - offset_);  // as y was before it was divided by g
      model[k] += i[k] - offset_;
      patterns[k] += 1;
      scatter[0] += gains[k] * (counts - i[k]) * (counts - i[k]);
      scatter[1] += i[k];
    }
  });
  with.team.sum({all.data(), static_cast<std::size_t>(all.size())});
  const i64 window = with.op->setup().window;
  const View<const double, 2> of_model{model, {window, window}};
  const Neighbours around = neighbours_of({measured, {window, window}}, of_model);
  Sums sums{{measured, measured + n}, {model, model + n}, std::vector<double>(n, 0), around.share};
  for (std::size_t k = 0; k < n; ++k)
    if (around.quotient[k] > 0) sums.measured[k] /= around.quotient[k];
  const double dispersion = scatter[1] > 0 ? scatter[0] / scatter[1] : 0;
  for (std::size_t k = 0; k < n; ++k)
    if (model[k] > 0)
      sums.variance[k] = dispersion * (model[k] + offset_ * patterns[k]) / (model[k] * model[k]);
  return sums;
}

template <class T>
void GainVariable<T>::end_iteration(Workspace<T>& with, const Batch& batch) {
  if (*held_ != 0 || batch.iteration < options_.gain_start || batch.lateral_limit) return;
  const std::vector<double> before = gains_now(with);
  const i64 positions = std::max(least_positions, std::ssize(with.fitted) / one_in);
  const Sums sums = sums_of(with, sample_of(with.fitted, positions));
  const i64 window = with.op->setup().window;
  const Gains found = estimate_gains({sums.measured.data(), {window, window}},
                                     {sums.model.data(), {window, window}}, sums.variance);
  double moved = 0, errors = 0;  // squares, counts being weights
  Array<Complex<T>, 3> values(gain_->waves.shape(), with.ledger, "probe");
  for (std::size_t k = 0; k < before.size(); ++k) {
    const double around = found.spread * std::sqrt(sums.share[k]);
    values.data()[k] = {static_cast<T>(found.gain[k]),
                        static_cast<T>(std::hypot(found.error[k], around))};
    if (!(sums.model[k] > 0)) continue;
    moved += sums.model[k] * std::pow(found.gain[k] - before[k], 2);
    errors += sums.model[k] * std::pow(found.error[k], 2);
  }
  with.arithmetic->write(values.data(), gain_->waves.data(), values.size());
  *estimates_ += 1;
  const bool found_all =
      *estimates_ >= least_estimates && moved <= held_below * held_below * errors;
  if (found_all || *estimates_ >= most_estimates) *held_ = 1;
  publish(with);
}

/// The sums of a sample.
template <class T>
OtherBytes GainVariable<T>::other_bytes(const OperatorSetup& setup, i64 /*positions*/,
                                        bool /*device*/) const {
  return {.kept = {{"probe", pattern_bytes<T>(setup)}},
          .moment = for_each_pattern_bytes<T>(setup) + 3 * pattern_bytes<double>(setup) +
                    2 * sizeof(double)};
}

template class GainVariable<float>;
template class GainVariable<double>;

}  // namespace ptyle
