#pragma once

// A background: counts b ≥ 0 that every detector pixel has beside the waves', the same in all
// patterns. At the end of an iteration, of a sample of positions, with object and probe at rest,
//
//   δb = −Σ_k f' / Σ_k f"        by I = b + Σ_m |Ψ_m|² (operator.hpp); f" that of a perfect fit
//
// until it hardly moves: f is convex in b, or nearly. An offset that patterns and model have
// already, that of a noise of readout (data.readout_noise), is not part of b.

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
  /// −Σ f' / Σ f"; 0 where nothing is known.
  double newton_step(Workspace<T>& with, const std::vector<i64>& sample);

  double *background_ = nullptr, *moved_ = nullptr;  // b; in the last iteration
  std::optional<double> offset_;                     // the operator's own, before b is added
  double mean_ = 0;                                  // y of a pixel, of the last sample
  bool due_ = false;  // not while the lateral limit keeps the object from the dark field
};

}  // namespace ptyle
