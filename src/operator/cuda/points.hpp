#pragma once

// What is done at one point of a wave, or one pixel of the detector: the same on all paths.

#include <cmath>

#include "core/pattern.hpp"
#include "device/kernel.hpp"
#include "operator/operator.hpp"

namespace ptyle::gpu {

/// A window on the object, and the rest of its position (px).
template <class T>
struct Place {
  int row, col;
  T shift_row, shift_col;
};

PTYLE_HOST_DEVICE int frequency(int i, int n) { return i < (n + 1) / 2 ? i : i - n; }

/// exp(−2πi (ky sy + kx sx) / W), the probe's sub-pixel shift.
template <class T>
PTYLE_HOST_DEVICE Z<T> ramp(const Place<T>& at, int ky, int kx, int window) {
  const T turns = -(static_cast<T>(frequency(ky, window)) * at.shift_row +
                    static_cast<T>(frequency(kx, window)) * at.shift_col) /
                  static_cast<T>(window);
#ifdef __CUDA_ARCH__
  Z<T> z;
  if constexpr (sizeof(T) == 4)
    sincospif(2 * turns, &z.im, &z.re);
  else
    sincospi(2 * turns, &z.im, &z.re);
  return z;
#else
  constexpr double two_pi = 6.283185307179586476925;
  return {static_cast<T>(std::cos(two_pi * double(turns))),
          static_cast<T>(std::sin(two_pi * double(turns)))};
#endif
}

/// Transmission of the object, (S, ny, nx), and what a slice's row sweeps do with it.
template <class T>
struct SliceArguments {
  const Z<T>* t;  ///< of the slice, ny · nx
  int ny, nx;
  const Place<T>* places;
  int modes;
  Z<T>* kept;     ///< u (forward) or χ (back) of the slice, W·W values, of wave 0; may be null
  i64 next;       ///< values to the same slice of the next wave
  const Z<T>* u;  ///< tangent, and back with the sums below: as kept by the forward pass
  i64 next_u;
  const T *d_phase, *d_absorption;  ///< tangent: of the slice; may be null
  T scale;                          ///< back: of the wave as it comes
  T *phase, *absorption;            ///< back: gradients of the slice to add to at once; may be null
  T gradient_scale;
  T* lit;       ///< back: Σ_s |u|² of each wave, W·W values; may be null
  bool begins;  ///< … of which this slice is the first
};

/// transmit: u = t ψ, kept.   tangent: t dψ + (i dφ − dμ) u.
/// back: χ kept, or its gradient with u added at once; then conj(t) χ.
enum class RowOp { transmit, back, tangent };

template <RowOp op, class T>
struct Point {
  PTYLE_HOST_DEVICE Point(const SliceArguments<T>& a, i64 wave, int window)
      : arguments(a),
        at(a.places[wave / a.modes]),
        kept(a.kept ? a.kept + wave * a.next : nullptr),
        u(op != RowOp::transmit && a.u ? a.u + wave * a.next_u : nullptr),
        lit(a.lit ? a.lit + wave * window * window : nullptr),
        w(window) {}

  PTYLE_HOST_DEVICE Z<T> operator()(int y, int x, Z<T> value) const {
    const SliceArguments<T>& a = arguments;
    const int row = at.row + y, col = at.col + x;
    const bool inside = row >= 0 && row < a.ny && col >= 0 && col < a.nx;
    const i64 voxel = static_cast<i64>(row) * a.nx + col;
    const Z<T> t = inside ? a.t[voxel] : Z<T>{T(1), T(0)};
    const int here = y * w + x;
    if constexpr (op == RowOp::transmit) {
      value = times<false>(value, t.re, t.im);
      if (kept) kept[here] = value;
      return value;
    } else if constexpr (op == RowOp::back) {
      value = {a.scale * value.re, a.scale * value.im};
      if (kept) kept[here] = value;
      if (u) add_gradient(u[here], value, inside, voxel, here);
      return times<true>(value, t.re, t.im);
    } else {
      value = times<false>(value, t.re, t.im);
      if (!inside) return value;
      const T d_phi = a.d_phase ? a.d_phase[voxel] : T(0);
      const T d_mu = a.d_absorption ? a.d_absorption[voxel] : T(0);
      return value + times<false>(u[here], -d_mu, d_phi);
    }
  }

  /// ∂f/∂φ += scale · Re(conj(χ) i u), ∂f/∂μ −= scale · Re(conj(χ) u)
  PTYLE_HOST_DEVICE void add_gradient(Z<T> of_u, Z<T> chi, bool inside, i64 voxel, int here) const {
    const SliceArguments<T>& a = arguments;
    if (lit) lit[here] = a.begins ? square(of_u) : lit[here] + square(of_u);
    if (!inside) return;
    if (a.phase)
      add_at_once(a.phase + voxel, a.gradient_scale * (of_u.re * chi.im - of_u.im * chi.re));
    if (a.absorption)
      add_at_once(a.absorption + voxel, -a.gradient_scale * (of_u.re * chi.re + of_u.im * chi.im));
  }

  const SliceArguments<T>& arguments;
  const Place<T> at;
  Z<T>* const kept;
  const Z<T>* const u;
  T* const lit;
  const int w;
};

/// A pattern on the device, as it is held or as numbers of type T.
struct PatternOnGpu {
  const void* data;
  PatternType type;
  bool doubles;  ///< float64, which no store holds
  double background;
};

template <class T>
PTYLE_HOST_DEVICE T intensity(const PatternOnGpu& pattern, int i) {
  T value = 0;
  if (pattern.doubles)
    value = static_cast<T>(static_cast<const double*>(pattern.data)[i]);
  else if (pattern.type == PatternType::uint8)
    value = static_cast<T>(static_cast<const std::uint8_t*>(pattern.data)[i]);
  else if (pattern.type == PatternType::uint16)
    value = static_cast<T>(static_cast<const std::uint16_t*>(pattern.data)[i]);
  else if (pattern.type == PatternType::uint32)
    value = static_cast<T>(static_cast<const std::uint32_t*>(pattern.data)[i]);
  else
    value = static_cast<T>(static_cast<const float*>(pattern.data)[i]);
  const T background = static_cast<T>(pattern.background);
  if (background == 0) return value;
  return value > background ? value - background : T(0);
}

/// Cost, and numerator and denominator of the R-factor, of a pixel (operator.hpp).
template <class T>
PTYLE_HOST_DEVICE Sums<3> misfit_of(Loss loss, T model, T measured, T weight, T valid, T eps) {
  const T apart = std::sqrt(model) - std::sqrt(measured);
  T cost = 0;
  if (loss == Loss::amplitude) {
    const T d = std::sqrt(model + eps) - std::sqrt(measured + eps);
    cost = weight * d * d;
  } else {
    cost = weight * (model - measured - measured * std::log((model + eps) / (measured + eps)));
  }
  return {{static_cast<double>(cost), static_cast<double>(valid * apart * apart),
           static_cast<double>(valid * measured)}};
}

/// The factor that makes Ψ the residual: w (1 − √(y+ε)/√(I+ε)), Poisson w (1 − y/(I+ε)).
template <class T>
PTYLE_HOST_DEVICE T residual_of(Loss loss, T model, T measured, T weight, T eps) {
  if (loss == Loss::amplitude) return weight * (1 - std::sqrt((measured + eps) / (model + eps)));
  return weight * (1 - measured / (model + eps));
}

}  // namespace ptyle::gpu
