#pragma once

#include <optional>
#include <vector>

#include "core/array.hpp"
#include "prepare/experiment.hpp"

namespace ptyle {

/// Figures over all patterns of an experiment, valid pixels alone.
struct PatternFigures {
  double smallest = 0, largest = 0;  ///< counts of a pixel
  std::vector<double> sums;          ///< counts of each pattern
  std::vector<double> dark_field;    ///< counts of each beyond 1.1 radii of the disc
};

/// Window pixels beyond 1.1 radii of the disc, W·W, DC at [0,0]; none where it is not known.
std::vector<bool> beyond_disc(const Experiment& experiment);

PatternFigures figures_of(const Experiment& experiment);

/// How far the bright-field disc of the mean pattern moves on the detector, px, from the half of
/// the scan with the smaller rows (columns) to the other; empty where it does not, to within twice
/// what its rim is ragged, or a half shows none.
struct Descan {
  std::optional<Position> along_rows, along_cols;
};
Descan find_descan(const Experiment& experiment, const std::vector<Position>& positions);

}  // namespace ptyle
