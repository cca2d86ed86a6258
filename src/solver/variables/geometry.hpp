#pragma once

// The geometry of the microscope: defocus and aberrations of the probe, the thickness of slices and
// the specimen's tilt. It is few numbers p, which are the same on all ranks, each the change of
// what was given (variables/geometry_slopes):
//
//   1. g      ∂f/∂p of a mini-batch, by chain rules from ∂f/∂probe*, which the probe asks for
//             anyway, and from ∂f/∂P*, which costs two FFTs a slice and is asked for in one
//             mini-batch of some
//   2. C      half the cost's second derivative at a perfect fit (Gauss-Newton), with the object at
//             rest, mean of a sample of positions: Σ_k 2 f" a_i a_j, a_j = Re Σ_m conj(Ψ_m)
//             ∂Ψ_m/∂p_j, Ψ's change by finite differences
//   3. move   δ = −½ step · C⁻¹ g / positions, limited at a time and in all
//
// A move by δ multiplies the spectra of all modes of the probe by exp(−i Σ s_j δ_j) at once, and P
// with it. The probe's own step moves aberrations too: the part of it along them is added to the
// numbers, so that these say what the probe's phases have gone by.
//
// A tilt is a shear of the slices, which free slices take up: it moves while they are binned, or
// where a penalty or a blur along the beam holds them alike; so does the thickness where there is a
// schedule that bins them. The schedule then frees them once both are found. The thickness waits
// there for a probe that is refined: while that is held, it would take up its modes' blur. Without
// the lateral limit steps become smaller, as they follow the noise of their mini-batches.

#include <vector>

#include "solver/variables/geometry_slopes.hpp"
#include "solver/variables/variable.hpp"

namespace ptyle {

template <class T>
class GeometryVariable final : public Variable<T> {
 public:
  explicit GeometryVariable(const GeometryOptions& options) : options_(options) {}
  void declare(State<T>& state) override;
  /// Throws UserError where what is asked for cannot be found.
  void publish(Workspace<T>& with) override;
  void begin(Workspace<T>& with, const Batch& batch) override;
  void ask(const Batch& batch, const Members& members, Wanted& wanted, Gradient<T>& sums) override;
  void step(Workspace<T>& with, const Batch& batch) override;
  void end_iteration(Workspace<T>& with, const Batch& batch) override;
  [[nodiscard]] std::string key() const override { return "geometry.refine"; }
  [[nodiscard]] bool needs_sums() const override { return true; }
  [[nodiscard]] bool still_finding() const override;
  [[nodiscard]] bool yet_to_move() const override { return !due_; }
  [[nodiscard]] bool needs_binned_slices() const override { return options_.fits_propagator(); }
  [[nodiscard]] OtherBytes other_bytes(const OperatorSetup& setup, i64 positions,
                                       bool device) const override;

 private:
  using Values = std::vector<double>;  // one a parameter
  void check(const Workspace<T>& with) const;
  [[nodiscard]] GeometryState now() const;
  [[nodiscard]] bool may_move(const Workspace<T>& with, std::size_t j) const;
  void take_slopes(Workspace<T>& with);
  /// C of a few positions of the mini-batch.
  void find_curvature(Workspace<T>& with, const Batch& batch);
  /// The operator looks at a probe and a propagator whose parameters are changed by so much.
  void show(Workspace<T>& with, const Values& by);
  /// −½ C⁻¹ g, of the parameters that move.
  [[nodiscard]] Values newton_step(const Workspace<T>& with, double positions) const;
  void move(Workspace<T>& with, Values by);
  /// Adds what the probe's own step has moved them by.
  void follow_probe(Workspace<T>& with, const Batch& batch);

  GeometryOptions options_;
  std::vector<GeometryParameter> parameters_;
  Values most_;                         // of each change
  std::vector<double*> changes_;        // from what was given, Å or rad
  std::vector<double*> curvature_;      // C, row by row, per unit; C_jj of 0: not known
  std::vector<double*> moved_;          // in the last iteration, units
  double* at_limit_ = nullptr;          // parameters that have reached their limit
  double* free_for_ = nullptr;          // iterations of a schedule without the lateral limit
  bool scheduled_ = false;              // slices are binned at first
  GeometryState given_;                 // before all changes
  bool due_ = false, through_ = false;  // in this mini-batch; with ∂f/∂P*
  Array<Complex<double>, 2> propagator_gradient_;
  Values slopes_;    // of the mini-batch, of this process, then of all
  Values overlaps_;  // of the probe, row by row
};

}  // namespace ptyle
