#pragma once

// The functions that the sweeps are made of: one table of functions for each instruction set
// (avx512.cpp, avx2.cpp, plain.cpp, all from table.hpp).
//
// A wave of W·W values lies in blocks of L columns (L lanes of a vector): block c holds, row by
// row, L real and L imaginary parts of columns c·L …, so that a column is walked with contiguous
// vectors. Between blocks there is a gap, lest a row's vectors fall into one set of the cache.

#include <array>
#include <cstdint>

#include "physics/loss/losses.hpp"

namespace ptyle::cpu {

/// A one-dimensional FFT of n vectors in passes: forward decimation in frequency, so that radix[0]
/// spans the longest stride; its result stands in digit-reversed order, from which the inverse
/// starts.
template <class T>
struct Passes {
  int n = 1, count = 0;
  int radix[4]{};
  /// The twiddles of pass p, for each j of the stride (ones in the last pass, whose stride is 1):
  /// radix − 1 pairs (cos, sin) of −2π j k / span.
  const T* twiddle[4]{};
};

template <class T>
struct Geometry {
  std::int64_t window = 0, vectors = 0;  ///< W, W/L
  std::int64_t block = 0;                ///< T's from a block of columns to the next
  Passes<T> column, row;                 ///< of W elements, and of W/L
  const T* lanes = nullptr;              ///< W/L pairs of vectors, exp(−2πi e k₁ / W)
};

/// Vectors of a row that are transformed together along their lanes: a tile.
constexpr int tile_of(std::int64_t vectors) { return vectors % 4 == 0 ? 4 : 2; }

/// Numbers of vectors of rows that may be transformed in registers.
inline constexpr std::array rows_in_registers{4, 6, 8, 12, 16};

/// A row of so many vectors of L lanes is. It is twice as many registers, of which there are 32 of
/// 64 bytes and 16 of less: the row may take all, although butterflies need some too, measured.
template <class T>
constexpr bool row_fits_registers(std::int64_t vectors, std::int64_t lanes) {
  const int most = lanes * std::int64_t{sizeof(T)} == 64 ? 16 : 8;
  for (const int n : rows_in_registers)
    if (n == vectors) return n <= most;
  return false;
}

/// A row in a row sweep: its transmission, and what goes in and out.
template <class T>
struct RowWork {
  const T *t_re, *t_im;
  T* u = nullptr;             ///< forward: kept if not null, a row of 2W, L re and L im in turn
  bool past_cache = false;    ///< u is too long for the caches until it is needed again
  const T* u_back = nullptr;  ///< backward
  T scale = 1;                ///< backward: of the gradients
  T* phase = nullptr;         ///< backward: += scale · Re(conj(χ) i u), if not null
  T* absorption = nullptr;    ///< −= scale · Re(conj(χ) u), likewise
  T* illumination = nullptr;  ///< += |u|², likewise
  /// T's to the next row of t, and of the gradients' sums, 0 for none: they are fetched in advance,
  /// as they come from far and by short stretches.
  std::int64_t next_row = 0, next_sum = 0;
};

/// Pixels of a block of columns on the detector; sums are added to.
template <class T>
struct DetectorWork {
  Loss loss = Loss::amplitude;            ///< one that is computed in vectors
  std::int64_t pixels = 0;                ///< W·L
  T* intensity;                           ///< I; becomes the residual's factor if that is wanted
  const T *measured, *weight, *valid;     ///< y (below 0: not measured), w, 0 or 1
  T epsilon = 0;                          ///< ε
  bool residual = false;                  ///< wanted
  double cost = 0;                        ///< Σ cost(I, y, w, ε)
  double numerator = 0, denominator = 0;  ///< Σ valid (√I − √y)², Σ valid y
};

template <class T>
struct Kernels {
  const char* name;
  int lanes;  ///< L
  /// FFT along columns, × P or conj(P), inverse FFT, block c of a wave.
  void (*column_sweep)(const Geometry<T>&, T* wave, const T* propagator, bool conjugate,
                       std::int64_t c);
  void (*columns_forward)(const Geometry<T>&, T* wave, std::int64_t c);
  void (*columns_inverse)(const Geometry<T>&, T* wave, std::int64_t c);
  /// wave = inverse FFT of spectrum · ramp; ramp: W pairs along rows, W/L pairs of vectors along
  /// columns
  void (*columns_begin)(const Geometry<T>&, const T* spectrum, const T* ramp, T* wave,
                        std::int64_t c);
  /// sum += conj(ramp) · FFT(wave); the wave is used up.
  void (*columns_end)(const Geometry<T>&, T* wave, const T* ramp, T* sum, std::int64_t c);
  /// Inverse FFT along a row, at which `wave` is, × t, FFT.
  void (*row_sweep)(const Geometry<T>&, T* wave, const RowWork<T>&);
  /// Inverse FFT along a row, gradient, × conj(t), FFT.
  void (*row_sweep_back)(const Geometry<T>&, T* wave, const RowWork<T>&);
  void (*row_forward)(const Geometry<T>&, T* wave);
  void (*row_inverse)(const Geometry<T>&, T* wave);
  /// intensity += |Ψ|², and Ψ ← factor · Ψ, of a block's W·L pixels
  void (*add_intensity)(const Geometry<T>&, const T* block, T* intensity);
  void (*scale_pixels)(const Geometry<T>&, T* block, const T* factor);
  /// Misfit, and w · factor, of a loss that vectors can compute.
  void (*compare)(DetectorWork<T>&);
};

template <class T>
const Kernels<T>& avx512_kernels();
template <class T>
const Kernels<T>& avx2_kernels();
template <class T>
const Kernels<T>& plain_kernels();

}  // namespace ptyle::cpu
