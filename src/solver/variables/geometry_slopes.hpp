#pragma once

// The derivatives of the geometry's parameters. Each moves phases of the probe's spectrum ψ̂, of the
// propagator P, or of both, at the frequency κ (1/Å):
//
//   ψ̂ ← exp(−iχ) ψ̂, dχ = Σ_j s_j dp_j          P ← exp(i l) P, dl = Σ_j l_j dp_j
//
//   defocus        s = −dχ/dC10
//   C12, C21, …    s = dχ/dC, of its cosine and of its sine (physics/aberrations)
//   thickness      l = −πλκ² + 2π (κ_r tan θ_r + κ_c tan θ_c), of a slice
//   tilt θ_r       l = 2π Δz κ_r / cos²θ_r,  s = ½ (S−1) l: as far as the tilt displaces the slice
//                  in the middle by, the probe goes back, so that the object can stay; θ_c alike
//
// so that with ĝ the FFT of ∂f/∂probe* and G = ∂f/∂P*
//
//   ∂f/∂p_j = Σ_k s_j (2/W²) Σ_m Im(conj(ĝ_m) ψ̂_m) − Σ_k l_j 2 Im(conj(G) P)

#include <complex>
#include <string>
#include <vector>

#include "core/array.hpp"
#include "solver/variables/geometry_options.hpp"

namespace ptyle {

/// The optics as they are at a time, on windows of W pixels.
struct GeometryState {
  i64 window = 0, slices = 1;
  double pixel = 1, wavelength = 1, slice_thickness = 0, band_limit = 0;
  Tilt tilt;
  /// P, W·W values, DC at [0,0].
  [[nodiscard]] std::vector<std::complex<double>> propagator() const;
};

class GeometryParameter {
 public:
  enum class Of { aberration, thickness, tilt_row, tilt_col };

  std::string name;  ///< of its number in the state, without "geometry."
  Of of = Of::aberration;
  AberrationTerm term = {};
  int sign = 1;     ///< −1: the defocus, which is −C10
  double unit = 1;  ///< Å or rad that change a phase by about 1 rad at the aperture's edge

  /// s and l at (ky, kx), 1/Å, where P changes by `slope`.
  [[nodiscard]] double of_probe(const GeometryState& at, double ky, double kx,
                                const PropagationSlope& slope) const;
  [[nodiscard]] double of_propagator(const PropagationSlope& slope) const;
  [[nodiscard]] bool moves_propagator() const { return of != Of::aberration; }
  [[nodiscard]] bool is_tilt() const { return of == Of::tilt_row || of == Of::tilt_col; }
};

/// Those that the options ask for; aperture_k: the semi-angle over the wavelength, 1/Å.
std::vector<GeometryParameter> geometry_parameters(const GeometryOptions& options, i64 slices,
                                                   double aperture_k);

/// Sums over the frequencies of a probe and its gradient.
struct GeometrySums {
  std::vector<double> slopes;    ///< ∂f/∂p_j
  std::vector<double> overlaps;  ///< Re Σ_k s_i s_j Σ_m |ψ̂_m|² / W², row by row
};

/// From ∂f/∂probe* and ∂f/∂P* (W·W, DC at [0,0]; empty: not known, the part of P is left out).
/// Probe and gradient (M, W, W), centred; both are used up.
template <class T>
GeometrySums geometry_sums(const std::vector<GeometryParameter>& parameters,
                           const GeometryState& at, View<Complex<T>, 3> probe,
                           View<Complex<T>, 3> probe_gradient,
                           View<const Complex<double>, 2> propagator_gradient);

/// The probe with its parameters changed by dp_j: ψ̂ ← exp(−i Σ s_j dp_j) ψ̂.
template <class T>
void move_probe(const std::vector<GeometryParameter>& parameters, const GeometryState& at,
                const std::vector<double>& by, View<Complex<T>, 3> probe);

/// The state with its parameters changed by dp_j.
GeometryState moved(const std::vector<GeometryParameter>& parameters, GeometryState from,
                    const std::vector<double>& by);

}  // namespace ptyle
