#pragma once

// Comparison with abTEM (Madsen and Susi, Open Research Europe 1:24 (2021)): a file of its atoms,
// cell, slicing and optics with the slices, exit waves and patterns that it made of them.
//
//   1. ptyle's slices from the atoms                   against /potential
//   2. ptyle's exit waves from ptyle's slices          against /exit_wave
//   3. their patterns                                  against /patterns

#include <string>
#include <vector>

#include "core/array.hpp"

namespace ptyle {

/// Errors of one position, and of one slice: relative L2, and the patterns' R-factor
/// Σ(√I − √I_abTEM)² / ΣI_abTEM.
struct AbtemComparison {
  struct Slice {
    double error = 0;          ///< over all frequencies
    double error_in_band = 0;  ///< below the band limit, which alone is propagated
  };
  struct Wave {
    double probe = 0, exit_wave = 0, pattern = 0, r_factor = 0;
  };
  i64 ny = 0, nx = 0;
  std::string parametrization;
  std::vector<Slice> slices;
  std::vector<Wave> positions;
  [[nodiscard]] double worst_r_factor() const;
};

/// UserError where the file is not of this layout, or was made in a way that is not compared here
/// (finite projection, thermal motion, a soft aperture).
AbtemComparison compare_with_abtem(const std::string& file, int threads);

}  // namespace ptyle
