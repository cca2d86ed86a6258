#pragma once

// The one seam to the library that computes the FFTs: fft.cpp asks for plans, and one of
// fft_fftw.cpp and fft_ducc0.cpp, whichever was built (PTYLE_FFT of CMake), makes them.

#include <memory>

#include "device/cpu/fft.hpp"

namespace ptyle {

enum class FftAxes { both, columns };

/// Transforms of (rows, cols) arrays along both axes, or of each column alone; unscaled, on the
/// calling thread. Several threads may execute one plan at once.
template <class T>
class FftPlan {
 public:
  virtual ~FftPlan() = default;
  /// `from` may be `to` for both axes; otherwise the two don't overlap, and `from` is kept.
  virtual void run(bool inverse, const Complex<T>* from, Complex<T>* to) const = 0;
};

/// Throws std::runtime_error for a size that cannot be planned. Any thread may ask.
template <class T>
std::unique_ptr<const FftPlan<T>> plan_fft(i64 rows, i64 cols, FftAxes axes, FftRigor rigor);

}  // namespace ptyle
