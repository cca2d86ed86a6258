#pragma once

// Preconditioned descent: V ← V − step·M(g), where M divides by the illumination
//
//   M(g) = g / (W² (Σ|u|² + ε max Σ|u|²) + p)     p: the penalties' steepness
//
// or, without a preconditioner, by one number, W² max Σ|ψ|² of the probe that the fit starts with;
// low-passed and with slices binned as the multi-resolution schedule asks. The step is given, or
// estimated now and then: the parabola of the Gauss-Newton curvature says the best one, a running
// mean is kept, and where the cost rises all the same the parabola through what it did is followed.

#include "solver/rules/descent_options.hpp"
#include "solver/rules/rule.hpp"

namespace ptyle {

template <class T>
class Descent final : public UpdateRule<T> {
 public:
  explicit Descent(const DescentOptions& options = {}) : options_(options) {}
  void declare(State<T>& state) override;
  void step(const Trial<T>& trial) override;
  [[nodiscard]] bool estimates() const override { return options_.estimated(); }
  [[nodiscard]] double step_in_use(const Workspace<T>& with) const override;
  void settle() override;

  // For steps between exchanges (solver/paper):

  /// Is an illumination needed, of an exchange before?
  [[nodiscard]] bool by_illumination() const { return options_.by_illumination(); }
  /// Directions are made without moving, and then moved along with the step in use.
  void move_by_sums(const Trial<T>& trial);
  /// to = from − step·M(g), M made of a former illumination of a tile and its floor (or of neither,
  /// where there is no preconditioner).
  void move_by_own(Workspace<T>& with, const ObjectVariable<T>& object, std::size_t tile,
                   View<const T, 2> illumination, const Volumes<T>& from,
                   const Volumes<T>& gradient) const;
  /// The illumination is needed on copies too, not on cores alone.
  bool illumination_on_copies = false;

 private:
  /// M of a tile's illumination, of which the floor is known.
  Preconditioner<T> preconditioner(const Workspace<T>& with, View<const T, 2> illumination,
                                   double penalty = 0) const;
  void find_floor(const Trial<T>& trial);
  double make_directions(const Trial<T>& trial, bool with_slope);
  void estimate(const Trial<T>& trial, double slope);
  void move(const Trial<T>& trial, double step, bool into_direction) const;
  void descend(const Trial<T>& trial, double step);
  void try_step(const Trial<T>& trial, double slope, double step);

  const DescentOptions options_;
  double *estimated_ = nullptr, *averaging_ = nullptr;
  Array<double, 1> floor_;  // the first: least that gradients are divided by; room for each tile
};

/// exp(−(k/k_c)²) is a Gaussian in real space: its σ, px; 0 where there is no lateral limit.
double low_pass_sigma(const FitOptions& options);

}  // namespace ptyle
