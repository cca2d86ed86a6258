#pragma once

// Patterns whose bright-field disc lies elsewhere than that of the others, as descan that jumps
// makes them.
//
// 1. Centres of mass fall into two groups that are far apart.
// 2. So do the discs of the two groups' mean patterns: a specimen moves the centre of mass within
//    the disc, but not its rim.

#include <vector>

#include "core/array.hpp"
#include "core/grid.hpp"

namespace ptyle {

/// Places of the smaller of two groups of centres, ascending, if they are far apart: by four times
/// what the centres vary by within them, and neither of them less than a fiftieth of all.
std::vector<i64> smaller_group(const std::vector<Position>& centres);

}  // namespace ptyle
