#pragma once

// A beam that is not wholly coherent, as incoherent modes of the probe.
//
// A source of finite size and a spread of the defocus, both Gaussian, average the patterns over
// shifted and defocused probes. To the waves' mutual intensity they do
//
//   J(k, k') = Σ_m P_m(k) K(k, k') P_m*(k'),   P_m the modes of the coherent probe,
//   K = exp(−2π² s² |k − k'|²) · exp(−½ (π λ σ)² (k² − k'²)²),
//
// s, σ standard deviations, Å (along each axis; of the defocus). So the average is exact, and of
// few terms, in the modes of J:
//
//   1. Cholesky decomposition of J with pivots, up to a tenth of the power that may be left out
//      (Harbrecht, Peters and Schneider, Appl. Numer. Math. 62 (2012) 428)
//   2. its columns made orthogonal, the strongest first
//   3. the weakest left out, the others scaled to the whole power
//
// For the strongest few alone, step 2 takes the eigenvectors of the columns' Gram matrix.

#include <array>

#include "core/array.hpp"

namespace ptyle {

struct Incoherence {
  double source_size = 0;   ///< s, Å
  double focal_spread = 0;  ///< σ, Å
  double left_out = 1e-3;   ///< of the power, at most
  /// The zero frequency on the detector, as ProbeOptics::centre: K's k is counted from there.
  std::array<double, 2> centre{};
  [[nodiscard]] bool any() const { return source_size > 0 || focal_spread > 0; }
};

/// K at two frequencies, 1/Å.
double mutual_coherence(const Incoherence& beam, double wavelength, double ky, double kx,
                        double other_ky, double other_kx);

/// The modes of a beam whose modes would, coherent, be `modes`: (mode, W, W), centred, pixels of
/// `pixel` Å. Patterns differ from the exact average by at most 2·left_out of their electrons, all
/// pixels together. UserError where it would be more than 256 modes.
Array<Complex<double>, 3> incoherent_modes(View<const Complex<double>, 3> modes, double pixel,
                                           double wavelength, const Incoherence& beam);

/// The `count` strongest of all modes of such a beam, scaled to its whole power.
struct StrongestModes {
  Array<Complex<double>, 3> modes;  ///< (count, W, W), orthogonal, the strongest first
  double left_out = 0;              ///< the fraction of the power that is in further ones
};
/// `beam.left_out` says how exactly they are found. UserError where the beam has fewer. The work's
/// memory, an image of the aperture for each of twice the modes or more, is booked as "probe", and
/// so are the modes.
StrongestModes strongest_modes(View<const Complex<double>, 3> modes, double pixel,
                               double wavelength, const Incoherence& beam, i64 count,
                               Ledger* ledger = nullptr);
/// The bytes that it books at most, found by the first half of its work.
double strongest_modes_bytes(View<const Complex<double>, 3> modes, double pixel, double wavelength,
                             const Incoherence& beam, i64 count);

}  // namespace ptyle
