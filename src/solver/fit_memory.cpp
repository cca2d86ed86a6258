// The memory of a fit, by the declarations of its parts, without the fit.

#include "solver/fit.hpp"
#include "solver/paper/courses.hpp"

namespace ptyle {

template <class T>
FitMemory fit_memory(const OperatorSetup& setup, const FitOptions& options, const Sharing& sharing,
                     int rank, i64 positions) {
  const Parts<T> parts = asked_parts<T>(options);
  State<T> state({{sharing.mesh.core(rank), sharing.mesh.extended(rank), positions}});
  const ObjectVariable<T> object(state, setup);
  ProbeVariable<T>(setup).declare(state);
  for (const auto& variable : parts.variables) variable->declare(state);
  if (parts.rule) parts.rule->declare(state);
  declare_paper_fields(state, setup, options, sharing);
  FitMemory memory{state.bytes(0), state.bytes(0, true), state.saved_bytes(0, rank == 0)};
  const Box core = sharing.mesh.core(rank);
  if (const double other = parts.rule ? parts.rule->other_bytes(setup, core, options.threads) : 0;
      other > 0)
    memory.arrays["transfer"] += other;
  return memory;
}

template FitMemory fit_memory<float>(const OperatorSetup&, const FitOptions&, const Sharing&, int,
                                     i64);
template FitMemory fit_memory<double>(const OperatorSetup&, const FitOptions&, const Sharing&, int,
                                      i64);

}  // namespace ptyle
