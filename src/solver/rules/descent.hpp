#pragma once

// Preconditioned descent: V ← V − step·M(g), where M divides by the illumination
// (rules/illumination); low-passed and with slices binned as the multi-resolution schedule asks.
// The step is given, or estimated (rules/step_estimate); where the cost rises all the same the
// parabola through what it did is followed.

#include "solver/rules/illumination.hpp"
#include "solver/rules/step_estimate.hpp"

namespace ptyle {

template <class T>
class Descent final : public UpdateRule<T> {
 public:
  explicit Descent(const RuleOptions& options = {})
      : options_(options), preconditioning_(options), step_(options) {}
  void declare(State<T>& state) override { step_.declare(state); }
  void step(const Trial<T>& trial) override;
  [[nodiscard]] bool estimates() const override { return step_.estimates(); }
  [[nodiscard]] double step_in_use(const Workspace<T>& with) const override {
    return step_.in_use(with);
  }
  void settle() override { step_.settle(); }

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
  double make_directions(const Trial<T>& trial, bool with_slope);
  void descend(const Trial<T>& trial, double step);

  const RuleOptions options_;
  ByIllumination<T> preconditioning_;
  StepEstimate<T> step_;
};

}  // namespace ptyle
