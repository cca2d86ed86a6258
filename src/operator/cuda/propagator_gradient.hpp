#pragma once

// Kernels of the propagator's gradient, Σ_s FFT(∂f/∂ψ*_{s+1}) conj(FFT u_s) / W².

#include "operator/cuda/points.hpp"

namespace ptyle::gpu {

/// A slice's u out of what is kept of every wave.
template <class T>
struct TakeSlice {
  static constexpr int threads = 256;
  const Z<T>* kept;  ///< the slice's of the first wave
  Z<T>* to;
  i64 next;  ///< values from a wave's to the next wave's
  int n;
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    block.threads([&](int t) {
      const int k = block.x * threads + t;
      if (k < n) to[static_cast<i64>(block.y) * n + k] = kept[block.y * next + k];
    });
  }
};

/// sum += Σ χ̂ conj(û) over the waves, in their order. Moves 16 bytes a value of each, in floats.
template <class T>
struct AddThrough {
  static constexpr int threads = 256;
  const Z<T>*chi, *u;  ///< spectra, in natural order
  double* sum;         ///< pairs
  i64 waves;
  int n;
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    block.threads([&](int t) {
      const int k = block.x * threads + t;
      if (k >= n) return;
      double re = sum[2 * k], im = sum[2 * k + 1];
      for (i64 w = 0; w < waves; ++w) {
        const Z<T> product = times<true>(chi[w * n + k], u[w * n + k].re, u[w * n + k].im);
        re += static_cast<double>(product.re);
        im += static_cast<double>(product.im);
      }
      sum[2 * k] = re;
      sum[2 * k + 1] = im;
    });
  }
};

}  // namespace ptyle::gpu
