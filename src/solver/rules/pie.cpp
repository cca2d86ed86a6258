#include "solver/rules/pie.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/pulse.hpp"
#include "device/ops/limits.hpp"
#include "operator/cpu/pointwise.hpp"
#include "solver/batches.hpp"

namespace ptyle {
namespace {

using cpu::conj_mul;
using cpu::mul;

/// D(x) = (1 − c) x + c max x; of a plane that is 0 everywhere, 1.
template <class T>
struct Divisor {
  Divisor(const T* x, i64 n, double regularised) {
    const T most = *std::max_element(x, x + n);
    own = most > 0 ? static_cast<T>(1 - regularised) : T(0);
    floor = most > 0 ? static_cast<T>(regularised) * most : T(1);
  }
  T operator()(T x) const { return own * x + floor; }
  T own, floor;
};

}  // namespace

template <class T>
void PieRule<T>::declare(State<T>& state) {
  probe_ = &state.field("probe");
  const i64 window = probe_->shape[1];
  modes_ = probe_->shape[0];
  slices_ = state.field("phase").shape[0];
  n_ = window * window;
  const i64 planes = (slices_ + 1) * modes_ + slices_ + 2;
  waves_ = &state.declare({"pie", "waves", Kind::common, {planes, window, window}});
}

template <class T>
double PieRule<T>::step_in_use(const Workspace<T>& with) const {
  return with.caution * (options_.form == PieForm::epie ? options_.alpha_in_use() : 1);
}

template <class T>
void PieRule<T>::prepare(const Trial<T>& trial) {
  const OperatorSetup& setup = trial.with.op->setup();
  if (trial.with.arithmetic->memory()) throw excluded_by_pie::device.error();
  if (setup.loss != Loss::amplitude) throw excluded_by_pie::loss.error();
  if (setup.basis > 0)
    throw UserError("solver.rule: pie has one probe for all positions, none that they mix");
  if (!steps_) steps_.emplace(setup.window);
  trial.object.publish(trial.with, 0);
  const auto values = trial.with.op->propagator();
  std::transform(values.begin(), values.end(), propagator(),
                 [&](const Complex<double>& value) { return C(value / double(n_)); });
}

template <class T>
void PieRule<T>::step(const Trial<T>& trial) {
  prepare(trial);
  const Batch& batch = trial.batch;
  Misfit misfit;
  for (const i64 position :
       in_random_order(batch.members, trial.with.options.seed, batch.iteration)) {
    visit(trial, position, misfit);
    beat();
  }
  reported(misfit, trial.with.costs.of(batch.number, true));
  trial.with.costs.count(double(batch.members.size()));
  trial.with.op->set_probe(probe_->waves);
}

template <class T>
void PieRule<T>::visit(const Trial<T>& trial, i64 position, Misfit& misfit) {
  const Workspace<T>& with = trial.with;
  const Placement at = with.places_on(with.tiles.front(), {position}).front();
  with.measured_at({&position, 1}).load(0, pattern());
  forward(trial.object.values.view(0), at);
  misfit += project(with.data, with.op->setup());
  for (i64 s = slices_ - 1; s > 0; --s) {
    move_slice(trial, s, at);
    take_back(s, 1, 1);
    for (i64 m = 0; m < modes_; ++m) steps_->propagate_back(propagator(), difference(m));
  }
  move_slice(trial, 0, at);
  if (!trial.batch.refine_probe) return;
  const bool by_step = options_.form == PieForm::epie;
  take_back(0, by_step ? 1 : options_.beta, with.caution * (by_step ? options_.beta : 1));
  move_probe(at);
}

/// 1. ψ_s and t_s of all slices, and Ψ in the place of the difference.
template <class T>
void PieRule<T>::forward(const ObjectView<T>& object, const Placement& at) {
  for (i64 m = 0; m < modes_; ++m) {
    std::copy_n(probe_->waves.data() + m * n_, n_, incident(0, m));
    steps_->shift(at, incident(0, m));
  }
  for (i64 s = 0; s < slices_; ++s) {
    const C* t = transmission(s);
    steps_->transmission(object, s, at, transmission(s));
    for (i64 m = 0; m < modes_; ++m) {
      const bool last = s + 1 == slices_;
      C* to = last ? difference(m) : incident(s + 1, m);
      std::transform(t, t + n_, incident(s, m), to, mul<T>);
      if (last)
        steps_->to_detector(to);
      else
        steps_->propagate(propagator(), to);
    }
  }
}

/// 2. Δ of the last slice from Ψ, and the misfit before the step. A pixel that is not measured
/// keeps what the model has there.
template <class T>
Misfit PieRule<T>::project(const FitData<T>& data, const OperatorSetup& setup) {
  Misfit misfit;
  const T eps = static_cast<T>(setup.epsilon), *y = pattern();
  for (i64 k = 0; k < n_; ++k) {
    T model = static_cast<T>(setup.background);
    for (i64 m = 0; m < modes_; ++m) model += std::norm(difference(m)[k]);
    const bool seen = data.is_measured(k, y[k]);
    const T by = seen ? -AmplitudeLoss::factor(model + eps, y[k], eps) : T(0);
    for (i64 m = 0; m < modes_; ++m) difference(m)[k] *= by;
    if (!seen) continue;
    const auto apart = static_cast<double>(std::sqrt(model) - std::sqrt(y[k]));
    misfit += {static_cast<double>(AmplitudeLoss::cost(model, y[k], T(1), eps)), apart * apart,
               static_cast<double>(y[k])};
  }
  for (i64 m = 0; m < modes_; ++m) steps_->from_detector(difference(m));
  return misfit;
}

/// 3. φ += arg(t'/t), μ −= ln|t'/t|. A quotient below 1e-3 and a t below 1e-6 count as such: a
/// voxel that a step makes opaque can still become clear again.
template <class T>
void PieRule<T>::move_slice(const Trial<T>& trial, i64 slice, const Placement& at) {
  const Volumes<T>& values = trial.object.values;
  std::fill_n(sum(), n_, T(0));
  for (i64 m = 0; m < modes_; ++m)
    for (i64 i = 0; i < n_; ++i) sum()[i] += std::norm(incident(slice, m)[i]);
  const bool by_step = options_.form == PieForm::epie;
  const Divisor<T> divisor(sum(), n_, by_step ? 1 : options_.alpha_in_use());
  const auto step = static_cast<T>(step_in_use(trial.with));
  const auto limits = [&](const Field<T>& field) {
    const auto [low, high] = limits_of(trial.with.options, values, field);
    return VoxelLimits<T>(low, high);
  };
  const View<T, 2> phase = values.phase->on(0)[slice],
                   absorption = values.absorption ? values.absorption->on(0)[slice] : View<T, 2>{};
  const auto of_phase = limits(*values.phase);
  const auto of_absorption = limits(values.absorption ? *values.absorption : *values.phase);
  const i64 window = probe_->shape[1];
  const cpu::Inside in(at, window, phase.shape[0], phase.shape[1]);
  for (i64 y = in.y0; y < in.y1; ++y)
    for (i64 x = in.x0; x < in.x1; ++x) {
      const i64 i = y * window + x;
      const C t = transmission(slice)[i];
      C change = 0;
      for (i64 m = 0; m < modes_; ++m) change += conj_mul(incident(slice, m)[i], difference(m)[i]);
      const T square = std::max(std::norm(t), T(1e-12));
      const C quotient = T(1) + conj_mul(t, change) * (step / (divisor(sum()[i]) * square));
      T& phi = phase(at.row + y, at.col + x);
      phi = of_phase(phi + std::arg(quotient));
      if (absorption.empty()) continue;
      T& mu = absorption(at.row + y, at.col + x);
      mu = of_absorption(mu - T(0.5) * std::log(std::max(std::norm(quotient), T(1e-6))));
    }
}

/// δ = b t* Δ / D(|t|²) in the place of Δ.
template <class T>
void PieRule<T>::take_back(i64 slice, double regularised, double step) {
  const C* t = transmission(slice);
  std::transform(t, t + n_, sum(), [](const C& value) { return std::norm(value); });
  const Divisor<T> divisor(sum(), n_, regularised);
  for (i64 m = 0; m < modes_; ++m)
    for (i64 i = 0; i < n_; ++i)
      difference(m)[i] =
          conj_mul(t[i], difference(m)[i]) * (static_cast<T>(step) / divisor(sum()[i]));
}

/// 4.
template <class T>
void PieRule<T>::move_probe(const Placement& at) {
  for (i64 m = 0; m < modes_; ++m) {
    steps_->shift_back(at, difference(m));
    C* probe = probe_->waves.data() + m * n_;
    std::transform(probe, probe + n_, difference(m), probe, std::plus<>());
  }
}

template class PieRule<float>;
template class PieRule<double>;

}  // namespace ptyle
