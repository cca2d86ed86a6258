#pragma once

// The memory that the CPU operator allocates, as numbers: the operator makes its arrays by them,
// and cpu_operator_memory adds them up.

#include "operator/operator.hpp"

namespace ptyle::cpu {

/// Numbers of T's, and how slices are cut into runs whose waves are kept together.
template <class T>
struct MemoryPlan {
  MemoryPlan(const OperatorSetup& setup, int threads, const CpuOptions& options);

  // A thread's
  i64 wave = 0;          ///< waves of all modes
  i64 mixed = 0;         ///< spectra that a position has mixed
  i64 scratch = 0;       ///< of a step
  i64 ramp = 0;          ///< of the sub-pixel shift
  i64 pattern = 0;       ///< measured intensities
  i64 kept = 0;          ///< waves u kept at a time
  i64 checkpoints = 0;   ///< waves ψ kept from the forward pass
  bool beside = false;   ///< χ stands beside ψ
  i64 others = 0;        ///< waves χ or dψ beside it, and ψ once it is used up
  bool patches = false;  ///< gradients wait for their turn in a patch
  // The operator's
  i64 probe = 0;  ///< spectra of its modes
  i64 propagator = 0, detector = 0;
  i64 in_propagator = 0;  ///< a thread's, of ∂f/∂P*: 0 where it is not fitted

  // Runs of slices: [first(r), first(r + 1)).
  i64 slices = 1, run = 1, runs = 1;
  [[nodiscard]] i64 first(i64 r) const { return std::min(r * run, slices); }
};

}  // namespace ptyle::cpu
