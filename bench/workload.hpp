#pragma once

// The workload of whole iterations, which iteration-cpu and peers-cpu share: after the published
// one of tBL-WSe2, smaller. 32 × 32 positions, 128² pixels, 6 slices, 6 probe modes, counting
// noise.

#include <string>

#include "folder.hpp"
#include "session/reconstruct.hpp"
#include "simulate/simulate.hpp"
#include "solver/variables/position_options.hpp"

namespace ptyle::bench {

struct Workload {
  static constexpr int side = 32, window = 128, slices = 6, modes = 6, threads = 2;
  static constexpr double pixel = 0.2, step = 1.2, slice_thickness = 2.5;  // Å; steps of 6 px
  static constexpr double energy = 200, semi_angle = 25, defocus = 150;    // kV, mrad, Å
  static constexpr double mode_power = 0.02;  // share of each further mode
};

/// PbTiO3 along c, 1e5 e/Å²; written to `file`.
inline void simulate_workload(const std::string& file) {
  using W = Workload;
  Recipe r;
  r.specimen.structure = BuiltIn::PbTiO3;
  r.specimen.slice_thickness = W::slice_thickness;
  r.specimen.thickness = W::slice_thickness * W::slices;
  r.thermal.motion = Motion::debye_waller;
  r.thermal.B = {"Pb=0.5", "Ti=0.5", "O=0.5"};
  r.optics = {.energy = W::energy, .semi_angle = W::semi_angle, .defocus = W::defocus};
  r.optics.modes = W::modes;
  r.optics.mode_power = W::mode_power;
  r.detector = {.window = W::window, .pixel_size = W::pixel};
  r.scan = {.shape = {W::side, W::side}, .step = {W::step, W::step}};
  r.dose.electrons_per_A2 = 1e5;
  r.output = file;
  simulate(r, std::nullopt, {});
}

/// Its reconstruction from vacuum: a phase object, the probe refined from the first iteration; the
/// rest by default.
inline ReconstructConfig reconstruct_workload(const std::string& file) {
  using W = Workload;
  ReconstructConfig c;
  c.data.file = file;
  c.data.patterns = "/patterns";
  c.calibration.pixel_size = W::pixel;
  c.scan.positions = "/positions";
  c.optics.energy = W::energy;
  c.optics.semi_angle = W::semi_angle;
  c.optics.defocus = W::defocus;
  c.object.slices = W::slices;
  c.object.type = ObjectType::potential;
  c.parts.of<PositionOptions>().refine = Switch::off;
  c.object.slice_thickness = W::slice_thickness;
  c.probe.modes = W::modes;
  c.probe.mode_power = W::mode_power;
  c.probe.refine_from = 1;
  c.solver.threads = W::threads;
  c.solver.continuation = Switch::off;
  c.output.pictures = c.output.tiff = false;
  return c;
}

}  // namespace ptyle::bench
