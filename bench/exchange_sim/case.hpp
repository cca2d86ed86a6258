#pragma once

// The meshes of ./run-bench exchange-sim, the same in the program that asks and in the one that is
// simulated.

#include <vector>

#include "tiles/mesh.hpp"

namespace ptyle::bench {

/// R × C cores of core × core pixels, all equal.
inline Mesh equal_cores(int rows, int cols, i64 core, Halo halo) {
  const auto cuts = [&](int n) {
    std::vector<i64> at;
    for (int i = 1; i < n; ++i) at.push_back(core * i);
    return at;
  };
  return {{{0, core * rows}, {0, core * cols}}, cuts(rows), cuts(cols), halo};
}

}  // namespace ptyle::bench
