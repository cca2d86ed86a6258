#pragma once

// Convolution and correlation of volumes (plane, row, col) whose kernels reach over all planes, but
// few pixels laterally. By FFTs of blocks, so that neither memory nor result depends on how large a
// part of an object the volume is:
//
// 1. Lateral blocks of B × B pixels, of which what lies `reach` or more from a border gets its
//    result; the next block begins where that ends.
// 2. An FFT of each plane, then one along each column of planes, padded so that no plane meets
//    another one around the end.
// 3. In a convolution two blocks go together, as real and imaginary part: the kernel is real.

#include <functional>
#include <vector>

#include "core/array.hpp"
#include "core/box.hpp"
#include "core/ledger.hpp"
#include "device/cpu/fft.hpp"
#include "device/cpu/wrapped_kernel.hpp"

namespace ptyle {

/// The FFT of a block of S planes, in place; along planes by columns, several at a time.
template <class T>
class BlockFft {
 public:
  /// Lags of up to S − 1 planes and `reach` pixels; at least so many pixels a side get a result.
  BlockFft(i64 planes, i64 reach, i64 inner);
  [[nodiscard]] i64 planes() const { return planes_; }
  [[nodiscard]] i64 reach() const { return reach_; }
  [[nodiscard]] i64 side() const { return side_; }                ///< B
  [[nodiscard]] i64 inner() const { return side_ - 2 * reach_; }  ///< pixels that get a result
  [[nodiscard]] i64 length() const { return length_; }            ///< Z, of columns
  [[nodiscard]] std::array<i64, 3> shape() const { return {planes_, side_, side_}; }
  /// Values of the spectrum, B·B·Z: `together` places (row, col) at a time, (frequency along
  /// planes, place).
  [[nodiscard]] i64 spectrum_size() const { return side_ * side_ * length_; }

  void forward_planes(Complex<T>* block) const;
  void inverse_planes(Complex<T>* block) const;
  /// Columns of planes that are transformed together, side by side; B·B is a multiple of it.
  static constexpr i64 together = 16;
  /// Values and spectra.
  struct Columns {
    Array<Complex<T>, 2> values, spectra;  // (plane or frequency, column)
  };
  [[nodiscard]] Columns columns() const {
    return {Array<Complex<T>, 2>({length_, together}), Array<Complex<T>, 2>({length_, together})};
  }
  /// Spectra of `together` columns from place `first` on (of B·B).
  void forward_columns(const Complex<T>* block, i64 first, Columns& columns) const;
  /// And back into the block, unscaled.
  void inverse_columns(Columns& columns, i64 first, Complex<T>* block) const;

 private:
  i64 planes_, reach_, side_, length_;
  Fft2<T> lateral_;
  FftColumns<T> along_;
};

/// Convolves a volume with a kernel, block by block, on threads of the host.
template <class T>
class BlockFilter {
 public:
  /// Takes a kernel as the same at opposite distances: values that differ there are averaged.
  /// `inner`: pixels a side of what it will be applied to; blocks are not much larger.
  BlockFilter(View<const double, 3> kernel, i64 inner, int threads, Ledger* ledger);
  [[nodiscard]] i64 reach() const { return fft_.reach(); }
  /// to = w · (K ∗ (w · from)) on the box `where` of `from`, which counts as zero beyond its
  /// arrays; `weight`: w, (rows, cols) of `from`; `to`: (S, rows, cols) of the box, not `from`.
  /// Blocks where w is 0 take no time.
  void apply(View<const T, 3> from, View<const T, 2> weight, const Box& where, View<T, 3> to) const;
  /// Bytes that it accounts for as "transfer", at most while it is made.
  static double bytes(i64 planes, i64 reach, i64 inner, int threads);

 private:
  struct Corner {
    i64 row, col;  // of what gets a result
  };
  [[nodiscard]] std::vector<Corner> corners_of(View<const T, 2> weight, const Box& where) const;
  void load(View<const T, 3> from, View<const T, 2> weight, const Box& looked_at, const Corner& at,
            int part, View<Complex<T>, 3> block) const;
  void store(View<const Complex<T>, 3> block, View<const T, 2> weight, const Corner& at, int part,
             const Box& where, View<T, 3> to) const;
  void multiply(Complex<T>* block, typename BlockFft<T>::Columns& columns) const;
  BlockFft<T> fft_;
  int threads_;
  Array<T, 3> spectrum_;  // (B·B / together, Z, together), real, with the FFTs' scale
  mutable std::vector<Array<Complex<T>, 3>> blocks_;  // of each thread
};

/// b(plane, row, col), of any place.
using Probing = std::function<double(i64 z, i64 row, i64 col)>;

/// Σ a(z, y, x) b(z − Δz, y − Δy, x − Δx) over all of `a`, rows and columns of which begin at
/// `origin`, for lags of up to S − 1 planes and `reach` pixels. The same bits for any number of
/// threads.
template <class T>
Kernel3 correlation(View<const T, 3> a, const Pixel& origin, const Probing& b, i64 reach,
                    int threads, Ledger* ledger = nullptr);
/// Bytes that it accounts for as "transfer".
template <class T>
double correlation_bytes(i64 planes, i64 reach);

}  // namespace ptyle
