#pragma once

#include <initializer_list>
#include <memory>
#include <string>

#include "core/array.hpp"

namespace ptyle {

enum class FftRigor { estimate, measure };

template <class T>
class FftPlan;

/// "FFTW" or "ducc0": the library that this build computes its FFTs with.
std::string fft_library();

/// A 2-D complex FFT on one thread: forward e^(−2πi…), neither direction scaled.
/// Any size; plans are kept and shared, so making a second one of a size is cheap. Executing is
/// thread-safe. Arrays are an Array, or one of the ny × nx planes of a stack.
template <class T>
class Fft2 {
 public:
  Fft2(i64 ny, i64 nx, FftRigor rigor = FftRigor::measure);
  void forward(Complex<T>* in_place) const;
  void inverse(Complex<T>* in_place) const;  ///< unscaled: inverse(forward(x)) = ny·nx·x
  /// Out of place, which is faster; `from` is left as it was.
  void forward(const Complex<T>* from, Complex<T>* to) const;
  void inverse(const Complex<T>* from, Complex<T>* to) const;

 private:
  std::shared_ptr<const FftPlan<T>> plan_;
};

/// 1-D complex FFTs down the columns of an (n, count) array, into another, on one thread; otherwise
/// as Fft2. A count of 8 or more lets the processor's vectors run across the columns. In place,
/// FFTW's estimates are up to five times as slow.
template <class T>
class FftColumns {
 public:
  FftColumns(i64 n, i64 count, FftRigor rigor = FftRigor::measure);
  void forward(const Complex<T>* from, Complex<T>* to) const;
  void inverse(const Complex<T>* from, Complex<T>* to) const;  ///< unscaled

 private:
  std::shared_ptr<const FftPlan<T>> plan_;
};

/// n has no prime factors but these.
bool factors_into(i64 n, std::initializer_list<i64> primes);

/// The smallest size ≥ n whose prime factors are 2, 3, 5 and 7: quick to transform.
i64 quick_fft_size(i64 n);

/// Reads and writes what FFTW has learnt about this machine; ducc0 learns nothing, and neither
/// reads nor writes. A file that cannot be read or written is no error: the same is learnt again.
/// Saving makes the folder where it is missing.
void load_fft_wisdom(const std::string& folder);
void save_fft_wisdom(const std::string& folder);

}  // namespace ptyle
