#pragma once

// Quadratic penalties of the object: of its square and of its differences between neighbouring
// voxels, laterally (∂V) and along the beam (∂_z V),
//
//   P(V) = c Σ w V² + w' (∂V)² + w" (∂_z V)²
//
// of phase and absorption alike. 1/√w is the standard deviation that V is expected to have, rad:
// with c = ½ (−log likelihood) or ¼ (half of it) the cost plus P is that of the most probable
// object, if the values are counts. So a weight means the same at any dose: what many electrons
// have seen it leaves alone, and where few have been it smooths. With an edge the differences
// beyond it cost their amount instead of their square: total variation (penalties/total_variation).

#include <optional>

#include "solver/part_options.hpp"

namespace ptyle {

struct PenaltyOptions {
  double square = 0;                   ///< w, 1/rad²; 0: none
  std::optional<double> lateral = {};  ///< w'; not given: the session says; none otherwise
  double along_z = 0;                  ///< w"
  double edge = 0;                     ///< rad; 0: all differences cost their square
  /// No key: 2c, the part of −log likelihood that the cost is (physics/loss).
  double of_likelihood = 0.5;

  template <class T>
  void add_to(Parts<T>& parts) const;
};

template <class V>
void keys(V& v, PenaltyOptions& o) {
  v.section("penalty",
            "terms of the cost that keep noise out of the object; 1/rad², the larger the stronger");
  v("square", o.square, between(0, 1e9), "1/rad²",
    "of phase (and absorption): 1/σ² of what a voxel is expected to have; 0: none");
  v("lateral", o.lateral, between(0, 1e9), "1/rad²",
    "of its differences between neighbouring pixels of a slice; 0: none; left out: 40 Å by the "
    "slice's thickness with several slices and counted electrons, else none")
      .example("10");
  v("along_z", o.along_z, between(0, 1e9), "1/rad²",
    "of its differences between neighbouring slices; 0: none");
  v("edge", o.edge, between(0, 100), "rad",
    "total variation: differences beyond it cost their amount, which keeps edges, not their "
    "square; "
    "0: all their square")
      .example("0.02");
}

}  // namespace ptyle
