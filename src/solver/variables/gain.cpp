#include "solver/variables/gain.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "solver/variables/detector_sample.hpp"
#include "solver/variables/gain_estimate.hpp"

namespace ptyle {
namespace {

/// Positions of a sample: one in so many, but no fewer than that.
constexpr i64 one_in = 8, least_positions = 256;
/// Estimates are held once one has moved by less than this part of their errors, r.m.s.; or after
/// so many.
constexpr double held_below = 0.2;
constexpr int least_estimates = 3, most_estimates = 8;

}  // namespace

template <class T>
void GainVariable<T>::declare(State<T>& state) {
  const i64 window = state.field("probe").shape[1];
  gain_ = &state.declare({field, "probe", Kind::common, {1, window, window}, true});
  estimates_ = &state.number("detector.gain.estimates");
  held_ = &state.number("detector.gain.held");
}

template <class T>
Array<double, 2> GainVariable<T>::gains_now(const Workspace<T>& with) const {
  const i64 window = with.op->setup().window;
  Array<double, 2> gains({window, window}, with.ledger, "probe");
  gains.fill(1);
  if (*estimates_ == 0) return gains;
  const Array<Complex<T>, 3> here = with.waves_on_host(field);
  std::transform(here.begin(), here.end(), gains.begin(),
                 [](const Complex<T>& value) { return static_cast<double>(value.real()); });
  return gains;
}

template <class T>
void GainVariable<T>::publish(Workspace<T>& with) {
  if (offset_ < 0) offset_ = with.op->setup().background;
  if (*estimates_ == 0) return;
  const Array<double, 2> gains = gains_now(with);
  Array<T, 2> gain(gains.shape(), with.ledger, "probe");
  std::transform(gains.begin(), gains.end(), gain.begin(),
                 [](double value) { return static_cast<T>(value); });
  with.use_gain(std::move(gain), offset_);
  with.op->set_weights(with.detector_weight().view(), with.data.valid);
}

template <class T>
auto GainVariable<T>::sums_of(Workspace<T>& with, const Array<double, 2>& gains) const -> Sums {
  const auto [rows, cols] = gains.shape();
  const i64 n = gains.size(),
            positions = std::max(least_positions, std::ssize(with.fitted) / one_in);
  Sums sums{Array<double, 3>({3, rows, cols}, with.ledger, "probe"), {}};
  double *const measured = sums.all.data(), *const model = measured + n,
                *const patterns = model + n;  // their number, of each pixel
  std::array<double, 2> scatter{};            // Σ (y − I)², Σ I
  for_each_pattern<T>(with, sample_of(with.fitted, positions), [&](const double* i, const T* y) {
    for (i64 k = 0; k < n; ++k) {
      if (!with.data.is_measured(k, y[k])) continue;
      const double counts = double(y[k]), gain = gains.data()[k];
      measured[k] += gain * (counts - offset_);  // as y was before it was divided by g
      model[k] += i[k] - offset_;
      patterns[k] += 1;
      scatter[0] += gain * (counts - i[k]) * (counts - i[k]);
      scatter[1] += i[k];
    }
  });
  with.team.sum({sums.all.data(), static_cast<std::size_t>(sums.all.size())});
  with.team.sum(scatter);
  Neighbours around =
      neighbours_of(std::as_const(sums.all).view()[0], std::as_const(sums.all).view()[1],
                    with.options.threads, with.ledger);
  const double dispersion = scatter[1] > 0 ? scatter[0] / scatter[1] : 0;
  for (i64 k = 0; k < n; ++k) {
    if (around.quotient.data()[k] > 0) measured[k] /= around.quotient.data()[k];
    double& variance = patterns[k];  // in its place
    variance =
        model[k] > 0 ? dispersion * (model[k] + offset_ * patterns[k]) / (model[k] * model[k]) : 0;
  }
  sums.share = std::move(around.share);
  return sums;
}

template <class T>
bool GainVariable<T>::estimate(Workspace<T>& with) {
  const Array<double, 2> before = gains_now(with);
  const Sums sums = sums_of(with, before);
  const View<const double, 2> model = sums.all.view()[1];
  const Gains found = estimate_gains(sums.all.view()[0], model, sums.all.view()[2],
                                     with.options.threads, with.ledger);
  double moved = 0, errors = 0;  // squares, counts being weights
  Array<Complex<T>, 3> values(gain_->waves.shape(), with.ledger, "probe");
  for (i64 k = 0; k < before.size(); ++k) {
    const double gain = found.gain.data()[k], error = found.error.data()[k],
                 around = found.greatest_spread * std::sqrt(sums.share.data()[k]);
    values.data()[k] = {static_cast<T>(gain), static_cast<T>(std::hypot(error, around))};
    if (!(model.data[k] > 0)) continue;
    moved += model.data[k] * std::pow(gain - before.data()[k], 2);
    errors += model.data[k] * error * error;
  }
  with.arithmetic->write(values.data(), gain_->waves.data(), values.size());
  return moved <= held_below * held_below * errors;
}

template <class T>
void GainVariable<T>::end_iteration(Workspace<T>& with, const Batch& batch) {
  if (*held_ != 0 || batch.iteration < options_.gain_start || batch.lateral_limit) return;
  const bool at_rest = estimate(with);
  *estimates_ += 1;
  if ((at_rest && *estimates_ >= least_estimates) || *estimates_ >= most_estimates) *held_ = 1;
  publish(with);
}

/// A gain a pixel; of an estimate the gains before and the sums, and either the patterns, the
/// neighbourhoods or the new gains.
template <class T>
OtherBytes GainVariable<T>::other_bytes(const OperatorSetup& setup, i64 /*positions*/,
                                        bool /*device*/) const {
  const double pixels = pattern_bytes<double>(setup);
  return {
      .kept = {{"probe", pattern_bytes<T>(setup)}},
      .moment = 4 * pixels + std::max({for_each_pattern_bytes<T>(setup), neighbours_arrays * pixels,
                                       (1 + gains_arrays) * pixels})};
}

template class GainVariable<float>;
template class GainVariable<double>;

}  // namespace ptyle
