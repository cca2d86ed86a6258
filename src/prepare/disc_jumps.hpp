#pragma once

// Patterns whose bright-field disc lies elsewhere than that of the others, as descan that jumps
// makes them.
//
// 1. Centres of mass fall into two groups that are far apart.
// 2. The discs of the two groups' mean patterns lie apart.
// 3. Moved by that, one mean is the other: a specimen moves the centre of mass within the disc, and
//    where it makes a half of it dark even what looks like its rim, but not the pattern.

#include <vector>

#include "core/array.hpp"
#include "core/grid.hpp"

namespace ptyle {

/// Places of the smaller of two groups of centres, ascending, if they are far apart: by four times
/// what the centres vary by within them, and neither of them less than a fiftieth of all.
std::vector<i64> smaller_group(const std::vector<Position>& centres);

/// Is pattern a, to its own total, pattern b moved by so many pixels (DC in the middle)? What is
/// left of their difference, then, is less than 0.4 of it. Pixels that are not valid are left out.
bool is_moved(View<const double, 2> a, View<const double, 2> b, const Position& by,
              View<const float, 2> valid);

}  // namespace ptyle
