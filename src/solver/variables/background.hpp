#pragma once

// A background: counts b ≥ 0 that every detector pixel has beside the waves', the same in all
// patterns. At the end of an iteration, of a sample of positions i, with object and probe at rest,
// from the darkest quarter of the pixels k by the sample's mean Σ_i S_ik, S = Σ_m |Ψ_m|²:
//
//   b, s   of the least Σ_ik w (y − b − s S)²     w = 1 / (S + ȳ), 0 ≤ s ≤ 1, ȳ the mean of y there
//
// A fit of b to I = b + S alone would find less, down to 0: an object has taken some of the
// background up as scattering, and follows the noise of dark pixels, so that S is too large there.
// What an object makes up varies from pixel to pixel but is no more like y for it, which is what s
// finds: b is what y has where there is no S. It does not depend on the loss either, whose ε or
// root of few counts makes up for a background.
//
// An offset that patterns and model have already, that of a noise of readout (data.readout_noise),
// is not part of b.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "solver/variables/detector_options.hpp"
#include "solver/variables/variable.hpp"

namespace ptyle {

template <class T>
class BackgroundVariable final : public Variable<T> {
 public:
  void declare(State<T>& state) override;
  void publish(Workspace<T>& with) override;
  void end_iteration(Workspace<T>& with, const Batch& batch) override;
  [[nodiscard]] std::string key() const override { return "detector.refine"; }
  [[nodiscard]] bool needs_sums() const override { return true; }
  [[nodiscard]] bool still_finding() const override;
  [[nodiscard]] bool yet_to_move() const override { return !due_; }
  [[nodiscard]] OtherBytes other_bytes(const OperatorSetup& setup, i64 positions,
                                       bool device) const override;

 private:
  struct Dark {
    std::vector<std::uint8_t> pixels;  ///< 1: the pixel is dark
    double counts = 0;                 ///< ȳ; 0: nothing is known
    double counts_of_all = 0;          ///< mean y of all pixels
  };
  [[nodiscard]] Dark dark_pixels(Workspace<T>& with, const std::vector<i64>& sample) const;
  /// b; below 0 by chance.
  [[nodiscard]] double intercept(Workspace<T>& with, const Dark& dark,
                                 const std::vector<i64>& sample) const;

  double *background_ = nullptr, *moved_ = nullptr;  // b; in the last iteration
  std::optional<double> offset_;                     // the operator's own, before b is added
  double mean_ = 0;                                  // y of a pixel, of the last sample
  bool due_ = false;  // not while the lateral limit keeps the object from the dark field
};

}  // namespace ptyle
