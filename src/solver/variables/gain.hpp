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
// Gains are estimated at the end of an iteration, of a sample of positions, with object and probe
// at rest (variables/gain_estimate).
//
// A mean pattern is about the aperture's intensity times the gains, so that a probe that is refined
// takes these up: within the bright-field disc nothing but interference tells them apart. The probe
// is held until gains are found, and gains from then on. What is smooth over pixels, as an aperture
// that is not evenly lit is, remains the probe's, as each pixel is compared with its neighbours.
// Gains are found once an estimate has moved by little of its errors, or after some of them.

#include <string>
#include <vector>

#include "solver/variables/detector_options.hpp"
#include "solver/variables/variable.hpp"

namespace ptyle {

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
  /// Sums of a sample over all ranks, by pixel.
  struct Sums {
    Array<double, 3> all;  // Σ y over its neighbourhood's quotient, Σ I, less the offset, and s²
    Array<double, 2> share;  // the neighbourhood's
  };
  Sums sums_of(Workspace<T>& with, const Array<double, 2>& gains) const;
  /// Makes an estimate; have the gains moved by little of their errors?
  bool estimate(Workspace<T>& with);
  [[nodiscard]] Array<double, 2> gains_now(const Workspace<T>& with) const;

  DetectorOptions options_;
  Field<T>* gain_ = nullptr;
  double *estimates_ = nullptr, *held_ = nullptr;  // how many; 1: no more are made
  double offset_ = -1;                             // o; below 0: not known yet
};

}  // namespace ptyle
