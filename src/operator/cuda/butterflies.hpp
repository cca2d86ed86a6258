#pragma once

// Discrete Fourier transforms of a few values in registers, and how two of them make one of a line:
//
//   W = 16 R,  x = j + 16 i,  k = a + R b  (i, a < R;  j, b < 16)
//   outer:  y_a(j) = w^(j a) Σ_i x(j + 16 i) e^(−2πi i a / R)      w = e^(−2πi / W)
//   inner:  X(a + R b) = Σ_j y_a(j) e^(−2πi j b / 16)
//
// The inverse is its adjoint, in reverse order: not scaled.

#include "device/kernel.hpp"
#include "operator/roots.hpp"

namespace ptyle::gpu {

/// Windows that two such transforms make: 64, 96, 128, 192, 256.
constexpr bool has_sweeps(i64 window) {
  return window == 64 || window == 96 || window == 128 || window == 192 || window == 256;
}

/// f(0), f(1), … f(N−1), each index a constant.
template <int N, class F>
PTYLE_HOST_DEVICE void unroll(F&& f) {
  [&]<int... i>(std::integer_sequence<int, i...>) { (f(std::integral_constant<int, i>{}), ...); }
  (std::make_integer_sequence<int, N>{});
}

/// x · e^(∓2πi k / n), − forward.
template <bool inverse, int k, int n, class T>
PTYLE_HOST_DEVICE Z<T> turned(const Z<T>& x) {
  constexpr int e = inverse ? (n - k % n) % n : k % n;
  if constexpr (e == 0) {
    return x;
  } else if constexpr (4 * e == n) {
    return {x.im, -x.re};
  } else if constexpr (2 * e == n) {
    return {-x.re, -x.im};
  } else if constexpr (4 * e == 3 * n) {
    return {-x.im, x.re};
  } else {
    constexpr T c = static_cast<T>(turn_cos(e, n)), s = static_cast<T>(-turn_sin(e, n));
    return times<false>(x, c, s);
  }
}

/// The transform of N values, natural order in and out.
template <int N, bool inverse, class T>
PTYLE_HOST_DEVICE void fft(Z<T> (&x)[N]) {
  if constexpr (N == 2) {
    const Z<T> a = x[0] + x[1], b = x[0] - x[1];
    x[0] = a, x[1] = b;
  } else if constexpr (N == 3) {
    constexpr T half = T(0.5), sine = static_cast<T>(turn_sin(1, 3));
    const Z<T> sum = x[1] + x[2], difference = x[1] - x[2];
    const Z<T> middle{x[0].re - half * sum.re, x[0].im - half * sum.im};
    constexpr T s = inverse ? -sine : sine;
    x[0] = x[0] + sum;
    x[1] = {middle.re + s * difference.im, middle.im - s * difference.re};
    x[2] = {middle.re - s * difference.im, middle.im + s * difference.re};
  } else if constexpr (N == 4) {
    const Z<T> a = x[0] + x[2], b = x[0] - x[2], c = x[1] + x[3];
    const Z<T> d = turned<inverse, 1, 4>(x[1] - x[3]);
    x[0] = a + c, x[1] = b + d, x[2] = a - c, x[3] = b - d;
  } else {
    constexpr int A = N % 4 == 0 ? 4 : 2, B = N / A;
    unroll<B>([&](auto b) {
      Z<T> y[A];
      unroll<A>([&](auto a) { y[a()] = x[b() + B * a()]; });
      fft<A, inverse>(y);
      unroll<A>([&](auto k) { x[b() + B * k()] = turned<inverse, b() * k(), N>(y[k()]); });
    });
    Z<T> out[N];
    unroll<A>([&](auto k) {
      Z<T> z[B];
      unroll<B>([&](auto b) { z[b()] = x[b() + B * k()]; });
      fft<B, inverse>(z);
      unroll<B>([&](auto j) { out[k() + A * j()] = z[j()]; });
    });
    unroll<N>([&](auto i) { x[i()] = out[i()]; });
  }
}

/// e^(−2πi j k / W), k = 1 … R − 1, of a thread that has elements j, j + 16, … of its lines; w
/// holds it at 16 k + j, so that neighbours j lie in different banks. A few are kept in registers.
template <int R, class T>
class Twiddles {
 public:
  PTYLE_HOST_DEVICE Twiddles(const Z<T>* w, int j) : from_(w + j) {
    if constexpr (few) unroll<R - 1>([&](auto k) { kept_[k()] = from_[16 * (k() + 1)]; });
  }
  PTYLE_HOST_DEVICE Z<T> operator()(int k) const {
    if constexpr (few)
      return kept_[k - 1];
    else
      return from_[16 * k];
  }

 private:
  static constexpr bool few = R <= 8;
  const Z<T>* from_;
  Z<T> kept_[few ? R - 1 : 1];
};

/// The outer transform of a line's elements j, j + 16, …
template <int R, class T>
PTYLE_HOST_DEVICE void outer_forward(Z<T> (&x)[R], const Twiddles<R, T>& twiddles) {
  fft<R, false>(x);
  unroll<R - 1>([&](auto k) {
    const Z<T> twiddle = twiddles(k() + 1);
    x[k() + 1] = times<false>(x[k() + 1], twiddle.re, twiddle.im);
  });
}
template <int R, class T>
PTYLE_HOST_DEVICE void outer_inverse(Z<T> (&x)[R], const Twiddles<R, T>& twiddles) {
  unroll<R - 1>([&](auto k) {
    const Z<T> twiddle = twiddles(k() + 1);
    x[k() + 1] = times<true>(x[k() + 1], twiddle.re, twiddle.im);
  });
  fft<R, true>(x);
}

}  // namespace ptyle::gpu
