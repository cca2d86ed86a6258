// Built with -ffast-math, so that sine, cosine and exponential run in vector registers.

#include "operator/cpu/pointwise.hpp"

namespace ptyle::cpu {

template <class T>
void transmission(const T* phase, const T* absorption, Complex<T>* t, i64 n) {
  T* out = reinterpret_cast<T*>(t);
  // Blocks that stay in L1: sines and cosines of contiguous values vectorise, their interleaving
  // into (re, im) pairs is a second loop.
  constexpr i64 block = 512;
  T re[block], im[block];
  for (i64 start = 0; start < n; start += block) {
    const i64 m = std::min(block, n - start);
    for (i64 i = 0; i < m; ++i) re[i] = std::cos(phase[start + i]);
    for (i64 i = 0; i < m; ++i) im[i] = std::sin(phase[start + i]);
    if (absorption)
      for (i64 i = 0; i < m; ++i) {
        const T a = std::exp(-absorption[start + i]);
        re[i] *= a;
        im[i] *= a;
      }
    for (i64 i = 0; i < m; ++i) {
      out[2 * (start + i)] = re[i];
      out[2 * (start + i) + 1] = im[i];
    }
  }
}

template void transmission(const float*, const float*, Complex<float>*, i64);
template void transmission(const double*, const double*, Complex<double>*, i64);

}  // namespace ptyle::cpu
