#pragma once

#include <optional>

#include "core/array.hpp"
#include "prepare/experiment.hpp"

namespace ptyle {

/// The bright-field disc of a mean pattern (DC near the middle): centre and radius of the circle
/// through the points where, along rays from the middle, the counts pass half of what they are
/// inside. `valid` (the same shape; 0: leave the pixel out) may be empty. Nothing where there is no
/// clear disc: fewer than half of the rays meet a rim, or the rim is no circle.
std::optional<Disc> fit_disc(View<const double, 2> pattern, View<const float, 2> valid = {});

}  // namespace ptyle
