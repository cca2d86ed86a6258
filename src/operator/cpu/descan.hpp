#pragma once

// The factors that displace a pattern, exp(2πi d·r / W) of the wave behind the last slice.

#include <array>
#include <complex>

#include "core/units.hpp"
#include "operator/descan.hpp"
#include "operator/operator.hpp"

namespace ptyle::cpu {

/// Those of the window's rows, W values, then of its columns.
template <class T>
void put_descan_factors(const Placement& at, i64 window, Complex<T>* to) {
  for (i64 i = 0; i < window; ++i) {
    const double turn =
        2 * pi * static_cast<double>(from_middle(i, window)) / static_cast<double>(window);
    to[i] = Complex<T>(std::polar(1.0, turn * at.descan_row));
    to[window + i] = Complex<T>(std::polar(1.0, turn * at.descan_col));
  }
}

/// Σ r Re(conj(χ) i u) along rows and columns.
class DescanSums {
 public:
  explicit DescanSums(i64 window) : window_(window) {}
  template <class T>
  void add(i64 y, i64 x, Complex<T> chi, Complex<T> u) {
    const auto value = static_cast<double>(u.real() * chi.imag() - u.imag() * chi.real());
    sums_[0] += static_cast<double>(from_middle(y, window_)) * value;
    sums_[1] += static_cast<double>(from_middle(x, window_)) * value;
  }
  [[nodiscard]] const std::array<double, 2>& sums() const { return sums_; }

 private:
  i64 window_;
  std::array<double, 2> sums_{};
};

}  // namespace ptyle::cpu
