#pragma once

// Thick lead titanate as recovery and optimisers take it: PbTiO3 along c, 200 kV, 30 mrad, 250 Å
// underfocus, window 256² at 0.1 Å, 144 positions 1.45 Å apart, slices of 1.25 Å, without noise.

#include <filesystem>
#include <numbers>

#include "lead_titanate.hpp"
#include "session/config.hpp"

namespace ptyle::bench {

/// `wrong`: positions are 0.1 Å r.m.s. off those that the file reports.
inline Recipe recovery_recipe(int slices, const std::filesystem::path& file, bool wrong = false) {
  Recipe r = lead_titanate(slices);
  r.detector = {.window = 256, .pixel_size = 0.1};
  r.scan = {.shape = {12, 12}, .step = {1.45, 1.45}};
  if (wrong) r.scan.jitter = 0.1 / std::numbers::sqrt2, r.scan.reported = Reported::nominal;
  r.output = file.string();
  return r;
}

/// The defaults, told the optics, from an empty object; `wrong`: told 10 % too much defocus.
inline ReconstructConfig recovery_run(int slices, int iterations, const std::filesystem::path& file,
                                      bool wrong = false) {
  ReconstructConfig c;
  c.data.file = file.string();
  c.data.patterns = "/patterns";
  c.calibration.pixel_size = 0.1;
  c.scan.positions = "/positions";
  c.optics.energy = 200;
  c.optics.semi_angle = 30;
  c.optics.defocus = wrong ? 275 : 250;
  c.object.slices = slices;
  c.object.slice_thickness = 1.25;
  c.solver.iterations = iterations;
  return c;
}

}  // namespace ptyle::bench
