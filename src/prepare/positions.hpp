#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/grid.hpp"
#include "prepare/config.hpp"
#include "prepare/frames.hpp"

namespace ptyle {

/// Positions in a dataset, n of them expected, in Å (`pixel` Å a pixel; 1 in pixel units).
/// Throws UserError for another shape or number, or a unit that cannot be taken to Å: one that is
/// not known, unless scan.unit is given. Values that are not finite stay (selection finds them).
std::vector<Position> positions_from(const RawPositions& raw, const ScanConfig& scan, i64 n,
                                     const std::string& frames, double pixel, bool pixel_units,
                                     std::vector<std::string>& warnings);

/// The unit that an attribute says ("angstrom", "object pixel", "nm"); nothing if it is unknown.
std::optional<LengthUnit> unit_named(const std::string& attribute);

/// `pixel`: Å of an object pixel.
double angstroms_in(LengthUnit unit, double pixel);

}  // namespace ptyle
