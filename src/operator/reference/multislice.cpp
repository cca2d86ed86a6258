// The equations of operator.hpp, in their order:
//
//   1. Fourier sum, propagation, sub-pixel shift, descan
//   2. forward: ψ_0 … Ψ
//   3. tangent and adjoint of the forward map
//   4. detector: intensity, cost, residual
//   5. sums over positions: gradient, misfit, curvature, Gauss-Newton product

#include "operator/reference/multislice.hpp"

#include <cmath>
#include <stdexcept>

#include "core/units.hpp"

namespace ptyle {
namespace {

using Wave = ReferenceOperator::Wave;
using Value = ReferenceOperator::Value;

template <class T>
std::vector<double> values(View<T, 2> view, i64 n) {
  return view.empty() ? std::vector<double>(static_cast<std::size_t>(n), 1.0)
                      : std::vector<double>(view.begin(), view.end());
}

// sum[x] += factor · line[x]. Real and imaginary parts stand apart so that the loop runs in
// vectors: the product of std::complex looks for infinities.
void add_multiple(i64 w, Value factor, const Value* line, Value* sum) {
  for (i64 x = 0; x < w; ++x)
    sum[x] += Value(factor.real() * line[x].real() - factor.imag() * line[x].imag(),
                    factor.real() * line[x].imag() + factor.imag() * line[x].real());
}

Wave wave_of(View<const Value, 2> view) { return {view.begin(), view.end()}; }

std::vector<Wave> waves_of(View<const Value, 3> view) {
  std::vector<Wave> waves;
  for (i64 i = 0; !view.empty() && i < view.shape[0]; ++i) waves.push_back(wave_of(view[i]));
  return waves;
}

}  // namespace

ReferenceOperator::ReferenceOperator(OperatorSetup setup)
    : setup_(std::move(setup)), n_(setup_.window * setup_.window) {
  check_states(setup_);
  check_propagator(setup_, setup_.propagator);
  set_weights({}, {});
}

void ReferenceOperator::set_object(const ObjectView<double>& object) {
  shape_ = object.phase.shape;
  phase_.assign(object.phase.begin(), object.phase.end());
  absorption_.assign(phase_.size(), 0.0);
  if (setup_.absorption && !object.absorption.empty())
    absorption_.assign(object.absorption.begin(), object.absorption.end());
}

void ReferenceOperator::set_probe(View<const Value, 3> probe) { probe_ = waves_of(probe); }

void ReferenceOperator::set_weights(View<const double, 2> weight, View<const double, 2> valid) {
  weight_ = values(weight, n_);
  valid_ = values(valid, n_);
}

void ReferenceOperator::set_propagator(std::span<const Value> propagator) {
  check_propagator(setup_, propagator);
  setup_.propagator.assign(propagator.begin(), propagator.end());
}

void ReferenceOperator::set_background(double background) {
  setup_.background = checked_background(background);
}

// ---------------------------------------------------------------------------------------------
// 1. Fourier sum, propagation, sub-pixel shift, descan

// sum_{y,x} wave(y, x) exp(sign · 2πi (ky y + kx x) / W) = (F wave F)(ky, kx) with the symmetric
// matrix F(k, j) = exp(sign · 2πi k j / W)
Wave ReferenceOperator::fourier(const Wave& wave, int sign) const {
  const i64 w = setup_.window;
  Wave root(w), f(n_), rows(n_), out(n_);
  for (i64 j = 0; j < w; ++j)
    root[j] = std::polar(1.0, sign * 2 * pi * static_cast<double>(j) / static_cast<double>(w));
  for (i64 k = 0; k < w; ++k)
    for (i64 j = 0; j < w; ++j) f[k * w + j] = root[k * j % w];
  for (i64 y = 0; y < w; ++y)
    for (i64 j = 0; j < w; ++j) add_multiple(w, wave[y * w + j], &f[j * w], &rows[y * w]);
  for (i64 k = 0; k < w; ++k)
    for (i64 j = 0; j < w; ++j) add_multiple(w, f[k * w + j], &rows[j * w], &out[k * w]);
  return out;
}

Wave ReferenceOperator::ifft(const Wave& wave) const {
  Wave out = fourier(wave, +1);
  for (Value& v : out) v /= static_cast<double>(n_);
  return out;
}

// IFFT(P FFT(wave))
Wave ReferenceOperator::propagated(const Wave& wave) const {
  Wave k = fft(wave);
  for (i64 i = 0; i < n_; ++i) k[i] *= setup_.propagator[i];
  return ifft(k);
}

// The adjoint of `propagated`: IFFT(conj(P) FFT(wave))
Wave ReferenceOperator::propagated_back(const Wave& wave) const {
  Wave k = fft(wave);
  for (i64 i = 0; i < n_; ++i) k[i] *= std::conj(setup_.propagator[i]);
  return ifft(k);
}

// The shift theorem: the spectrum times exp(∓2πi (fy sy + fx sx) / W), f signed. direction −1 moves
// the wave by (sy, sx), +1 moves it back and is the adjoint.
Wave ReferenceOperator::shifted(const Wave& wave, const Placement& at, int direction) const {
  const i64 w = setup_.window;
  Wave k = fft(wave);
  for (i64 y = 0; y < w; ++y)
    for (i64 x = 0; x < w; ++x) {
      const double cycles = (static_cast<double>(frequency_index(y, w)) * at.shift_row +
                             static_cast<double>(frequency_index(x, w)) * at.shift_col) /
                            static_cast<double>(w);
      k[y * w + x] *= std::polar(1.0, direction * 2 * pi * cycles);
    }
  return ifft(k);
}

// exp(direction · 2πi d·r / W) wave, r from the window's middle: its Fourier sum moves by d.
Wave ReferenceOperator::displaced(Wave wave, const Placement& at, int direction) const {
  const i64 w = setup_.window;
  for (i64 y = 0; y < w; ++y)
    for (i64 x = 0; x < w; ++x) {
      const double cycles = (static_cast<double>(y - w / 2) * at.descan_row +
                             static_cast<double>(x - w / 2) * at.descan_col) /
                            static_cast<double>(w);
      wave[y * w + x] *= std::polar(1.0, direction * 2 * pi * cycles);
    }
  return wave;
}

// The voxel of a pixel of the window in a slice of the object; −1: beyond it.
i64 ReferenceOperator::voxel(const Placement& at, i64 pixel) const {
  const i64 row = at.row + pixel / setup_.window, col = at.col + pixel % setup_.window;
  const bool inside = row >= 0 && row < shape_[1] && col >= 0 && col < shape_[2];
  return inside ? row * shape_[2] + col : -1;
}

// The plane of the object that a mode passes as its slice.
i64 ReferenceOperator::plane(i64 mode, i64 slice) const {
  return mode / setup_.modes_of_a_state() * setup_.slices + slice;
}

// t = exp(iφ − μ), 1 in vacuum
Value ReferenceOperator::transmission(i64 plane, i64 voxel) const {
  if (voxel < 0) return 1.0;
  const i64 i = plane * shape_[1] * shape_[2] + voxel;
  return std::polar(std::exp(-absorption_[i]), phase_[i]);
}

// ---------------------------------------------------------------------------------------------
// 2. Forward

// a_mq: how much of P_q is in mode m
Value ReferenceOperator::coefficient(const Placement& at, i64 mode, i64 q) const {
  if (setup_.basis == 0) return mode == q ? 1.0 : 0.0;
  return at.coefficients[mode * setup_.basis + q];
}

// Σ_q a_mq P_q
Wave ReferenceOperator::mixed(const Placement& at, i64 mode, const std::vector<Wave>& of) const {
  Wave sum(n_);
  for (i64 q = 0; q < static_cast<i64>(of.size()); ++q)
    for (i64 i = 0; i < n_; ++i) sum[i] += coefficient(at, mode, q) * of[q][i];
  return sum;
}

// ψ_0 = probe shifted;  u_s = t_s ψ_s;  ψ_{s+1} = IFFT(P FFT(u_s));  Ψ = FFT(u_{S−1} displaced)
ReferenceOperator::Passed ReferenceOperator::pass(const Placement& at, i64 mode) const {
  Passed passed;
  Wave psi = shifted(mixed(at, mode, probe_), at, -1);
  for (i64 s = 0; s < setup_.slices; ++s) {
    if (s > 0) psi = propagated(passed.u.back());
    for (i64 i = 0; i < n_; ++i) psi[i] *= transmission(plane(mode, s), voxel(at, i));
    passed.u.push_back(psi);
  }
  passed.detector = fft(displaced(passed.u.back(), at, +1));
  return passed;
}

void ReferenceOperator::forward(const Placement& at, View<Value, 3> wave) const {
  check_places(setup_, {&at, 1});
  for (i64 m = 0; m < setup_.modes; ++m) {
    const Passed passed = pass(at, m);
    std::copy(passed.detector.begin(), passed.detector.end(), wave[m].begin());
  }
}

// ---------------------------------------------------------------------------------------------
// 3. Tangent and adjoint

// dψ_0 = dprobe shifted;  du_s = t_s dψ_s + (i dφ_s − dμ_s) u_s;  dψ_{s+1} = IFFT(P FFT(du_s))
Wave ReferenceOperator::pass_tangent(const Placement& at, i64 mode, const Passed& passed,
                                     const ObjectView<double>& d_object,
                                     const Wave& d_probe) const {
  Wave d = shifted(d_probe, at, -1);
  for (i64 s = 0; s < setup_.slices; ++s) {
    if (s > 0) d = propagated(d);
    for (i64 i = 0; i < n_; ++i) {
      const i64 v = voxel(at, i);
      d[i] *= transmission(plane(mode, s), v);
      if (v < 0) continue;
      const bool absorbs = setup_.absorption && !d_object.absorption.empty();
      const double d_phase = d_object.phase.empty() ? 0.0 : d_object.phase[plane(mode, s)].data[v];
      const double d_absorption = absorbs ? d_object.absorption[plane(mode, s)].data[v] : 0.0;
      d[i] += Value(-d_absorption, d_phase) * passed.u[s][i];
    }
  }
  return fft(displaced(d, at, +1));
}

void ReferenceOperator::tangent(const Placement& at, const ObjectView<double>& d_object,
                                View<const Value, 3> d_probe, View<Value, 3> d_wave) const {
  check_places(setup_, {&at, 1});
  const std::vector<Wave> change = waves_of(d_probe);
  for (i64 m = 0; m < setup_.modes; ++m) {
    const Wave out = pass_tangent(at, m, pass(at, m), d_object, mixed(at, m, change));
    std::copy(out.begin(), out.end(), d_wave[m].begin());
  }
}

// χ = Fᴴ(detector) displaced back;  for s = S−1 … 0:  ∂φ_s += factor · Re(conj(χ) i u_s),
// ∂μ_s −= factor · Re(conj(χ) u_s),  χ ← conj(t_s) χ,  if s > 0: χ ← IFFT(conj(P) FFT(χ));
// last: ∂P_q += conj(a_mq) χ moved back by the sub-pixel shift. Returns χ before that, beside ψ_0.
// On the way from a slice to the one before: ∂P* += FFT(χ) conj(FFT(u_{s−1})) / W², as dψ_s is the
// inverse FFT of dP FFT(u_{s−1}).
Wave ReferenceOperator::pass_adjoint(const Placement& at, i64 mode, const Passed& passed,
                                     const Wave& detector, double object_factor,
                                     const Gradient<double>& sum) const {
  Wave chi = displaced(fourier(detector, +1), at, -1);
  for (i64 s = setup_.slices - 1; s >= 0; --s) {
    for (i64 i = 0; i < n_; ++i) {
      const i64 v = voxel(at, i);
      const Value overlap = std::conj(chi[i]) * passed.u[s][i];
      if (v >= 0 && !sum.phase.empty())
        sum.phase[plane(mode, s)].data[v] += object_factor * (Value(0, 1) * overlap).real();
      if (v >= 0 && setup_.absorption && !sum.absorption.empty())
        sum.absorption[plane(mode, s)].data[v] -= object_factor * overlap.real();
      chi[i] *= std::conj(transmission(plane(mode, s), v));
    }
    if (s == 0) continue;
    if (!sum.propagator.empty()) {
      const Wave back = fft(chi), through = fft(passed.u[s - 1]);
      for (i64 k = 0; k < n_; ++k)
        sum.propagator.data[k] += back[k] * std::conj(through[k]) / static_cast<double>(n_);
    }
    chi = propagated_back(chi);
  }
  if (!sum.probe.empty()) {
    const Wave back = shifted(chi, at, +1);
    for (i64 q = 0; q < setup_.probe_modes(); ++q)
      for (i64 i = 0; i < n_; ++i)
        sum.probe[q].data[i] += std::conj(coefficient(at, mode, q)) * back[i];
  }
  return chi;
}

// df = 2 Re Σ conj(χ) dψ_0, and a shift by ds px changes the spectrum of ψ_0 by −2πi f ds / W of
// it.
std::array<double, 2> ReferenceOperator::shift_gradient(const Placement& at, i64 mode,
                                                        const Wave& chi) const {
  const i64 w = setup_.window;
  const Wave spectrum = fft(shifted(mixed(at, mode, probe_), at, -1));
  std::array<double, 2> sum{};
  for (std::size_t axis = 0; axis < 2; ++axis) {
    Wave d = spectrum;
    for (i64 k = 0; k < n_; ++k) {
      const i64 f = frequency_index(axis == 0 ? k / w : k % w, w);
      d[k] *= Value(0, -2 * pi * static_cast<double>(f) / static_cast<double>(w));
    }
    d = ifft(d);
    for (i64 i = 0; i < n_; ++i) sum[axis] += 2 * (std::conj(chi[i]) * d[i]).real();
  }
  return sum;
}

// df = 2 Re Σ conj(χ) du', χ = Fᴴ ∂f/∂Ψ*, and by dd px u' = u displaced changes by 2πi r dd / W of
// it.
std::array<double, 2> ReferenceOperator::descan_gradient(const Placement& at, const Passed& passed,
                                                         const Wave& residual) const {
  const i64 w = setup_.window;
  const Wave chi = fourier(residual, +1), u = displaced(passed.u.back(), at, +1);
  std::array<double, 2> sum{};
  for (i64 y = 0; y < w; ++y)
    for (i64 x = 0; x < w; ++x) {
      const Value turned = Value(0, 2 * pi / static_cast<double>(w)) * u[y * w + x];
      const double slope = 2 * (std::conj(chi[y * w + x]) * turned).real();
      sum[0] += static_cast<double>(y - w / 2) * slope;
      sum[1] += static_cast<double>(x - w / 2) * slope;
    }
  return sum;
}

// ∂f/∂a_mq* = Σ conj(P_q shifted) χ_0: df = 2 Re Σ conj(χ_0) dψ_0, dψ_0 = Σ_q da_mq P_q shifted.
void ReferenceOperator::add_coefficient_gradient(const Placement& at, i64 mode, const Wave& chi,
                                                 View<Value, 2> sum) const {
  for (i64 q = 0; q < setup_.probe_modes(); ++q) {
    const Wave start = shifted(probe_[q], at, -1);
    for (i64 i = 0; i < n_; ++i) sum(mode, q) += std::conj(start[i]) * chi[i];
  }
}

void ReferenceOperator::adjoint(const Placement& at, View<const Value, 3> d,
                                const Gradient<double>& sum) const {
  check_places(setup_, {&at, 1});
  for (i64 m = 0; m < setup_.modes; ++m) pass_adjoint(at, m, pass(at, m), wave_of(d[m]), 1.0, sum);
}

// ---------------------------------------------------------------------------------------------
// 4. Detector

// I = b + Σ_m |Ψ_m|²
std::vector<double> ReferenceOperator::intensity(const std::vector<Passed>& modes) const {
  std::vector<double> sum(n_, setup_.background);
  for (const Passed& mode : modes)
    for (i64 i = 0; i < n_; ++i) sum[i] += std::norm(mode.detector[i]);
  return sum;
}

// Amplitude: f = Σ w (√(I+ε) − √(y+ε))². Poisson: f = Σ w (I − y − y log((I+ε)/(y+ε))).
// Intensity: f = Σ w (I − y)² / 4 (y+ε).
Misfit ReferenceOperator::compare(const std::vector<double>& model,
                                  const std::vector<double>& measured) const {
  Misfit sum;
  const double e = setup_.epsilon;
  for (i64 k = 0; k < n_; ++k) {
    if (measured[k] < 0) continue;  // not measured in this pattern
    const double model_k = model[k], y = measured[k], w = weight_[k] * valid_[k];
    switch (setup_.loss) {
      case Loss::amplitude:
        sum.cost += w * std::pow(std::sqrt(model_k + e) - std::sqrt(y + e), 2);
        break;
      case Loss::poisson:
        sum.cost += w * ((model_k - y * std::log(model_k + e)) - (y - y * std::log(y + e)));
        break;
      case Loss::intensity:
        sum.cost += w * std::pow(model_k - y, 2) / (4 * (y + e));
        break;
    }
    sum.r_numerator += valid_[k] * std::pow(std::sqrt(model_k) - std::sqrt(y), 2);
    sum.r_denominator += valid_[k] * y;
  }
  return sum;
}

// ∂f/∂Ψ* = w Ψ · factor: 1 − √(y+ε)/√(I+ε), Poisson 1 − y/(I+ε), intensity (I − y) / 2 (y+ε).
double ReferenceOperator::residual_factor(double model, double measured) const {
  const double e = setup_.epsilon;
  switch (setup_.loss) {
    case Loss::amplitude:
      return 1 - std::sqrt(measured + e) / std::sqrt(model + e);
    case Loss::poisson:
      return 1 - measured / (model + e);
    case Loss::intensity:
      return (model - measured) / (2 * (measured + e));
  }
  throw std::logic_error("the reference has no such loss");
}

// Σ_m mean over slices and states of |u_s,m|²
void ReferenceOperator::add_illumination(const Placement& at, const std::vector<Passed>& modes,
                                         const Gradient<double>& sum) const {
  for (const Passed& mode : modes)
    for (const Wave& u : mode.u)
      for (i64 i = 0; i < n_; ++i)
        if (const i64 v = voxel(at, i); v >= 0)
          sum.illumination.data[v] += std::norm(u[i]) / static_cast<double>(setup_.planes());
}

// ---------------------------------------------------------------------------------------------
// 5. Sums over positions

Misfit ReferenceOperator::gradient(std::span<const Placement> places,
                                   const Measured<double>& measured, Wanted wanted,
                                   const Gradient<double>& sum) const {
  check_places(setup_, places);
  check_wanted(setup_, wanted);
  Gradient<double> asked;
  if (wanted.has(Part::object)) asked.phase = sum.phase, asked.absorption = sum.absorption;
  if (wanted.has(Part::probe)) asked.probe = sum.probe;
  if (wanted.has(Part::propagator)) asked.propagator = sum.propagator;
  Misfit total;
  std::vector<double> y(n_);
  for (std::size_t p = 0; p < places.size(); ++p) {
    const Placement& at = places[p];
    measured.load(static_cast<i64>(p), y.data());
    std::vector<Passed> modes;
    for (i64 m = 0; m < setup_.modes; ++m) modes.push_back(pass(at, m));
    const std::vector<double> model = intensity(modes);
    total += compare(model, y);
    for (i64 m = 0; m < setup_.modes; ++m) {
      Wave residual = modes[m].detector;
      for (i64 k = 0; k < n_; ++k)
        residual[k] *= y[k] < 0 ? 0 : weight_[k] * valid_[k] * residual_factor(model[k], y[k]);
      // f is real: its change is 2 Re⟨∂f/∂Ψ*, dΨ⟩, so the object's real parameters see a factor 2.
      const Wave chi = pass_adjoint(at, m, modes[m], residual, 2.0, asked);
      const auto row = static_cast<i64>(p);
      if (wanted.has(Part::coefficients))
        add_coefficient_gradient(at, m, chi, sum.coefficients[row]);
      if (wanted.has(Part::descan))
        for (i64 axis = 0; const double slope : descan_gradient(at, modes[m], residual))
          sum.descan(row, axis++) += slope;
      if (!wanted.has(Part::shift)) continue;
      const auto slope = shift_gradient(at, m, chi);
      for (i64 axis = 0; axis < 2; ++axis) sum.shift(row, axis) += slope[axis];
    }
    if (wanted.has(Part::illumination)) add_illumination(at, modes, sum);
  }
  return reported(total, sum.misfit);
}

Misfit ReferenceOperator::misfit(std::span<const Placement> places,
                                 const Measured<double>& measured) const {
  check_places(setup_, places);
  Misfit total;
  std::vector<double> y(n_);
  for (std::size_t p = 0; p < places.size(); ++p) {
    measured.load(static_cast<i64>(p), y.data());
    std::vector<Passed> modes;
    for (i64 m = 0; m < setup_.modes; ++m) modes.push_back(pass(places[p], m));
    total += compare(intensity(modes), y);
  }
  return total;
}

// a = Re Σ_m conj(Ψ_m) (J d)_m; 2 f" = w / (I+ε), and twice that for Poisson.
ReferenceOperator::Bent ReferenceOperator::bent(const Placement& at,
                                                const ObjectView<double>& d_object,
                                                const std::vector<Wave>& d_probe) const {
  Bent b;
  b.along.resize(n_);
  for (i64 m = 0; m < setup_.modes; ++m) {
    b.modes.push_back(pass(at, m));
    const Wave d = pass_tangent(at, m, b.modes.back(), d_object, mixed(at, m, d_probe));
    for (i64 k = 0; k < n_; ++k)
      b.along[k] += (std::conj(b.modes.back().detector[k]) * d[k]).real();
  }
  const std::vector<double> model = intensity(b.modes);
  for (i64 k = 0; k < n_; ++k)
    b.weight.push_back(weight_[k] * valid_[k] * (setup_.loss == Loss::poisson ? 2 : 1) /
                       (model[k] + setup_.epsilon));
  return b;
}

// Σ_k 2 f" a²
double ReferenceOperator::curvature(std::span<const Placement> places,
                                    const ObjectView<double>& d_object,
                                    View<const Value, 3> d_probe, std::span<double> each) const {
  check_places(setup_, places);
  const std::vector<Wave> change = waves_of(d_probe);
  double total = 0;
  for (std::size_t p = 0; p < places.size(); ++p) {
    const Bent b = bent(places[p], d_object, change);
    double bend = 0;
    for (i64 k = 0; k < n_; ++k) bend += b.weight[k] * b.along[k] * b.along[k];
    if (!each.empty()) each[p] = bend;
    total += bend;
  }
  return total;
}

// Jᴴ(2 f" a Ψ), with the factor 2 of real parameters, as the residual's of a gradient.
void ReferenceOperator::gauss_newton_product(std::span<const Placement> places,
                                             const ObjectView<double>& d_object,
                                             View<const Value, 3> d_probe,
                                             const Gradient<double>& sum) const {
  check_places(setup_, places);
  const std::vector<Wave> change = waves_of(d_probe);
  for (const Placement& at : places) {
    const Bent b = bent(at, d_object, change);
    for (i64 m = 0; m < setup_.modes; ++m) {
      Wave residual = b.modes[m].detector;
      for (i64 k = 0; k < n_; ++k) residual[k] *= b.weight[k] * b.along[k];
      pass_adjoint(at, m, b.modes[m], residual, 2.0, sum);
    }
  }
}

std::unique_ptr<Operator<double>> make_reference_operator(OperatorSetup setup) {
  return std::make_unique<ReferenceOperator>(std::move(setup));
}

}  // namespace ptyle
