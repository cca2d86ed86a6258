#pragma once

// The steps of the operator one by one, for updates that go through the slices of one position and
// change object and probe on the way (solver/rules/pie). On the host and one thread, for any
// window; a wave is W·W values in natural order, in real space between the steps. Each forward step
// stands beside its adjoint.

#include "device/cpu/fft.hpp"
#include "operator/operator.hpp"

namespace ptyle {

template <class T>
class Stepwise {
  using C = Complex<T>;

 public:
  explicit Stepwise(i64 window) : w_(window), fft_(window, window) {}

  /// The wave moves by the position's sub-pixel shift: its spectrum times exp(−2πi f s / W).
  void shift(const Placement& at, C* wave) const { turn(at, -1, wave); }
  /// And back, which is the adjoint.
  void shift_back(const Placement& at, C* wave) const { turn(at, +1, wave); }

  /// IFFT(P FFT(wave)), from the exit of a slice to the next; P has W·W values and carries 1/W².
  void propagate(const C* propagator, C* wave) const;
  /// IFFT(conj(P) FFT(wave))
  void propagate_back(const C* propagator, C* wave) const;

  /// Ψ = FFT(u)
  void to_detector(C* wave) const { fft_.forward(wave); }
  /// u = IFFT(Ψ), which carries 1/W².
  void from_detector(C* wave) const;

  /// t = exp(iφ − μ) of a slice under the window of a position, row by row; 1 beyond the object.
  void transmission(const ObjectView<T>& object, i64 slice, const Placement& at, C* t) const;

 private:
  void turn(const Placement& at, int direction, C* wave) const;

  i64 w_;
  Fft2<T> fft_;
};

}  // namespace ptyle
