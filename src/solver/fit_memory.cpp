// The memory of a fit, by the declarations of its parts, without the fit.

#include <algorithm>

#include "solver/fit.hpp"
#include "solver/paper/courses.hpp"

namespace ptyle {

template <class T>
FitMemory fit_memory(const OperatorSetup& setup, const FitOptions& options, const Sharing& sharing,
                     int rank, i64 positions, bool device) {
  const Parts<T> parts = asked_parts<T>(options);
  State<T> state({{sharing.mesh.core(rank), sharing.mesh.extended(rank), positions}});
  const ObjectVariable<T> object(state, setup);
  ProbeVariable<T> probe(setup);
  probe.declare(state);
  for (const auto& variable : parts.variables) variable->declare(state);
  if (parts.rule) parts.rule->declare(state);
  declare_paper_fields(state, setup, options, sharing);
  FitMemory memory{.arrays = state.bytes(0),
                   .kept = state.bytes(0, true),
                   .saved = state.saved_bytes(0, rank == 0),
                   .others = {},
                   .moment = wave_bytes<T>(setup, setup.modes)};  // of Fit::patterns
  const Box core = sharing.mesh.core(rank);
  if (const double other = parts.rule ? parts.rule->other_bytes(setup, core, options.threads) : 0;
      other > 0)
    memory.arrays["transfer"] += other;
  const auto add = [&](const Variable<T>& variable) {
    const OtherBytes bytes = variable.other_bytes(setup, positions, device);
    for (const auto& [name, kept] : bytes.kept) memory.others[name] += kept;
    double& most = bytes.along_probe ? memory.along_probe : memory.moment;
    most = std::max(most, bytes.moment);
  };
  add(probe);
  for (const auto& variable : parts.variables) add(*variable);
  return memory;
}

template FitMemory fit_memory<float>(const OperatorSetup&, const FitOptions&, const Sharing&, int,
                                     i64, bool);
template FitMemory fit_memory<double>(const OperatorSetup&, const FitOptions&, const Sharing&, int,
                                      i64, bool);

}  // namespace ptyle
