#include "solver/fit.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/parallel.hpp"
#include "core/units.hpp"
#include "solver/blur.hpp"
#include "solver/groups.hpp"

namespace ptyle {

template <class T>
Fit<T>::Fit(std::unique_ptr<Operator<T>> op, FitData<T> data, FitOptions options, Array<T, 3> phase,
            Array<T, 3> absorption, Array<Complex<T>, 3> probe, Ledger* ledger)
    : ledger_(ledger),
      op_(std::move(op)),
      data_(std::move(data)),
      options_(std::move(options)),
      phase_(std::move(phase)),
      absorption_(std::move(absorption)),
      probe_(std::move(probe)),
      phase_gradient_(phase_.shape(), ledger, "gradient"),
      absorption_gradient_(absorption_.shape(), ledger, "gradient"),
      illumination_({phase_.shape()[1], phase_.shape()[2]}, ledger, "gradient"),
      probe_gradient_(probe_.shape(), ledger, "gradient") {
  const i64 window = op_->setup().window, count = static_cast<i64>(data_.positions.size());
  for (const Position& at : data_.positions) places_.push_back(place(at, window));
  held_out_ = held_out_positions(count, options_.hold_out, options_.seed);
  for (i64 i = 0; i < count; ++i)
    if (!std::binary_search(held_out_.begin(), held_out_.end(), i)) fitted_.push_back(i);
  op_->set_probe(probe_);
  apply_detector_limit();
}

template <class T>
IterationReport Fit<T>::iterate() {
  ++iteration_;
  IterationReport report;
  report.stage = options_.continuation.describe();
  // A probe that is refined while the object is still coarse takes up what belongs to the object.
  const bool refine = options_.probe_from > 0 && iteration_ >= options_.probe_from &&
                      options_.continuation.k_c() == 0;
  const auto groups =
      make_groups(data_.positions, fitted_, options_.groups, options_.seed, iteration_);
  for (std::size_t g = 0; g < groups.size(); ++g)
    report.fitted += take_step(groups[g], refine, g % 8 == 0 || (new_stage_ && g < 4));
  new_stage_ = false;
  for (i64 s = 0; s < phase_.shape()[0]; ++s) {
    blur_lateral(phase_.view()[s], options_.blur);
    if (!absorption_.empty()) blur_lateral(absorption_.view()[s], options_.blur);
  }
  blur_along_z(phase_.view(), options_.blur_z, options_.threads);
  if (!absorption_.empty()) blur_along_z(absorption_.view(), options_.blur_z, options_.threads);

  if (!held_out_.empty()) {
    op_->set_object({phase_.view(), absorption_.view()});
    std::vector<Placement> places;
    for (const i64 i : held_out_) places.push_back(places_[i]);
    report.held_out = op_->misfit(places, [&](i64 k, T* to) { data_.load(held_out_[k], to); });
  }
  report.step = caution_ * (options_.step > 0 ? options_.step : estimated_step_);
  new_stage_ = options_.continuation.advance(report.fitted.r_factor());
  if (new_stage_) apply_detector_limit();
  adapt_steps(report.fitted, report);
  return report;
}

template <class T>
Misfit Fit<T>::take_step(const std::vector<i64>& group, bool refine_probe, bool estimate) {
  std::vector<Placement> places;
  for (const i64 i : group) places.push_back(places_[i]);
  phase_gradient_.fill(0);
  absorption_gradient_.fill(0);
  illumination_.fill(0);
  probe_gradient_.fill(0);
  op_->set_object({phase_.view(), absorption_.view()});
  const Measured<T> measured = [&](i64 k, T* to) { data_.load(group[k], to); };
  const Misfit misfit =
      op_->gradient(places, measured, {true, refine_probe, true},
                    {phase_gradient_, absorption_gradient_, illumination_, probe_gradient_});

  const double floor =
      options_.damping * *std::max_element(illumination_.begin(), illumination_.end());
  double slope = make_direction(phase_gradient_, floor);
  if (!absorption_.empty()) slope += make_direction(absorption_gradient_, floor);
  double step = object_step(places, slope, estimate);
  if (estimate && options_.step == 0) step = tried_step(places, measured, misfit.cost, slope, step);
  move_object(step, phase_, absorption_);
  if (refine_probe) update_probe(static_cast<i64>(group.size()));
  return misfit;
}

/// In place: d = g / (W² (illumination + floor)), g tied and low-passed as the continuation's stage
/// asks. Returns ⟨g, d⟩ of this g: the slope along d, but for the low-pass, which counts twice in
/// it, so that a step made of it errs to the small side. W² because F is unnormalised.
template <class T>
double Fit<T>::make_direction(View<T, 3> gradient, double floor) {
  const auto [slices, ny, nx] = gradient.shape;
  const i64 block = std::max<i64>(1, options_.continuation.block());
  const i64 blocks = (slices + block - 1) / block;
  const double k_c = options_.continuation.k_c();
  // exp(−(k/k_c)²) is a Gaussian of σ = 1/(√2 π k_c) in real space.
  const double sigma = k_c > 0 ? 1 / (std::sqrt(2.0) * pi * k_c * options_.pixel) : 0;
  const double window2 = double(op_->setup().window) * double(op_->setup().window);

  if (block > 1)  // the mean of each block, into its first slice
    parallel_for(ny, options_.threads, [&, slices = slices, nx = nx](i64 y, int) {
      for (i64 b = 0; b < blocks; ++b) {
        const i64 end = std::min(slices, (b + 1) * block);
        T* mean = &gradient(b * block, y, 0);
        for (i64 s = b * block + 1; s < end; ++s)
          for (i64 x = 0; x < nx; ++x) mean[x] += gradient(s, y, x);
        for (i64 x = 0; x < nx; ++x) mean[x] /= static_cast<T>(end - b * block);
      }
    });
  if (sigma > 0)
    parallel_for(blocks, options_.threads,
                 [&](i64 b, int) { blur_lateral(gradient[b * block], sigma); });

  std::vector<double> slopes(static_cast<std::size_t>(ny));  // a row each: the same for any threads
  parallel_for(ny, options_.threads, [&, slices = slices, nx = nx](i64 y, int) {
    std::vector<T> scale(static_cast<std::size_t>(nx));
    for (i64 x = 0; x < nx; ++x)
      scale[x] = static_cast<T>(1 / (window2 * (illumination_(y, x) + floor) + 1e-300));
    for (i64 b = 0; b < blocks; ++b) {
      const i64 end = std::min(slices, (b + 1) * block);
      T* d = &gradient(b * block, y, 0);
      double slope = 0;
      for (i64 x = 0; x < nx; ++x) {
        const T g = d[x];
        d[x] = scale[x] * g;
        slope += double(g) * d[x];
      }
      slopes[y] += slope * double(end - b * block);
      for (i64 s = b * block + 1; s < end; ++s) std::copy_n(d, nx, &gradient(s, y, 0));
    }
  });
  return std::accumulate(slopes.begin(), slopes.end(), 0.0);
}

/// The step along −d that a parabola of the Gauss-Newton curvature says, as a running mean over
/// groups: f(V − αd) ≈ f − α ⟨g, d⟩ + α² curvature.
template <class T>
double Fit<T>::object_step(std::span<const Placement> places, double slope, bool estimate) {
  if (options_.step > 0) return caution_ * options_.step;
  if (estimate) {
    const double curvature =
        op_->curvature(places, {phase_gradient_.view(), absorption_gradient_.view()}, {});
    if (curvature > 0) {
      const double best = slope / (2 * curvature);
      estimated_step_ = estimated_step_ == 0 ? best : 0.7 * estimated_step_ + 0.3 * best;
    }
  }
  return caution_ * estimated_step_;
}

/// The estimate trusts the curvature of a perfect fit; far from one, where a detector pixel has
/// next to no model counts above all, the cost may rise all the same. So the step is tried on its
/// group, and while it does not lower the cost there, the parabola through what it did is followed
/// instead.
template <class T>
double Fit<T>::tried_step(std::span<const Placement> places, const Measured<T>& measured,
                          double cost, double slope, double step) {
  constexpr int most_tries = 8;
  Array<T, 3> phase(phase_.shape(), ledger_, "object, tried");
  Array<T, 3> absorption(absorption_.shape(), ledger_, "object, tried");
  for (int tries = 0; tries < most_tries && step > 0; ++tries) {
    move_object(step, phase, absorption);
    op_->set_object({phase.view(), absorption.view()});
    const double tried = op_->misfit(places, measured).cost;
    if (tried <= cost) break;
    const double parabola = slope * step * step / (2 * (tried - cost + slope * step));
    step = parabola > 0.1 * step ? std::min(parabola, 0.5 * step) : 0.1 * step;  // NaN: a tenth
    estimated_step_ = step / caution_;
  }
  return step;
}

/// Writes the object a step along −d away, within its limits; it may be the object itself.
template <class T>
void Fit<T>::move_object(double step, View<T, 3> phase, View<T, 3> absorption) const {
  const T s = static_cast<T>(step);
  const T low = static_cast<T>(options_.phase_min), high = static_cast<T>(options_.phase_max);
  const i64 rows = phase.shape[0] * phase.shape[1], nx = phase.shape[2];
  parallel_for(options_.threads, options_.threads, [&](i64 part, int) {
    const i64 from = rows * part / options_.threads * nx;
    const i64 to = rows * (part + 1) / options_.threads * nx;
    for (i64 i = from; i < to; ++i)
      phase.data[i] = std::clamp(phase_.data()[i] - s * phase_gradient_.data()[i], low, high);
    if (absorption.empty()) return;
    // Where phases may not be negative, nothing amplifies either.
    const T least = low >= 0 ? T(0) : std::numeric_limits<T>::lowest();
    for (i64 i = from; i < to; ++i)
      absorption.data[i] =
          std::max(least, absorption_.data()[i] - s * absorption_gradient_.data()[i]);
  });
}

/// Every step of the way to the detector is unitary but for absorption, so Fᴴ F = W² for each
/// pattern and the Gauss-Newton step is the mean gradient over W².
template <class T>
void Fit<T>::update_probe(i64 positions) {
  const double window2 = double(op_->setup().window) * double(op_->setup().window);
  const T scale = static_cast<T>(caution_ * options_.probe_step / (window2 * double(positions)));
  for (i64 i = 0; i < probe_.size(); ++i) probe_.data()[i] -= scale * probe_gradient_.data()[i];
  op_->set_probe(probe_);
}

/// While the lateral low-pass holds, detector pixels that it cannot explain stay out of the cost.
template <class T>
void Fit<T>::apply_detector_limit() {
  const double k_c = options_.continuation.k_c();
  if (k_c == 0) return op_->set_weights({}, data_.valid);
  const i64 window = op_->setup().window;
  Array<T, 2> weight({window, window});
  for (i64 y = 0; y < window; ++y)
    for (i64 x = 0; x < window; ++x) {
      const double k = data_.dk * std::hypot(double(frequency_index(y, window)),
                                             double(frequency_index(x, window)));
      weight(y, x) = k < k_c + options_.aperture_k ? T(1) : T(0);
    }
  op_->set_weights(weight.view(), data_.valid);
}

template <class T>
void Fit<T>::adapt_steps(const Misfit& misfit, IterationReport& report) {
  // Groups change from one iteration to the next, so a small rise means nothing.
  constexpr double rise = 1.2;
  // A cost that stands still with everything free is the noise of the groups, each of which the
  // step fits for itself: smaller steps average over more of them.
  constexpr double standstill = 0.995, smaller = 0.7, smallest = 0.05;
  if (previous_cost_ >= 0 && !(misfit.cost <= rise * previous_cost_)) {
    report.diverging = true;
    caution_ *= 0.5;
  } else if (previous_cost_ >= 0 && options_.continuation.finished() &&
             misfit.cost > standstill * previous_cost_) {
    caution_ = std::min(caution_, std::max(smallest, smaller * caution_));
  }
  previous_cost_ = new_stage_ ? -1 : misfit.cost;
}

template class Fit<float>;
template class Fit<double>;

}  // namespace ptyle
