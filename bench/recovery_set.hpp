#pragma once

// Thick lead titanate as recovery and optimisers take it: PbTiO3 along c, 200 kV, 30 mrad, 250 Å
// underfocus, window 256² at 0.1 Å, 144 positions 1.45 Å apart, slices of 1.25 Å, without noise.

#include <filesystem>

#include "lead_titanate.hpp"
#include "session/config.hpp"

namespace ptyle::bench {

inline Recipe recovery_recipe(int slices, const std::filesystem::path& file) {
  Recipe r = lead_titanate(slices);
  r.detector = {.window = 256, .pixel_size = 0.1};
  r.scan = {.shape = {12, 12}, .step = {1.45, 1.45}};
  r.output = file.string();
  return r;
}

/// The defaults, told the optics, from an empty object.
inline ReconstructConfig recovery_run(int slices, int iterations,
                                      const std::filesystem::path& file) {
  ReconstructConfig c;
  c.data.file = file.string();
  c.data.patterns = "/patterns";
  c.calibration.pixel_size = 0.1;
  c.scan.positions = "/positions";
  c.optics.energy = 200;
  c.optics.semi_angle = 30;
  c.optics.defocus = 250;
  c.object.slices = slices;
  c.object.slice_thickness = 1.25;
  c.solver.iterations = iterations;
  return c;
}

}  // namespace ptyle::bench
