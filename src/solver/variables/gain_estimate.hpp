#pragma once

// Gains of a detector's pixels, by the statistics of their counts.
//
// A pixel k counts g_k electrons where all pixels together count 1. Of some patterns i, with
// y_ik measured and I_ik of the model:
//
//   1. ĝ_k = Σ_i y_ik / Σ_i I_ik, where the likelihood of Poisson counts of mean g_k I_ik is
//      largest; over the same quotient of its neighbourhood, which is Σ_j w_j Σ_i y_ij / Σ_j w_j
//      Σ_i I_ij with w_j a Gaussian of the distance times the square of the lesser Σ I of k and j
//      over the greater: pixels about as bright as k, so that beside a disc's edge each side has
//      its own
//   2. s_k² = D Σ_i I_ik / (Σ_i I_ik)², the variance of ĝ_k, D = Σ (y − I)² / Σ I that of a count
//      over its mean, as the patterns scatter about the model: 1 for counted electrons, more where
//      one makes several counts or the model is still wrong
//   3. v_k² = s_k² + m_k², m² being what the model has wrong alike in all patterns, as about the
//      edge of an aperture whose probe is not refined yet
//   4. g_k = 1 + τ² / (τ² + v_k²) · (ĝ_k − 1)
//
// 4 is the mean of what g_k may be where gains are normal of mean 1 and variance τ² and ĝ_k is
// normal of mean g_k and variance v_k². τ² is what the ĝ_k scatter by beyond their v_k; it is most
// likely where the score
//
//   Σ_k (z_k² − 1) / (τ² + v_k²)              z_k² = (ĝ_k − 1)² / (τ² + v_k²)
//
// is 0, or is 0 itself, where the score is below 0 there. z² counts up to 4, and the 1 is then the
// mean of so clipped squares, as a model that is nearly dark has quotients beyond all gains. So a
// pixel with few counts stays near 1, and where all are alike τ and with it every g_k − 1 is nearly
// 0.
//
// m_k² is the additional variance of the neighbourhood of k: gains spread alike over the detector,
// and the root of the neighbourhood's own score, of terms times w_j, is τ² + m_k². It is 0 where
// that score at τ² is less than two of its standard errors, whole from four on, and a part of it
// between them. τ² and m² are found by turns.
//
// The written error is the deviation of g_k if gains spread by T, √((1 − κ)² T² + κ² v_k²) with
// κ = τ² / (τ² + v_k²). T² is τ² and its standard error. Where the score at τ² = 0 is below 0 the
// model follows the patterns pixel by pixel, as of few positions: what is missing of ĝ's scatter
// comes to T², since the model may have taken as much of the gains.

#include "core/array.hpp"
#include "core/ledger.hpp"

namespace ptyle {

/// Estimates of gains and how far they may be trusted.
struct Gains {
  Array<double, 2> gain, error;  ///< g_k; its standard error
  double spread = 0;             ///< τ; 0: not told from noise
  double greatest_spread = 0;    ///< T
};

/// The neighbourhood of each pixel, of step 1; quotient 1 and share 0 where Σ I of the pixel is not
/// above 0.
struct Neighbours {
  Array<double, 2> quotient;  ///< Σ y over Σ I
  Array<double, 2> share;     ///< variance of their mean gain, over τ²: one over their number
};

/// Of Σ y and Σ I, (W, W), DC at [0,0]. The result does not depend on the threads.
Neighbours neighbours_of(View<const double, 2> measured, View<const double, 2> model, int threads,
                         Ledger* ledger = nullptr);

/// Steps 3 and 4, of Σ y over the neighbourhood's quotient, Σ I, and the variance s² of what these
/// are over each other. A pixel whose Σ I is not above 0 has g = 1 and the error T; where none has
/// more, nothing is known, and all errors are 0.
Gains estimate_gains(View<const double, 2> measured, View<const double, 2> model,
                     View<const double, 2> variance, int threads, Ledger* ledger = nullptr);

/// Arrays of a double a pixel that the two book at their peaks, their results among them.
constexpr int neighbours_arrays = 2, gains_arrays = 4;

}  // namespace ptyle
