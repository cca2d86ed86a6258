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
/// A pixel beyond is no matter of gain; nor is one that deviates by so many standard deviations.
constexpr double least = 0.1, greatest = 10, farthest = 6;
/// Squares of normal deviates count up to c², and then have this mean.
constexpr double c = 2;
double mean_of_clipped() {
  const double within = std::erf(c / std::sqrt(2.0));
  return within - c * std::sqrt(2 / pi) * std::exp(-c * c / 2) + c * c * (1 - within);
}

/// τ², by bisection; 0 where s² alone is enough.
double spread_of(const std::vector<double>& off, const std::vector<double>& variance,
                 const std::vector<double>& model) {
  const double expected = mean_of_clipped();
  const auto excess = [&](double spread2) {
    double sum = 0;
    for (std::size_t k = 0; k < off.size(); ++k) {
      const double all = spread2 + variance[k];
      if (model[k] > 0 && all > 0) sum += (std::min(off[k] * off[k] / all, c * c) - expected) / all;
    }
    return sum;
  };
  double low = 1e-12, high = 1;
  if (!(excess(low) > 0)) return 0;
  for (int i = 0; i < 60; ++i) {
    const double middle = std::sqrt(low * high);
    (excess(middle) > 0 ? low : high) = middle;
  }
  return low;
}

}  // namespace

Neighbours neighbours_of(View<const double, 2> measured, View<const double, 2> model) {
  const auto [rows, cols] = model.shape;
  const auto reach = static_cast<i64>(3 * neighbourhood);
  Array<double, 2> near({2 * reach + 1, 2 * reach + 1});
  for (i64 dy = -reach; dy <= reach; ++dy)
    for (i64 dx = -reach; dx <= reach; ++dx)
      near(dy + reach, dx + reach) =
          std::exp(-0.5 * double(dy * dy + dx * dx) / (neighbourhood * neighbourhood));
  const auto wrapped = [](i64 i, i64 n) { return (i % n + n) % n; };  // DC stands at [0,0]
  Neighbours found{std::vector<double>(static_cast<std::size_t>(model.size()), 1),
                   std::vector<double>(static_cast<std::size_t>(model.size()), 0)};
  std::vector<i64> columns;  // of −reach … cols + reach
  for (i64 x = -reach; x < cols + reach; ++x) columns.push_back(wrapped(x, cols));
  for (i64 k = 0; k < model.size(); ++k) {
    const double here = model.data[k];
    if (!(here > 0)) continue;
    double counts = 0, expected = 0, squares = 0;
    for (i64 dy = -reach; dy <= reach; ++dy) {
      const auto of_model = model[wrapped(k / cols + dy, rows)],
                 of_measured = measured[wrapped(k / cols + dy, rows)],
                 weights = std::as_const(near).view()[dy + reach];
      const i64* const column = columns.data() + k % cols;
      for (i64 i = 0; i <= 2 * reach; ++i) {
        const double there = of_model(column[i]);
        if (!(there > 0)) continue;
        const double alike = std::min(here, there) / std::max(here, there);
        const double weight = weights(i) * alike * alike;
        counts += weight * of_measured(column[i]);
        expected += weight * there;
        squares += std::pow(weight * there, 2);
      }
    }
    const auto at = static_cast<std::size_t>(k);
    found.quotient[at] = counts / expected, found.share[at] = squares / (expected * expected);
  }
  return found;
}

Gains estimate_gains(const std::vector<double>& measured, const std::vector<double>& model,
                     const std::vector<double>& variance) {
  const std::size_t n = model.size();
  double all_measured = 0, all_model = 0;
  for (std::size_t k = 0; k < n; ++k)
    if (model[k] > 0) all_measured += measured[k], all_model += model[k];
  Gains found{std::vector<double>(n, 1), std::vector<double>(n, 0), 0};
  if (!(all_measured > 0)) return found;
  std::vector<double>& off = found.gain;  // ĝ − 1 for now
  for (std::size_t k = 0; k < n; ++k)
    off[k] = model[k] > 0 ? measured[k] / model[k] * (all_model / all_measured) - 1 : 0;
  const double spread2 = spread_of(off, variance, model);
  found.spread = std::sqrt(spread2);
  for (std::size_t k = 0; k < n; ++k) {
    const double all = spread2 + variance[k], known = model[k] > 0 && all > 0 ? spread2 / all : 0;
    const double most = farthest * std::sqrt(all);
    found.gain[k] = std::clamp(1 + known * std::clamp(off[k], -most, most), least, greatest);
    found.error[k] = std::sqrt((1 - known) * spread2);
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
  const Gains found = estimate_gains(sums.measured, sums.model, sums.variance);
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
