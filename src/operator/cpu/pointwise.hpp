#pragma once

// The point-wise loops of the CPU operator, each a single pass over memory. Complex products are
// written out: std::complex's own check for NaN and do not vectorise.

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "core/array.hpp"
#include "operator/operator.hpp"

namespace ptyle::cpu {

template <class T>
inline Complex<T> mul(Complex<T> a, Complex<T> b) {
  return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
}

/// conj(a) · b
template <class T>
inline Complex<T> conj_mul(Complex<T> a, Complex<T> b) {
  return {a.real() * b.real() + a.imag() * b.imag(), a.real() * b.imag() - a.imag() * b.real()};
}

/// The part of a window that lies on the object: window rows [y0, y1), columns [x0, x1).
struct Inside {
  Inside(const Placement& at, i64 window, i64 ny, i64 nx)
      : y0(std::clamp<i64>(-at.row, 0, window)),
        y1(std::clamp<i64>(ny - at.row, y0, window)),
        x0(std::clamp<i64>(-at.col, 0, window)),
        x1(std::clamp<i64>(nx - at.col, x0, window)) {}
  i64 y0, y1, x0, x1;
};

/// wave ← P · wave (or conj(P) · wave); P carries the 1/W² of the inverse FFT that follows.
template <bool conjugate, class T>
void apply_propagator(const Complex<T>* p, Complex<T>* wave, i64 n) {
  for (i64 i = 0; i < n; ++i) wave[i] = conjugate ? conj_mul(p[i], wave[i]) : mul(p[i], wave[i]);
}

/// Is none of a row's counts below 0, and so every pixel measured?
template <class T>
bool all_measured(const T* measured, i64 n) {
  int below = 0;
  for (i64 i = 0; i < n; ++i) below |= measured[i] < T(0);
  return below == 0;
}

/// 1, or 0 for a pixel that is not measured: a factor of its count, weight and validity, as a
/// choice of each would not vectorise. `all`: every pixel of the row is measured.
template <bool all, class T>
constexpr T seen(T measured) {
  if constexpr (all) return T(1);
  return measured < T(0) ? T(0) : T(1);
}

/// f(std::true_type) where all pixels of a row are measured, else f(std::false_type): rows without
/// others, which nearly all are, do not pay for them.
template <class T, class F>
auto of_measured(const T* measured, i64 n, F&& f) {
  return all_measured(measured, n) ? f(std::true_type{}) : f(std::false_type{});
}

/// Cost and R-factor of a row of n detector pixels. Summed in 16 lanes, so that it vectorises.
template <class LossType, class T>
Misfit detector_row(const T* model, const T* measured, const T* weight, const T* valid, i64 n,
                    T eps) {
  constexpr i64 lanes = 16;
  T cost[lanes]{}, numerator[lanes]{}, denominator[lanes]{};
  of_measured(measured, n, [&](auto all) {
    const auto pixel = [&](i64 i, i64 lane) {
      const T there = seen<all.value>(measured[i]), y = there * measured[i];
      const T difference = std::sqrt(model[i]) - std::sqrt(y);
      numerator[lane] += there * valid[i] * difference * difference;
      denominator[lane] += there * valid[i] * y;
      cost[lane] += LossType::cost(model[i], y, there * weight[i], eps);
    };
    i64 i = 0;
    for (; i + lanes <= n; i += lanes)
      for (i64 lane = 0; lane < lanes; ++lane) pixel(i + lane, lane);
    for (; i < n; ++i) pixel(i, i % lanes);
  });
  Misfit sum;
  for (i64 lane = 0; lane < lanes; ++lane) {
    sum.cost += cost[lane];
    sum.r_numerator += numerator[lane];
    sum.r_denominator += denominator[lane];
  }
  return sum;
}

/// Intensities of a row of n pixels become w · factor, which makes Ψ the residual.
template <class LossType, class T>
void residual_row(T* intensity, const T* measured, const T* weight, i64 n, T eps) {
  of_measured(measured, n, [&](auto all) {
    for (i64 i = 0; i < n; ++i) {
      const T there = seen<all.value>(measured[i]);
      intensity[i] =
          there * weight[i] * LossType::factor(intensity[i] + eps, there * measured[i], eps);
    }
  });
}

/// sum += scale · row, where row y of the window at a position lies on the object. The product is
/// rounded first, here as everywhere, so that it does not matter on which way a sum is reached.
template <class T>
void add_row(View<T, 2> sum, const Placement& at, i64 y, T scale, T* row, i64 window) {
  if (sum.empty()) return;
  const Inside in(at, window, sum.shape[0], sum.shape[1]);
  if (y < in.y0 || y >= in.y1) return;
  if (scale != 1)
    for (i64 x = in.x0; x < in.x1; ++x) row[x] *= scale;
  T* to = sum.data + (at.row + y) * sum.shape[1] + at.col;
  for (i64 x = in.x0; x < in.x1; ++x) to[x] += row[x];
}

}  // namespace ptyle::cpu
