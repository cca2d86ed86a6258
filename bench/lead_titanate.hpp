#pragma once

// PbTiO3 along c in slices of 1.25 Å, 200 kV, 30 mrad, 250 Å underfocus, without noise: what the
// benchmarks' sets of it have in common.

#include "simulate/recipe.hpp"

namespace ptyle::bench {

inline Recipe lead_titanate(int slices) {
  Recipe r;
  r.specimen.structure = BuiltIn::PbTiO3;
  r.specimen.slice_thickness = 1.25;
  r.specimen.thickness = 1.25 * slices;
  r.thermal.motion = Motion::debye_waller;
  r.thermal.B = {"Pb=0.5", "Ti=0.5", "O=0.5"};
  r.optics = {.energy = 200, .semi_angle = 30, .defocus = 250};
  return r;
}

}  // namespace ptyle::bench
