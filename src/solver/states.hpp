#pragma once

// Several states of the object, of which the beam sees now this one and now that: patterns are the
// sum over states of what each would give, by its share of the dose. All see the same probe, so
// that wave (k, m) of state k starts from mode m by √share_k (Placement::coefficients).

#include <optional>
#include <string>
#include <vector>

#include "operator/operator.hpp"
#include "solver/excluded.hpp"
#include "solver/part_options.hpp"

namespace ptyle {

struct StatesOptions {
  int states = 1;
  std::vector<double> occupancy;  ///< a share for each; empty: all alike

  /// A share for each state, 1 together; empty: there is one.
  [[nodiscard]] std::vector<double> shares() const;
  /// No part of its own: object, operator and workspace have as many.
  template <class T>
  void add_to(Parts<T>& /*parts*/) const {}
};

template <class V>
void keys(V& v, StatesOptions& o) {
  v.section("object");
  v("states", o.states, between(1, 64),
    "objects that the beam sees one after the other, so that their patterns add up: atoms that "
    "vibrate, or a specimen that changes")
      .also_called("omode obj_modes object_modes")
      .same_at_resume()
      .reported_if_set();
  v("occupancy", o.occupancy, "fraction of the dose that each state gets; left out: all alike")
      .example("[0.7, 0.3]")
      .also_called("omode_occu init_occu")
      .same_at_resume()
      .reported_if_set();
}

/// The fault of object.occupancy.
std::optional<std::string> fault_of_occupancy(const StatesOptions& options);

/// (waves, modes of the probe): each state sees all of these, by the root of its share.
std::vector<Complex<double>> coefficients_of_states(const OperatorSetup& setup,
                                                    const std::vector<double>& shares);

/// The keys given that look at one object, or at a probe of each position's own; none where the
/// object has one state. Throws UserError for two rules.
std::vector<Excluded> excluded_by_states(const PartOptions& options);

}  // namespace ptyle
