#pragma once

// Operations at one point of a wave, or one pixel of the detector: the same on all paths.

#include <cmath>

#include "core/pattern.hpp"
#include "device/kernel.hpp"
#include "operator/cuda/butterflies.hpp"
#include "operator/operator.hpp"
#include "physics/loss/measured.hpp"

namespace ptyle::gpu {

/// A window on the object, and the rest of its position (px).
template <class T>
struct Place {
  int row, col;
  T shift_row, shift_col;
  T descan_row, descan_col;  ///< px that the pattern is displaced by
};

/// Spectra that waves start from, with 1/W²: (M, W, W) for all positions, or for each.
template <class T>
struct Spectra {
  const Z<T>* first = nullptr;
  int each = 1;  ///< of so many waves one after the other: M, or those of the whole batch
  PTYLE_HOST_DEVICE const Z<T>* of(i64 wave, int n) const { return first + wave % each * n; }
};

PTYLE_HOST_DEVICE int frequency(int i, int n) { return i < (n + 1) / 2 ? i : i - n; }

/// exp(−2πi turns)
template <class T>
PTYLE_HOST_DEVICE Z<T> turn_by(T turns) {
#ifdef __CUDA_ARCH__
  Z<T> z;
  if constexpr (sizeof(T) == 4)
    sincospif(-2 * turns, &z.im, &z.re);
  else
    sincospi(-2 * turns, &z.im, &z.re);
  return z;
#else
  constexpr double two_pi = 6.283185307179586476925;
  return {static_cast<T>(std::cos(two_pi * double(turns))),
          static_cast<T>(-std::sin(two_pi * double(turns)))};
#endif
}

/// exp(−2πi k shift / W) of a frequency's index: the probe's sub-pixel shift along one direction.
template <class T>
PTYLE_HOST_DEVICE Z<T> ramp(int k, T shift, int window) {
  return turn_by(static_cast<T>(frequency(k, window)) * shift / static_cast<T>(window));
}
/// Along both.
template <class T>
PTYLE_HOST_DEVICE Z<T> ramp(const Place<T>& at, int ky, int kx, int window) {
  const Z<T> across = ramp(kx, at.shift_col, window);
  return times<false>(ramp(ky, at.shift_row, window), across.re, across.im);
}

/// Transmission of the object, (S, ny, nx), and what a slice's row sweeps do with it.
template <class T>
struct SliceArguments {
  const Z<T>* t;  ///< of the slice, ny · nx
  int ny, nx;
  const Place<T>* places;
  int modes;
  Z<T>* kept;     ///< u of the slice as it is made, W·W values, of wave 0; may be null
  const Z<T>* u;  ///< tangent, and back where a gradient is wanted: as it was kept
  i64 next;       ///< values to the same slice of the next wave, of both
  const T *d_phase, *d_absorption;  ///< tangent: of the slice; may be null
  T scale;                          ///< back: of the wave as it comes
  bool begins;                      ///< back: this slice is the first
  T *phase, *absorption;            ///< back: gradients of the slice; may be null:
  bool at_once;      ///< … added to the object's, by all at once; else patches, W·W values
  T gradient_scale;  ///< … at once
  T* lit;            ///< back: patches of Σ_s |u|²; may be null
  i64 next_patch;    ///< values from a wave's patches to those of the next
};

/// transmit: u = t ψ, kept.   tangent: t dψ + (i dφ − dμ) u.
/// back: what u and the wave χ say of the gradient; then conj(t) χ.
///
///   ∂f/∂φ = scale · Re(conj(χ) i u)    ∂f/∂μ = −scale · Re(conj(χ) u)
enum class RowOp { transmit, back, tangent };

/// A thread's work on N values of a row, every `step`-th, in two steps: `fetch` gets what is needed
/// from memory, so that all of it is under way before the first is used.
template <RowOp op, class T>
class Point {
 public:
  /// `patch`: the number of the wave whose patches take the gradient; `fresh`: they hold none yet.
  PTYLE_HOST_DEVICE Point(const SliceArguments<T>& a, int window, i64 wave, i64 patch, bool fresh)
      : a_(a),
        at_(a.places[wave / a.modes]),
        wave_(wave * a.next),
        patch_(patch * a.next_patch),
        w_(window),
        fresh_(fresh),
        whole_(at_.row >= 0 && at_.row + window <= a.ny && at_.col >= 0 &&
               at_.col + window <= a.nx) {}
  PTYLE_HOST_DEVICE Point(const SliceArguments<T>& a, int window, i64 wave)
      : Point(a, window, wave, wave, true) {}

  template <int N>
  struct Beside {
    Z<T> t[N], u[N];
    T phase[N];  ///< of its patch, so far
  };
  template <int N, int step>
  PTYLE_HOST_DEVICE Beside<N> fetch(int y, int x) const {
    Beside<N> beside;
    if constexpr (early<N>) fetch_t<N, step>(y, x, beside.t);
    if constexpr (op != RowOp::transmit)
      if (op == RowOp::tangent || a_.u) {
        const Z<T>* const u = a_.u + wave_ + y * w_ + x;
        unroll<N>([&](auto i) { beside.u[i()] = streamed_from(u + step * i()); });
      }
    if constexpr (op == RowOp::back && early<N>)
      if (a_.phase && !a_.at_once) from_patch<N, step>(a_.phase, y, x, fresh_, beside.phase);
    return beside;
  }
  template <int N, int step>
  PTYLE_HOST_DEVICE void apply(int y, int x, const Beside<N>& beside, Z<T> (&values)[N]) const {
    if constexpr (op == RowOp::back) {
      unroll<N>([&](auto i) {
        values[i()] = {a_.scale * values[i()].re, a_.scale * values[i()].im};
      });
      keep<N, step>(y, x, values);
      if (a_.u) add_gradient<N, step>(y, x, beside, values);
      if constexpr (early<N>) {
        multiply<true>(values, beside.t);
      } else {
        Z<T> t[N];
        fetch_t<N, step>(y, x, t);
        multiply<true>(values, t);
      }
    } else {
      multiply<false>(values, beside.t);
      if constexpr (op == RowOp::transmit)
        keep<N, step>(y, x, values);
      else
        unroll<N>([&](auto i) {
          if (!inside(y, x + step * i())) return;
          const i64 v = voxel(y, x) + step * i();
          const T d_phi = a_.d_phase ? a_.d_phase[v] : T(0);
          const T d_mu = a_.d_absorption ? a_.d_absorption[v] : T(0);
          values[i()] = values[i()] + times<false>(beside.u[i()], -d_mu, d_phi);
        });
    }
  }

 private:
  /// Is t fetched together with u? Of many values backwards, registers do not hold both.
  template <int N>
  static constexpr bool early = op != RowOp::back || N <= 8;
  template <int N, int step>
  PTYLE_HOST_DEVICE void fetch_t(int y, int x, Z<T> (&values)[N]) const {
    const Z<T>* const t = a_.t + voxel(y, x);
    if (whole_)
      unroll<N>([&](auto i) { values[i()] = t[step * i()]; });
    else
      unroll<N>([&](auto i) {
        values[i()] = inside(y, x + step * i()) ? t[step * i()] : Z<T>{T(1), T(0)};
      });
  }
  PTYLE_HOST_DEVICE i64 voxel(int y, int x) const {
    return static_cast<i64>(at_.row + y) * a_.nx + at_.col + x;
  }
  PTYLE_HOST_DEVICE bool inside(int y, int x) const {
    const int row = at_.row + y, col = at_.col + x;
    return row >= 0 && row < a_.ny && col >= 0 && col < a_.nx;
  }
  template <bool conjugate, int N>
  PTYLE_HOST_DEVICE static void multiply(Z<T> (&values)[N], const Z<T> (&t)[N]) {
    unroll<N>([&](auto i) { values[i()] = times<conjugate>(values[i()], t[i()].re, t[i()].im); });
  }
  template <int N, int step>
  PTYLE_HOST_DEVICE void keep(int y, int x, const Z<T> (&values)[N]) const {
    if (!a_.kept) return;
    Z<T>* const kept = a_.kept + wave_ + y * w_ + x;
    unroll<N>([&](auto i) { stream_to(kept + step * i(), values[i()]); });
  }

  template <int N, int step>
  PTYLE_HOST_DEVICE void add_gradient(int y, int x, const Beside<N>& beside,
                                      const Z<T> (&chi)[N]) const {
    T of[N];
    if (a_.phase) {
      unroll<N>([&](auto i) {
        of[i()] = beside.u[i()].re * chi[i()].im - beside.u[i()].im * chi[i()].re;
      });
      if (early<N> && !a_.at_once)
        to_patch<N, step>(a_.phase, y, x, beside.phase, of);
      else
        add<N, step>(a_.phase, y, x, a_.gradient_scale, of);
    }
    if (a_.absorption) {
      unroll<N>([&](auto i) {
        of[i()] = beside.u[i()].re * chi[i()].re + beside.u[i()].im * chi[i()].im;
      });
      add<N, step>(a_.absorption, y, x, -a_.gradient_scale, of);
    }
    if (a_.lit) {
      unroll<N>([&](auto i) { of[i()] = square(beside.u[i()]); });
      add_to_patch<N, step>(a_.lit, y, x, fresh_ && a_.begins, of);
    }
  }
  template <int N, int step>
  PTYLE_HOST_DEVICE void add(T* to, int y, int x, T scale, const T (&values)[N]) const {
    if (!a_.at_once) {
      add_to_patch<N, step>(to, y, x, fresh_, values);
      return;
    }
    T* const here = to + voxel(y, x);
    unroll<N>([&](auto i) {
      if (whole_ || inside(y, x + step * i())) add_at_once(here + step * i(), scale * values[i()]);
    });
  }
  template <int N, int step>
  PTYLE_HOST_DEVICE void add_to_patch(T* patch, int y, int x, bool fresh,
                                      const T (&values)[N]) const {
    T before[N];
    from_patch<N, step>(patch, y, x, fresh, before);
    to_patch<N, step>(patch, y, x, before, values);
  }
  template <int N, int step>
  PTYLE_HOST_DEVICE void from_patch(const T* patch, int y, int x, bool fresh,
                                    T (&values)[N]) const {
    const T* const here = patch + patch_ + y * w_ + x;
    if (fresh)
      unroll<N>([&](auto i) { values[i()] = T(0); });
    else
      unroll<N>([&](auto i) { values[i()] = here[step * i()]; });
  }
  template <int N, int step>
  PTYLE_HOST_DEVICE void to_patch(T* patch, int y, int x, const T (&before)[N],
                                  const T (&values)[N]) const {
    T* const here = patch + patch_ + y * w_ + x;
    unroll<N>([&](auto i) { here[step * i()] = before[i()] + values[i()]; });
  }

  const SliceArguments<T>& a_;
  const Place<T> at_;
  const i64 wave_, patch_;
  const int w_;
  const bool fresh_, whole_;
};

/// A pattern on the device, as it is held or as numbers of type T.
struct PatternOnGpu {
  const void* data;
  PatternType type;
  bool doubles;  ///< float64, which no store holds
  double background;
  PixelChoice choice;
};

/// Bytes that a position of a batch is sent beside its pattern; so many complex coefficients.
template <class T>
constexpr std::size_t letter_of(i64 coefficients) {
  return sizeof(Place<T>) + sizeof(PatternOnGpu) +
         static_cast<std::size_t>(coefficients) * 2 * sizeof(T);
}

/// y of pixel i in natural order; below 0: not measured.
template <class T>
PTYLE_HOST_DEVICE T intensity(const PatternOnGpu& pattern, int i) {
  if (!pattern.choice.has(static_cast<std::uint32_t>(i))) return T(-1);
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
  const T y = where_measured(measured, measured), seen = where_measured(measured, valid);
  const T apart = std::sqrt(model) - std::sqrt(y);
  const T cost = with_loss(
      loss, [&](auto l) { return l.cost(model, y, where_measured(measured, weight), eps); });
  return {{static_cast<double>(cost), static_cast<double>(seen * apart * apart),
           static_cast<double>(seen * y)}};
}

/// The factor that makes Ψ the residual, w · factor.
template <class T>
PTYLE_HOST_DEVICE T residual_of(Loss loss, T model, T measured, T weight, T eps) {
  const T y = where_measured(measured, measured), seen = where_measured(measured, weight);
  return with_loss(loss, [&](auto l) { return seen * l.factor(model + eps, y, eps); });
}

}  // namespace ptyle::gpu
