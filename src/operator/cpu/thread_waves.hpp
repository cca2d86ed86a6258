#pragma once

// The memory that a thread works in: one position's waves.

#include "operator/cpu/memory.hpp"
#include "operator/cpu/steps.hpp"

namespace ptyle::cpu {

/// Arrays that are made when they are first needed.
template <class T>
struct ThreadWaves {
  ThreadBuffers<T> buffers;
  Array<T, 1> wave, other;        ///< ψ; dψ, or χ where ψ is needed still
  Array<T, 1> aside;              ///< ψ where both others are used up
  Array<T, 2> kept, checkpoints;  ///< u of a run of slices; ψ before a run's first slice
  Array<T, 2> phase, absorption, illumination;  ///< patches of W·W
  Array<T, 2> propagator;  ///< of ∂f/∂P*: the position's sum, and space for two spectra
};

template <class T>
ThreadBuffers<T> make_buffers(const MemoryPlan<T>& plan, Ledger* ledger) {
  // Bytes of waves that a thread keeps in its share of the caches, about. Between 10 and 40 MB it
  // made no difference on a processor with 32 MB of L3.
  constexpr i64 past_caches = i64{16} << 20;
  return {Array<T, 1>({plan.scratch}, ledger, "waves"), Array<T, 1>({plan.ramp}, ledger, "waves"),
          Array<T, 1>({plan.pattern}, ledger, "waves"), Array<T, 1>({plan.mixed}, ledger, "waves"),
          plan.kept * plan.wave * static_cast<i64>(sizeof(T)) > past_caches};
}

}  // namespace ptyle::cpu
