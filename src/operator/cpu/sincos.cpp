// Built with -ffast-math, so that sine, cosine and exponential run in vector registers, and once
// for each width of vectors; the loader takes what the processor has.

#include <cmath>

#include "operator/cpu/transmission.hpp"

namespace ptyle::cpu {
namespace {

template <class T>
[[gnu::always_inline]] inline void values(const T* phase, const T* absorption, T* re, T* im,
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
