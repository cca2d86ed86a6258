#pragma once

// A data set in arrays, for tests and benchmarks.

#include "simulate/plan.hpp"

namespace ptyle {

struct MemorySet {
  Plan plan;  ///< positions (Å), probe, object's shape, wavelength, band limit, …
  /// (N, detector, detector), DC centred; counts, or what the detector makes of them, or expected
  /// values where there is no noise.
  Array<float, 3> patterns;
  Array<float, 3> phase;  ///< the truth (z, y, x), rad; with frozen phonons the mean
};

/// The set that simulate() writes, to rounding. recipe.output is not looked at.
MemorySet simulate_in_memory(const Recipe& recipe);

}  // namespace ptyle
