#pragma once

// Options of preconditioned descent (solver/rules/descent).

#include "core/choice.hpp"
#include "solver/part_options.hpp"

namespace ptyle {

enum class PreconditionerChoice { illumination, none };
constexpr auto choices(PreconditionerChoice) {
  return std::to_array<Named<PreconditionerChoice>>(
      {{PreconditionerChoice::illumination, "illumination"}, {PreconditionerChoice::none, "none"}});
}

struct DescentOptions {
  double step = 0;  ///< of the preconditioned object update; 0: estimated
  /// none: divided by one number, the probe's largest |ψ|², instead
  PreconditionerChoice preconditioner = PreconditionerChoice::illumination;
  double damping = 0.1;  ///< ε of the illumination preconditioner, of the illumination's maximum

  [[nodiscard]] bool estimated() const { return step <= 0; }
  [[nodiscard]] bool by_illumination() const {
    return preconditioner == PreconditionerChoice::illumination;
  }
  /// Adds nothing: it is the rule if no other one is asked for.
  template <class T>
  void add_to(Parts<T>& /*parts*/) const {}
};

template <class V>
void keys(V& v, DescentOptions& o) {
  v.section("solver");
  v("step", o.step, between(0, 10), "of the object; 0: estimated").also_called("lr learning_rate");
  v("preconditioner", o.preconditioner,
    "what a gradient is divided by: the illumination of each voxel, or one number");
  v("damping", o.damping, above(0).up_to(1), "of the illumination preconditioner, of its maximum");
}

}  // namespace ptyle
