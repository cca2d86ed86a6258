#pragma once

// The gain g_k of each detector pixel, 1 on average: the counts that it makes of one electron over
// those that all pixels make, a flat field that was not corrected. With I of the model, counts are
// g_k I. The fit compares I with y/g instead, at the weight g:
//
//   Poisson     gI − y log(gI)           = g (I − (y/g) log I) + what I has no part in
//   amplitude   (√(gI) − √y)²            = g (√I − √(y/g))²
//   intensity   (gI − y)² / 4 (y+v)      = g (I − y/g)² / 4 (y/g + v/g)      v is taken for v/g
//
// (ε apart; Workspace::use_gain). An offset o that patterns and model have for the noise of a
// readout is no part of what is multiplied: y − o and I − o are meant then.
//
// At the end of an iteration, of a sample of positions i, with object and probe at rest:
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
//      edge of an aperture whose probe is not refined yet: gains spread alike over the detector,
//      and what a neighbourhood scatters by beyond τ² + s² is none of theirs
//   4. g_k = 1 + τ² / (τ² + v_k²) · (ĝ_k − 1)
//
// 4 is the mean of what g_k may be where gains are normal of mean 1 and variance τ² and ĝ_k is
// normal of mean g_k and variance v_k². Its standard error is √(τ² v_k² / (τ² + v_k²)). τ² is what
// the ĝ_k scatter by beyond their v_k; it is most likely at
//
//   Σ_k (z_k² − 1) / (τ² + v_k²) = 0          z_k² = (ĝ_k − 1)² / (τ² + v_k²)
//
// or is 0, where the sum is less than 0 there. z² counts up to 4, and the 1 is then the mean of so
// clipped squares, as a model that is nearly dark has quotients beyond all gains. So a pixel with
// few counts stays near 1, and where all are alike τ and with it every g_k − 1 is nearly 0.
//
// m_k² is τ² of the neighbourhood alone (weights w_j in the sum, which is above three of its
// standard errors) less that of all; the two are found in turn. The error that is written is that
// of gains which spread by one standard error of τ² more. Where the sum is below 0 the model
// follows the patterns pixel by pixel, as of few positions: what is missing to 0 counts as well,
// since the model may have taken as much of the gains. To it comes the error of the neighbourhood's
// mean.
//
// A mean pattern is about the aperture's intensity times the gains, so that a probe that is refined
// takes these up: within the bright-field disc nothing but interference tells them apart. The probe
// is held until gains are found, and gains from then on. What is smooth over pixels, as an aperture
// that is not evenly lit is, remains the probe's, by the neighbourhood in 1. Gains are found once
// an estimate has moved by little of its errors, or after some of them.

#include <string>
#include <vector>

#include "solver/variables/detector_options.hpp"
#include "solver/variables/variable.hpp"

namespace ptyle {

/// Estimates of gains and how far they may be trusted.
struct Gains {
  std::vector<double> gain, error;  ///< g_k; its standard error
  double spread = 0;                ///< τ; 0: not told from noise
};
/// The neighbourhood of each pixel, of step 1; quotient 1 and share 0 where Σ I of the pixel is not
/// above 0.
struct Neighbours {
  std::vector<double> quotient;  ///< Σ y over Σ I
  std::vector<double> share;     ///< variance of their mean gain, over τ²: one over their number
};
Neighbours neighbours_of(View<const double, 2> measured, View<const double, 2> model);
/// Steps 3 and 4, of Σ y over the neighbourhood's quotient, Σ I, and the variance s² of what these
/// are over each other. A pixel whose Σ I is not above 0 has g = 1.
Gains estimate_gains(View<const double, 2> measured, View<const double, 2> model,
                     const std::vector<double>& variance);

template <class T>
class GainVariable final : public Variable<T> {
 public:
  explicit GainVariable(const DetectorOptions& options) : options_(options) {}
  void declare(State<T>& state) override;
  void publish(Workspace<T>& with) override;
  void end_iteration(Workspace<T>& with, const Batch& batch) override;
  [[nodiscard]] std::string key() const override { return "detector.refine"; }
  [[nodiscard]] bool needs_sums() const override { return true; }
  [[nodiscard]] bool still_finding() const override { return *estimates_ > 0 && *held_ == 0; }
  [[nodiscard]] bool yet_to_move() const override { return *estimates_ == 0; }
  [[nodiscard]] bool needs_held_probe() const override { return *held_ == 0; }

  /// A field of the state: complex (1, W, W), DC at [0,0], g and its standard error; zeros before
  /// the first estimate.
  static constexpr const char* field = "gain";
  [[nodiscard]] OtherBytes other_bytes(const OperatorSetup& setup, i64 positions,
                                       bool device) const override;

 private:
  /// Sums of a sample over all ranks: Σ y, over its neighbourhood's quotient, and Σ I of each
  /// pixel, less the offset, s², and the neighbourhood's share.
  struct Sums {
    std::vector<double> measured, model, variance, share;
  };
  Sums sums_of(Workspace<T>& with, const std::vector<i64>& sample) const;
  [[nodiscard]] std::vector<double> gains_now(const Workspace<T>& with) const;

  DetectorOptions options_;
  Field<T>* gain_ = nullptr;
  double *estimates_ = nullptr, *held_ = nullptr;  // how many; 1: no more are made
  double offset_ = -1;                             // o; below 0: not known yet
};

}  // namespace ptyle
