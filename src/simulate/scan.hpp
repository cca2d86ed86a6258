#pragma once

// Positions of the probe, true ones and those that the microscope believes.
//
//   1. nominal positions: R(rotation)(slow, fast)·step, snake applied
//   2. distorted about the middle of the raster: R(rotation)·D·(slow, fast)·step
//   3. drift, from −½ of it at the first position to +½ at the last
//   4. an offset of each scan line, and of each position, drawn by the seed

#include <array>
#include <cstdint>
#include <vector>

#include "core/grid.hpp"
#include "simulate/recipe.hpp"

namespace ptyle {

/// The positions that step and rotation say, about the scan's own origin, Å.
std::vector<Position> nominal_positions(const ScanRecipe& scan);

/// The true ones, Å.
std::vector<Position> scan_positions(const ScanRecipe& scan, std::uint64_t seed);

/// The middle of the nominal raster, about the same origin, Å.
Position scan_middle(const ScanRecipe& scan);

/// A of true − middle = A (nominal − middle), on (row, col), a row after the other:
///   A = R(θ) D R(−θ),   D = scale · R(turn) · [[1, 0], [tan shear, 1]] · diag(1 + a/2, 1 − a/2),
/// D on (slow, fast).
std::array<double, 4> scan_affine(const ScanRecipe& scan);

/// True if /positions are the nominal ones (scan.reported).
bool reports_nominal(const ScanRecipe& scan);

}  // namespace ptyle
