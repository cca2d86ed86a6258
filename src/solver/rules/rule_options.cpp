#include "solver/rules/rule_options.hpp"

#include <fmt/format.h>

#include "solver/parts.hpp"
#include "solver/rules/adam.hpp"
#include "solver/rules/gauss_newton.hpp"
#include "solver/rules/illumination.hpp"
#include "solver/rules/lbfgs.hpp"
#include "solver/rules/momentum.hpp"
#include "solver/rules/pie.hpp"
#include "solver/rules/transfer.hpp"

namespace ptyle {

std::string describe(const RuleOptions& o, double pixel, const char* unit) {
  const std::string rule(word_of(o.rule == RuleChoice::automatic ? RuleChoice::descent : o.rule));
  if (o.preconditioner != PreconditionerChoice::transfer) return "the object moves by " + rule;
  return fmt::format(
      "the object moves by {}, inverting what the microscope transfers (up to {:.3g} {} around a "
      "voxel)",
      rule, static_cast<double>(o.transfer.pixels) * pixel, unit);
}

template <class T>
void RuleOptions::add_to(Parts<T>& parts) const {
  const auto preconditioning = [&](bool averaged) -> std::unique_ptr<Preconditioning<T>> {
    if (preconditioner == PreconditionerChoice::transfer)
      return std::make_unique<ByTransfer<T>>(transfer, averaged);
    return std::make_unique<ByIllumination<T>>(*this, averaged);
  };
  switch (rule) {
    case RuleChoice::automatic:
    case RuleChoice::descent:
      break;
    case RuleChoice::momentum:
      parts.rule = std::make_unique<NesterovMomentum<T>>(*this, preconditioning(true));
      break;
    case RuleChoice::lbfgs:
      parts.rule = std::make_unique<Lbfgs<T>>(lbfgs_memory, preconditioning(false));
      break;
    case RuleChoice::gauss_newton:
      parts.rule = std::make_unique<GaussNewton<T>>(gauss_newton_steps, preconditioning(false));
      break;
    case RuleChoice::adam:
      parts.rule = std::make_unique<AdamRule<T>>(*this);
      break;
    case RuleChoice::pie:
      parts.rule = std::make_unique<PieRule<T>>(pie);
      break;
  }
}

template void RuleOptions::add_to(Parts<float>&) const;
template void RuleOptions::add_to(Parts<double>&) const;

}  // namespace ptyle
