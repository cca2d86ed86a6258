#pragma once

// Preconditioning by the illumination
//
//   M(g) = g / (W² (Σ|u|² + ε max Σ|u|²) + p)     p: the penalties' steepness
//
// or, without a preconditioner, by one number, W² max Σ|ψ|² of the probe that the fit starts with.

#include "solver/rules/preconditioning.hpp"
#include "solver/rules/rule_options.hpp"

namespace ptyle {

/// The mean illumination of an iteration's mini-batches. What all of them move a voxel by is then
/// that of the whole scan's M, wherever their positions lie; by its own, a mini-batch moves what it
/// hardly illuminates as far as the rest.
template <class T>
class MeanIllumination {
 public:
  void declare(State<T>& state);
  /// Into the place of the mini-batch's own: L̄ ← L̄ + (L − L̄) / n, n mini-batches, at most those of
  /// an iteration.
  void take(const Trial<T>& trial) const;

 private:
  Field<T>* mean_ = nullptr;   // right wherever the sum of the illumination is
  double* batches_ = nullptr;  // that it is of
};

/// Divides by the illumination of each voxel.
template <class T>
class ByIllumination final : public Preconditioning<T> {
 public:
  /// `averaged`: of the mean of an iteration's mini-batches, instead of each one's own.
  explicit ByIllumination(const RuleOptions& options, bool averaged = false)
      : options_(options), averaged_(averaged) {}
  void declare(State<T>& state) override;
  /// The floor, ε times the largest illumination of all ranks' cores. Other ranks hear of it
  /// through the host; where there are none, nobody waits.
  void prepare(const Trial<T>& trial) override;
  void apply(const Trial<T>& trial, const Volumes<T>& volumes) override;

  /// M of this illumination of a tile, of which the floor is known.
  [[nodiscard]] Preconditioner<T> of(const Workspace<T>& with, View<const T, 2> illumination,
                                     double penalty = 0) const;
  /// M of a tile's sums.
  [[nodiscard]] Preconditioner<T> on(const Trial<T>& trial, std::size_t tile) const;

 private:
  const RuleOptions options_;
  const bool averaged_;
  MeanIllumination<T> mean_;
  Array<double, 1> floor_;  // the first: least that gradients are divided by; room for each tile
};

}  // namespace ptyle
