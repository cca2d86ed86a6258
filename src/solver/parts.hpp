#pragma once

// The parts of a fit, which its options ask for (solver/part_options).

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "solver/options.hpp"
#include "solver/penalties/penalty.hpp"
#include "solver/regularisers/regulariser.hpp"
#include "solver/rules/rule.hpp"
#include "solver/variables/variable.hpp"

namespace ptyle {

template <class T>
struct Parts {
  std::vector<std::unique_ptr<Variable<T>>> variables;        ///< beside object and probe
  Penalties<T> penalties;                                     ///< of the cost, in their order
  std::vector<std::unique_ptr<Regulariser<T>>> regularisers;  ///< in the order of their use
  std::unique_ptr<UpdateRule<T>> rule;  ///< in place of preconditioned descent; not with steps
                                        ///< between exchanges or an exchange behind
};

template <class T>
Parts<T> asked_parts(const FitOptions& options) {
  Parts<T> parts;
  options.parts.add_to(parts);
  return parts;
}

/// The rule alone; null: preconditioned descent. Throws UserError for two rules.
std::unique_ptr<UpdateRule<float>> asked_rule(const PartOptions& options);

/// The fault of so many mini-batches, where a rule takes the whole scan at once.
std::optional<std::string> fault_of_batches(const PartOptions& options, i64 batches);

/// Does the rule ask for products of the Gauss-Newton matrix?
bool needs_products(const PartOptions& options);

/// The key whose rule takes the whole scan at once ("solver.rule: lbfgs"); empty: there is none.
std::string whole_scan_for(const PartOptions& options);

}  // namespace ptyle
