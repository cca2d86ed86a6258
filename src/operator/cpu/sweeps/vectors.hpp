#pragma once

// Vectors of L numbers by the compiler's own vector types, and butterflies on them. Real and
// imaginary parts are vectors of their own, so nothing is ever shuffled but in `exchange`.
//
// Everything here has internal linkage: the same source is compiled for several instruction sets.

#include <cstdint>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "operator/roots.hpp"

namespace ptyle::cpu {
namespace {

using i64 = std::int64_t;

template <class T, int L>
struct VectorType {
  typedef T Aligned __attribute__((vector_size(L * sizeof(T))));
  typedef T Any __attribute__((vector_size(L * sizeof(T)), aligned(alignof(T)), may_alias));
};
template <class T, int L>
using Vec = typename VectorType<T, L>::Aligned;

template <int L, class T>
[[gnu::always_inline]] inline Vec<T, L> load(const T* from) {
  return *reinterpret_cast<const typename VectorType<T, L>::Any*>(from);
}
template <int L, class T>
[[gnu::always_inline]] inline void store(T* to, Vec<T, L> v) {
  *reinterpret_cast<typename VectorType<T, L>::Any*>(to) = v;
}

/// Past the caches, to where `to` is aligned to a whole vector: neither is a line of memory fetched
/// only to be overwritten, nor does it drive out what is needed sooner.
template <int L, class T>
[[gnu::always_inline]] inline void store_past(T* to, Vec<T, L> v) {
#if defined(__x86_64__)
  if constexpr (sizeof(v) == 64)
    return _mm512_stream_ps(reinterpret_cast<float*>(to), (__m512)v);
  else if constexpr (sizeof(v) == 32)
    return _mm256_stream_ps(reinterpret_cast<float*>(to), (__m256)v);
#endif
  store<L>(to, v);
}

/// f(0), f(1), … f(N−1), each index a constant.
template <int N, class F>
[[gnu::always_inline]] inline void unroll(F&& f) {
  [&]<int... i>(std::integer_sequence<int, i...>) __attribute__((always_inline)) {
    (f(std::integral_constant<int, i>{}), ...);
  }
  (std::make_integer_sequence<int, N>{});
}

/// L complex numbers.
template <class T, int L>
struct Pair {
  Vec<T, L> re, im;
};

template <class T, int L>
[[gnu::always_inline]] inline Pair<T, L> operator+(const Pair<T, L>& a, const Pair<T, L>& b) {
  return {a.re + b.re, a.im + b.im};
}
template <class T, int L>
[[gnu::always_inline]] inline Pair<T, L> operator-(const Pair<T, L>& a, const Pair<T, L>& b) {
  return {a.re - b.re, a.im - b.im};
}
/// x · (c + i s), or conj: x · (c − i s); c and s are vectors or numbers.
template <bool conjugate, class T, int L, class C>
[[gnu::always_inline]] inline Pair<T, L> times(const Pair<T, L>& x, C c, C s) {
  if constexpr (conjugate) return {x.re * c + x.im * s, x.im * c - x.re * s};
  return {x.re * c - x.im * s, x.im * c + x.re * s};
}

/// x · exp(∓2πi k / n), − forward.
template <bool inverse, int k, int n, class T, int L>
[[gnu::always_inline]] inline Pair<T, L> turned(const Pair<T, L>& x) {
  constexpr int e = inverse ? (n - k % n) % n : k % n;
  if constexpr (e == 0) return x;
  if constexpr (4 * e == n) return {x.im, -x.re};
  if constexpr (2 * e == n) return {-x.re, -x.im};
  if constexpr (4 * e == 3 * n) return {-x.im, x.re};
  constexpr T half = static_cast<T>(turn_cos(1, 8));
  if constexpr (8 * e == n) return {(x.im + x.re) * half, (x.im - x.re) * half};
  if constexpr (8 * e == 3 * n) return {(x.im - x.re) * half, (-x.re - x.im) * half};
  if constexpr (8 * e == 5 * n) return {(-x.re - x.im) * half, (x.re - x.im) * half};
  if constexpr (8 * e == 7 * n) return {(x.re - x.im) * half, (x.re + x.im) * half};
  constexpr double c = turn_cos(e, n), s = -turn_sin(e, n);
  if constexpr (c * c > s * s) {
    constexpr T tangent = static_cast<T>(s / c), scale = static_cast<T>(c);
    return {(x.re - tangent * x.im) * scale, (x.im + tangent * x.re) * scale};
  } else {
    constexpr T cotangent = static_cast<T>(c / s), scale = static_cast<T>(s);
    return {(cotangent * x.re - x.im) * scale, (cotangent * x.im + x.re) * scale};
  }
}

/// The discrete Fourier transform of N values in registers, natural order in and out.
template <int N, bool inverse, class T, int L>
[[gnu::always_inline]] inline void fft(Pair<T, L>* x) {
  if constexpr (N == 2) {
    const auto a = x[0] + x[1], b = x[0] - x[1];
    x[0] = a, x[1] = b;
  } else if constexpr (N == 3) {
    constexpr T half = T(0.5), sine = static_cast<T>(turn_sin(1, 3));
    const auto sum = x[1] + x[2], difference = x[1] - x[2];
    const Pair<T, L> middle{x[0].re - half * sum.re, x[0].im - half * sum.im};
    constexpr T s = inverse ? -sine : sine;
    x[0] = x[0] + sum;
    x[1] = {middle.re + s * difference.im, middle.im - s * difference.re};
    x[2] = {middle.re - s * difference.im, middle.im + s * difference.re};
  } else if constexpr (N == 4) {
    const auto a = x[0] + x[2], b = x[0] - x[2], c = x[1] + x[3];
    const auto d = turned<inverse, 1, 4>(x[1] - x[3]);
    x[0] = a + c, x[1] = b + d, x[2] = a - c, x[3] = b - d;
  } else {
    constexpr int A = N % 4 == 0 ? 4 : 2, B = N / A;
    unroll<B>([&](auto b) __attribute__((always_inline)) {
      Pair<T, L> y[A];
      unroll<A>([&](auto a) __attribute__((always_inline)) { y[a] = x[b + B * a]; });
      fft<A, inverse>(y);
      unroll<A>([&](auto k) __attribute__((always_inline)) {
        x[b + B * k] = turned<inverse, b() * k(), N>(y[k]);
      });
    });
    Pair<T, L> out[N];
    unroll<A>([&](auto k) __attribute__((always_inline)) {
      Pair<T, L> z[B];
      unroll<B>([&](auto b) __attribute__((always_inline)) { z[b] = x[b + B * k]; });
      fft<B, inverse>(z);
      unroll<B>([&](auto j) __attribute__((always_inline)) { out[k + A * j] = z[j]; });
    });
    unroll<N>([&](auto i) __attribute__((always_inline)) { x[i] = out[i]; });
  }
}

/// Lane l of the result is lane Lane::of(l) of a and b, one after the other.
template <class Lane, class T, int L>
[[gnu::always_inline]] inline Vec<T, L> shuffled(Vec<T, L> a, Vec<T, L> b) {
  return [&]<int... l>(std::integer_sequence<int, l...>) __attribute__((always_inline)) {
    return __builtin_shufflevector(a, b, Lane::of(l)...);
  }
  (std::make_integer_sequence<int, L>{});
}

/// Places of the lower and the upper half of a digit's values, its highest bit d: a's, then b's.
template <int d, int L>
struct LowerHalf {
  static constexpr int of(int l) { return l & d ? L + (l ^ d) : l; }
};
template <int d, int L>
struct UpperHalf {
  static constexpr int of(int l) { return l & d ? L + l : l ^ d; }
};
/// Values 0 and 2 (odd = 0), or 1 and 3, of a digit of stride d: a's, then b's.
template <int odd, int d, int L>
struct EveryOther {
  static constexpr int of(int l) {
    return (l & 2 * d ? L : 0) + (l & ~(3 * d)) + (l & d ? 2 * d : 0) + odd * d;
  }
};

/// Transposes A vectors, A = 2 or 4: the number of a vector and the digit of stride d in the number
/// of a lane change places.
template <int A, int d, class T, int L>
[[gnu::always_inline]] inline void exchange(Vec<T, L>* v) {
  if constexpr (A == 2) {
    const Vec<T, L> a = v[0], b = v[1];
    v[0] = shuffled<LowerHalf<d, L>, T, L>(a, b);
    v[1] = shuffled<UpperHalf<d, L>, T, L>(a, b);
  } else if constexpr (A == 4) {
    const Vec<T, L> a = shuffled<LowerHalf<2 * d, L>, T, L>(v[0], v[1]);
    const Vec<T, L> b = shuffled<LowerHalf<2 * d, L>, T, L>(v[2], v[3]);
    const Vec<T, L> c = shuffled<UpperHalf<2 * d, L>, T, L>(v[0], v[1]);
    const Vec<T, L> e = shuffled<UpperHalf<2 * d, L>, T, L>(v[2], v[3]);
    v[0] = shuffled<EveryOther<0, d, L>, T, L>(a, b);
    v[1] = shuffled<EveryOther<1, d, L>, T, L>(a, b);
    v[2] = shuffled<EveryOther<0, d, L>, T, L>(c, e);
    v[3] = shuffled<EveryOther<1, d, L>, T, L>(c, e);
  }
}
template <int A, int d, class T, int L>
[[gnu::always_inline]] inline void exchange(Pair<T, L>* x) {
  Vec<T, L> re[A], im[A];
  unroll<A>([&](auto i) __attribute__((always_inline)) { re[i] = x[i].re, im[i] = x[i].im; });
  exchange<A, d, T, L>(re);
  exchange<A, d, T, L>(im);
  unroll<A>([&](auto i) __attribute__((always_inline)) { x[i] = {re[i], im[i]}; });
}

}  // namespace
}  // namespace ptyle::cpu
