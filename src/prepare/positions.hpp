#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/grid.hpp"
#include "prepare/config.hpp"
#include "prepare/frames.hpp"

namespace ptyle {

/// Something is needed that nobody has given: who only looks at data goes on without it.
struct NotGiven : UserError {
  using UserError::UserError;
};

/// Positions in a dataset, n of them expected, in Å (`pixel` Å a pixel; 1 in pixel units).
/// Throws UserError for another shape or number, or a unit that cannot be taken to Å: one that is
/// not known, unless scan.unit is given. Values that are not finite stay (selection finds them).
std::vector<Position> positions_from(const RawPositions& raw, const ScanConfig& scan, i64 n,
                                     const std::string& frames, double pixel, bool pixel_units,
                                     std::vector<std::string>& warnings);

/// How the pairs of numbers lie in a dataset of positions for so many patterns: (N, 2), (slow,
/// fast, 2), or (2, N) as MATLAB's arrays of N rows lie in its files; three numbers where they are
/// (x, y, z). No count: it has another shape.
struct Pairs {
  i64 count = 0;
  i64 next = 2;    ///< from a pair to the next
  i64 second = 1;  ///< from its first number to its second
};
Pairs pairs_in(const RawPositions& raw, PairOrder order, i64 patterns);

/// The unit that an attribute says ("angstrom", "object pixel", "nm"); nothing if it is unknown.
std::optional<LengthUnit> unit_named(const std::string& attribute);

/// `pixel`: Å of an object pixel.
double angstroms_in(LengthUnit unit, double pixel);

}  // namespace ptyle
