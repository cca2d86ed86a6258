#pragma once

// Options of the rule by which the object moves.

#include <fmt/format.h>

#include <optional>
#include <string>

#include "core/choice.hpp"
#include "solver/part_options.hpp"
#include "solver/rules/pie_options.hpp"
#include "solver/rules/transfer_options.hpp"

namespace ptyle {

/// automatic: a session chooses (session/settings); elsewhere it is descent.
enum class RuleChoice { automatic, descent, momentum, lbfgs, gauss_newton, adam, pie };
constexpr auto choices(RuleChoice) {
  return std::to_array<Named<RuleChoice>>({{RuleChoice::automatic, "auto"},
                                           {RuleChoice::descent, "descent"},
                                           {RuleChoice::momentum, "momentum"},
                                           {RuleChoice::lbfgs, "lbfgs"},
                                           {RuleChoice::gauss_newton, "gauss_newton"},
                                           {RuleChoice::adam, "adam"},
                                           {RuleChoice::pie, "pie"}});
}

/// automatic: as of RuleChoice; elsewhere it is the illumination.
enum class PreconditionerChoice { automatic, illumination, none, transfer };
constexpr auto choices(PreconditionerChoice) {
  return std::to_array<Named<PreconditionerChoice>>(
      {{PreconditionerChoice::automatic, "auto"},
       {PreconditionerChoice::illumination, "illumination"},
       {PreconditionerChoice::none, "none"},
       {PreconditionerChoice::transfer, "transfer"}});
}

struct RuleOptions {
  RuleChoice rule = RuleChoice::automatic;
  double step = 0;  ///< of the preconditioned object update; 0: estimated
  /// none: divided by one number, the probe's largest |ψ|², instead
  PreconditionerChoice preconditioner = PreconditionerChoice::automatic;
  TransferOptions transfer;
  double damping = 0.1;   ///< ε of the illumination preconditioner, of the illumination's maximum
  double momentum = 0.7;  ///< what is left of a step in the next one
  int lbfgs_memory = 8;   ///< steps
  int gauss_newton_steps = 4;  ///< of conjugate gradients, in an iteration
  double adam_step = 4e-3;     ///< rad
  double adam_beta1 = 0.9, adam_beta2 = 0.999;
  PieOptions pie;

  [[nodiscard]] bool estimated() const { return step <= 0; }
  [[nodiscard]] bool by_illumination() const {
    return preconditioner == PreconditionerChoice::automatic ||
           preconditioner == PreconditionerChoice::illumination;
  }
  /// Adds nothing for descent, which is the rule if no other one is asked for.
  template <class T>
  void add_to(Parts<T>& parts) const;
};

/// Does the rule go with any preconditioner?
constexpr bool takes_any_preconditioner(RuleChoice rule) {
  return rule == RuleChoice::lbfgs || rule == RuleChoice::momentum ||
         rule == RuleChoice::gauss_newton;
}

/// The fault of the preconditioner beside the rule.
inline std::optional<std::string> fault_of_preconditioner(const RuleOptions& o) {
  if (o.preconditioner != PreconditionerChoice::transfer) return {};
  if (o.rule == RuleChoice::automatic && !o.estimated())
    return "transfer does not go with descent, which solver.rule auto is where solver.step is "
           "given; "
           "name momentum";
  if (o.rule == RuleChoice::automatic || takes_any_preconditioner(o.rule)) return {};
  return "transfer goes with solver.rule lbfgs, gauss_newton or momentum, not with " +
         std::string(word_of(o.rule));
}

/// The fault of a step that the rule would not take.
inline std::optional<std::string> fault_of_step(const RuleOptions& o) {
  if (o.estimated() || o.rule == RuleChoice::automatic || o.rule == RuleChoice::descent ||
      o.rule == RuleChoice::momentum)
    return {};
  return fmt::format("is of the rules descent and momentum, {} finds its own", word_of(o.rule));
}

/// "the object moves by momentum, inverting what the microscope transfers (up to 2.1 Å around a
/// voxel)"; `pixel`: of the unit.
std::string describe(const RuleOptions& o, double pixel, const char* unit);

template <class V>
void keys(V& v, RuleOptions& o) {
  v.section("solver");
  v("rule", o.rule,
    "how the object moves: auto (momentum; lbfgs where ranks.of leaves ranks few positions; "
    "descent "
    "with a given solver.step); descent along the "
    "preconditioned gradient; with Nesterov's momentum; L-BFGS or "
    "truncated Gauss-Newton, of the whole scan at once; Adam; or pie, sequentially by position as "
    "ePIE, rPIE and 3PIE do, on one rank")
      .also_called("optimizer optimiser algorithm")
      .reported_if_set()
      .same_at_resume();
  v("step", o.step, between(0, 10),
    "of the object, by which rule auto is descent; 0: estimated, by any rule")
      .also_called("lr learning_rate");
  v("preconditioner", o.preconditioner,
    "what makes a direction of a gradient: illumination divides by that of each voxel, none by one "
    "number, transfer inverts what the microscope transfers (solver.rule lbfgs, gauss_newton or "
    "momentum); auto: transfer with several slices by lbfgs and gauss_newton, else illumination");
  v("damping", o.damping, above(0).up_to(1), "of the illumination preconditioner, of its maximum");
  v("transfer_damping", o.transfer.damping, above(0).up_to(10),
    "of preconditioner transfer: what is transferred less than this part of the most, is inverted "
    "no further; thin specimens without noise take less, as 0.02");
  v("transfer_inverse", o.transfer.how,
    "of preconditioner transfer: damped moves what is hardly transferred by its gradient alone, "
    "wiener does not move it");
  v("transfer_reach", o.transfer.reach, at_least(0), "Å",
    "of preconditioner transfer: how far a voxel's gradient moves its neighbours; 0: by the "
    "aperture");
  v("momentum", o.momentum, between(0, 0.99),
    "of rule momentum on mini-batches: the part of a step that the next one goes on with");
  v("lbfgs_memory", o.lbfgs_memory, between(1, 100),
    "steps that rule lbfgs learns from; each takes twice the memory of a rank's part of the object")
      .reported_if_set()
      .same_at_resume();
  v("gauss_newton_steps", o.gauss_newton_steps, between(1, 100),
    "of conjugate gradients in an iteration of rule gauss_newton, at most; each costs one and a "
    "half passes through the data and an exchange");
  v("adam_step", o.adam_step, above(0).up_to(10), "rad",
    "of rule adam: the most that a voxel moves by in a mini-batch");
  v("adam_beta1", o.adam_beta1, between(0, 0.9999),
    "of rule adam: what the mean of gradients keeps in each mini-batch")
      .also_called("beta1");
  v("adam_beta2", o.adam_beta2, between(0, 0.999999), "the same, of the mean of their squares")
      .also_called("beta2");
  v("pie_form", o.pie.form,
    "of rule pie: epie divides by the largest intensity alone, rpie by a pixel's own too")
      .reported_if_set()
      .same_at_resume();
  v("pie_alpha", o.pie.alpha, between(0, 1),
    "of the object: the step of pie_form epie, the weight of the largest intensity in rpie; 0: 1 "
    "and 0.1");
  v("pie_beta", o.pie.beta, above(0).up_to(1), "the same, of the probe");
}

}  // namespace ptyle
