#pragma once

// Where the variable modes of a probe start (solver/variables/variable_probe): how far each
// position of a sample would move its first mode, by a damped Gauss-Newton step of its own, and the
// principal axes of these moves. The step knows the curvature among aberrations, ∂P_0 along the
// phases of its spectrum that are polynomials of k up to the third order; beside them the bound W²,
// as every way to the detector is unitary. Gradients alone would not do: along a defocus, say, a
// pattern changes far less than along most other waves, and so a gradient hardly has anything of
// it, however far off the defocus is.

#include <vector>

#include "solver/variables/real_waves.hpp"
#include "solver/workspace.hpp"

namespace ptyle {

/// i p(k) FFT P back in space, p = k_r, k_c, k², k_r² − k_c², 2 k_r k_c, and k² and k_r² − 3 k_c² …
/// times k_r, k_c: orthonormal beside `others`, with which they are returned no more.
template <class T>
std::vector<RealWave> aberrations_of(View<const Complex<T>, 2> probe,
                                     const std::vector<RealWave>& others);

template <class T>
class VariableProbeStart {
 public:
  /// `others`: orthonormal waves that no move has anything of, P_0 among them. `scratch`: a field
  /// of the probe's shape for gradients.
  VariableProbeStart(Workspace<T>& with, Field<T>& scratch, std::vector<RealWave> others);
  /// The principal axes of the moves of so many positions, at most `n`, orthonormal.
  std::vector<RealWave> axes(i64 n, i64 sample);

 private:
  using C = Complex<T>;
  /// The move that a position of a tile, whose object the operator has, asks of the first mode.
  RealWave move_at(std::size_t tile, i64 position);
  RealWave slope_at(const Placement& at, i64 position);
  /// Along the aberrations: Σ_k 4 f" a_i a_j, a = Re Σ_m conj(Ψ_m) (J d)_m.
  Array<double, 2> curvature_at(const Placement& at);

  Workspace<T>& with_;
  Field<T>& scratch_;
  Array<C, 3> probe_;
  std::vector<RealWave> others_, aberrations_;
};

}  // namespace ptyle
