// Built with -ffast-math, so that sine, cosine and exponential run in vector registers, and once
// for each width of vectors; the loader takes what the processor has.

#include <algorithm>
#include <cmath>

#include "operator/cpu/transmission.hpp"

namespace ptyle::cpu {
namespace {

/// Computes whole vectors only: the rest of a vector loop goes to other functions, which round
/// otherwise.
template <class T>
[[gnu::always_inline]] inline void whole_vectors(const T* phase, const T* absorption, T* re, T* im,
                                                 i64 n) {
  for (i64 i = 0; i < n; ++i) re[i] = std::cos(phase[i]);
  for (i64 i = 0; i < n; ++i) im[i] = std::sin(phase[i]);
  if (!absorption) return;
  for (i64 i = 0; i < n; ++i) {
    const T a = std::exp(-absorption[i]);
    re[i] *= a;
    im[i] *= a;
  }
}

/// The same bits for a voxel wherever it stands in the row: the rest goes through a vector too.
template <class T>
[[gnu::always_inline]] inline void values(const T* phase, const T* absorption, T* re, T* im,
                                          i64 n) {
  constexpr i64 lanes = 16;  // of the widest vectors
  const i64 whole = n / lanes * lanes, rest = n - whole;
  whole_vectors(phase, absorption, re, im, whole);
  if (rest == 0) return;
  T p[lanes] = {}, a[lanes] = {}, c[lanes], s[lanes];
  std::copy_n(phase + whole, rest, p);
  if (absorption) std::copy_n(absorption + whole, rest, a);
  i64 all = lanes;
  asm("" : "+r"(all));  // the loop is that of any number
  whole_vectors<T>(p, absorption ? a : nullptr, c, s, all);
  std::copy_n(c, rest, re + whole);
  std::copy_n(s, rest, im + whole);
}

}  // namespace

template <>
#if defined(__x86_64__)
[[gnu::target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")]]
#endif
void transmission(const float* phase, const float* absorption, float* re, float* im, i64 n) {
  values(phase, absorption, re, im, n);
}

template <>
#if defined(__x86_64__)
[[gnu::target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")]]
#endif
void transmission(const double* phase, const double* absorption, double* re, double* im, i64 n) {
  values(phase, absorption, re, im, n);
}

}  // namespace ptyle::cpu
