#pragma once

// Multislice of one whole periodic cell: the window is the cell, ny × nx, of any two sizes and
// pixels. For the comparison with other programs, whose way this is: the transmission function, not
// the potential, is band-limited, and the wave is propagated after the last slice too.
//
//   t = IFFT(A · FFT(exp(iσV)))        ψ ← IFFT(A · P · FFT(t ψ))        I = |FFT ψ|²
//
// A falls from 1 to 0 over a cosine below the limit; double precision.

#include "core/array.hpp"
#include "core/grid.hpp"
#include "device/cpu/fft.hpp"
#include "operator/probe.hpp"

namespace ptyle {

struct PeriodicCell {
  i64 ny = 0, nx = 0;
  std::array<double, 2> pixel{};  ///< Å (row, col)
  double slice_thickness = 0;     ///< Å
  ProbeOptics optics;             ///< hard aperture
  double interaction = 0;         ///< σ, rad/(V Å)
  double cut = 2.0 / 3;           ///< band limit, fraction of the coarser axis's Nyquist frequency
  double taper = 0;               ///< width of the fall below it, the same unit
};

class PeriodicMultislice {
 public:
  /// `potential`: (slices, ny, nx), V Å.
  PeriodicMultislice(const PeriodicCell& cell, View<const double, 3> potential);

  /// The probe at a position (Å from pixel [0, 0]), Σ|ψ|² = 1.
  [[nodiscard]] Array<Complex<double>, 2> probe(Position at) const;
  /// The exit wave of an incident one.
  [[nodiscard]] Array<Complex<double>, 2> exit_wave(View<const Complex<double>, 2> incident) const;
  /// |FFT ψ|² / (ny nx), DC at [ny/2, nx/2]; sums to Σ|ψ|².
  [[nodiscard]] Array<double, 2> pattern(View<const Complex<double>, 2> exit) const;

 private:
  [[nodiscard]] double open(double k) const;  ///< A at |k|, 1/Å
  PeriodicCell cell_;
  Fft2<double> fft_;
  Array<Complex<double>, 3> transmission_;
  Array<Complex<double>, 2> propagator_;  ///< with A and the inverse FFT's 1/(ny nx)
};

}  // namespace ptyle
