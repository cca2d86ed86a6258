#pragma once

#include <span>
#include <string>

#include "core/grid.hpp"

namespace ptyle {

/// How one scan differs from another: the affine model to − middle = F (from − middle) + shift of
/// least squares, F = R S with R a rotation and S symmetric, and what it leaves.
struct ScanModel {
  double rotation = 0;             ///< of R, degrees, as scan.rotation
  double rows = 1, columns = 1;    ///< scales, of S
  double shear = 0;                ///< of S, degrees
  double moved = 0, farthest = 0;  ///< r.m.s. and largest difference after the mean's, Å (px)
  double rest = 0;                 ///< r.m.s. beside the model, Å (px)
};

/// Both scans have the same number of positions. One that spans no area has no model: F = 1.
ScanModel scan_model(std::span<const Position> from, std::span<const Position> to);

/// "positions moved by 0.2 Å r.m.s. …"; `unit`: Å or px.
std::string describe(const ScanModel& model, const std::string& unit);

}  // namespace ptyle
