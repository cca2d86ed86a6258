// Built with -ffast-math, so that sine, cosine and exponential run in vector registers.

#include <cmath>

#include "operator/cpu/transmission.hpp"

namespace ptyle::cpu {

template <class T>
void transmission(const T* phase, const T* absorption, T* re, T* im, i64 n) {
  for (i64 i = 0; i < n; ++i) re[i] = std::cos(phase[i]);
  for (i64 i = 0; i < n; ++i) im[i] = std::sin(phase[i]);
  if (!absorption) return;
  for (i64 i = 0; i < n; ++i) {
    const T a = std::exp(-absorption[i]);
    re[i] *= a;
    im[i] *= a;
  }
}

template void transmission(const float*, const float*, float*, float*, i64);
template void transmission(const double*, const double*, double*, double*, i64);

}  // namespace ptyle::cpu
