#pragma once

// Options of a probe that varies over the scan (solver/variables/variable_probe).

#include <string>

#include "solver/part_options.hpp"

namespace ptyle {

struct VariableProbeOptions {
  int modes = 0;           ///< N
  bool intensity = false;  ///< one factor a position
  int start = 0;           ///< an iteration (1, 2, …); 0: the eighth with everything else free

  [[nodiscard]] bool any() const { return modes > 0 || intensity; }
  /// OperatorSetup::basis beside so many incoherent modes: all modes that positions mix.
  [[nodiscard]] i64 basis(i64 incoherent) const { return any() ? incoherent + modes : 0; }

  template <class T>
  void add_to(Parts<T>& parts) const;
};

/// The key that asks for it.
inline const char* key_of(const VariableProbeOptions& options) {
  return options.modes > 0 ? "probe.variable" : "probe.intensity";
}

/// "the probe varies from position to position by 2 modes and by its intensity"
std::string describe(const VariableProbeOptions& options);

template <class V>
void keys(V& v, VariableProbeOptions& o) {
  v.section("probe");
  v("variable", o.modes, between(0, 20),
    "modes by which the first mode differs from position to position (orthogonal probe "
    "relaxation); 0: none")
      .also_called("opr opr_modes variable_probe variable_probe_modes")
      .same_at_resume()
      .reported_if_set();
  v("intensity", o.intensity, "whether each position has a beam current of its own, 1 on average")
      .also_called("variable_intensity intensity_correction")
      .same_at_resume()
      .reported_if_set();
  v("variable_from", o.start, at_least(0),
    "first iteration of both (later while the lateral limit holds); 0: the eighth with everything "
    "else free")
      .reported_if_set();
}

}  // namespace ptyle
