#pragma once

#include <optional>
#include <vector>

#include "core/array.hpp"
#include "prepare/experiment.hpp"

namespace ptyle {

/// Figures over all patterns of an experiment, valid pixels alone.
struct PatternFigures {
  double smallest = 0, largest = 0;    ///< counts of a pixel
  i64 at_largest = 0, just_below = 0;  ///< values at the largest, and in (0.9, 1) of it
  std::vector<double> sums;            ///< counts of each pattern
  std::vector<double> dark_field;      ///< counts of each beyond 1.1 radii of the disc
  Array<float, 2> peak;                ///< each pixel's largest value, DC at [W/2, W/2]
  i64 saturated = 0;  ///< pixels that reach the largest value, where that looks like a limit
};

/// Pixels of the mean pattern that no beam makes.
struct OddPixels {
  i64 dead = 0;  ///< without a count where their surroundings expect at least 20
  i64 hot = 0;   ///< over five times the mean of any around them, DC aside
};

/// Window pixels beyond 1.1 radii of the disc, W·W, DC at [0,0]; none where it is not known.
std::vector<bool> beyond_disc(const Experiment& experiment);

OddPixels odd_pixels(const Experiment& experiment);

/// `type_limit`: the largest value of the detector's integers (0: floats or not known). A limit is
/// where many values stand at the largest one but few just below it, or at the type's own.
PatternFigures figures_of(const Experiment& experiment, double type_limit);

/// How far the bright-field disc of the mean pattern moves on the detector, px, from the half of
/// the scan with the smaller rows (columns) to the other; empty where it does not, to within twice
/// what its rim is ragged, or a half shows none.
struct Descan {
  std::optional<Position> along_rows, along_cols;
};
Descan find_descan(const Experiment& experiment, const std::vector<Position>& positions);

}  // namespace ptyle
