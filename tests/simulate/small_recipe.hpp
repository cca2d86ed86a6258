#pragma once

#include "simulate/recipe.hpp"

namespace ptyle {

/// Twelve positions, four slices, windows of 48²: a tenth of a second.
inline Recipe small_recipe() {
  Recipe r;
  r.specimen.thickness = 5;
  r.optics.defocus = 60;
  r.detector.window = 48;
  r.detector.pixel_size = 0.15;
  r.scan.shape = {3, 4};
  r.scan.step = {0.8, 1.1};
  r.scan.rotation = 20;
  r.scan.jitter = 0.05;
  r.dose.electrons_per_A2 = 1e5;
  r.threads = 2;
  r.seed = 7;
  return r;
}

}  // namespace ptyle
