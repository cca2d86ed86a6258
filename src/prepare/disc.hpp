#pragma once

#include <array>
#include <optional>
#include <vector>

#include "core/array.hpp"
#include "prepare/experiment.hpp"

namespace ptyle {

/// The bright-field disc of a mean pattern (DC near the middle): centre and radius of the circle
/// through the points where, along rays from the middle, the counts pass half of what they are
/// inside. `valid` (the same shape; 0: leave the pixel out) may be empty. Nothing where there is no
/// clear disc: fewer than half of the rays meet a rim, or the rim is no circle. The disc may be a
/// ring, as an annular aperture or a beam stop makes it.
std::optional<Disc> fit_disc(View<const double, 2> pattern, View<const float, 2> valid = {});

/// Do the counts about the middle fall at this radius, px, more steeply than at any other near it?
/// Bragg discs that touch or lie side by side hide a disc's rim from fit_disc, but not from this.
bool has_rim_at(View<const double, 2> pattern, View<const float, 2> valid, double radius);

/// Pixels of a disc that are valid and hold nothing, where more than three lie well inside it; else
/// none. `both_sides`: they lie alike on both sides of its centre, as the hole of an annular
/// aperture does.
struct Shadow {
  std::vector<std::array<i64, 2>> pixels;
  bool both_sides = false;
};
Shadow shadow_in(View<const double, 2> pattern, View<const float, 2> valid, const Disc& disc);

/// The share by which the radius of a disc may differ from the one expected.
constexpr double disc_tolerance = 0.05;

}  // namespace ptyle
