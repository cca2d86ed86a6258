#include "app/simulate_keys.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "simulate/recipe_checks.hpp"

namespace fs = std::filesystem;

namespace ptyle {
namespace {

std::vector<Section> sections() {
  return {{"specimen", "what is imaged"},
          {"thermal", "how its atoms move"},
          {"optics", "the beam"},
          {"detector", "the patterns"},
          {"scan", "where the probe stands"},
          {"dose", "electrons and counts"},
          {"", "the data set"}};
}

std::vector<Key> specimen_keys(SpecimenRecipe& c) {
  return {
      {"specimen.structure", &c.structure, "", one_of({"PbTiO3", "SrTiO3", "MoS2"}), "built in",
       "PbTiO3", true},
      {.path = "specimen.file",
       .field = &c.file,
       .limits = filled(),
       .doc = "a structure in CIF (.cif) or XYZ (.xyz), in place of a built-in one",
       .example = "structure.cif",
       .also_called = "cif xyz",
       .file = FileKind::file},
      {"specimen.zone_axis", &c.zone_axis, "", {}, "lattice direction [u v w] along the beam"},
      {"specimen.rotation",
       &c.rotation,
       "degrees",
       {},
       "about the beam, from columns towards rows"},
      {"specimen.repeat", &c.repeat, "cells", between(0, 10000),
       "a block of cells centred under the scan; [0, 0, 0]: fill what the windows reach"},
      {"specimen.thickness", &c.thickness, "Å", above(0).up_to(1e5),
       "along the beam; left out: one cell, or all of the block or molecule", "20", true},
      {"specimen.slice_thickness", &c.slice_thickness, "Å", above(0).up_to(1e4), "of every slice",
       "", false, "dz"},
      {"specimen.potential", &c.potential, "", one_of({"lobato", "kirkland"}), "scattering factors",
       "", false, "parametrization"},
  };
}

std::vector<Key> thermal_keys(ThermalRecipe& c) {
  return {
      {"thermal.motion", &c.motion, "", one_of({"none", "debye_waller", "frozen_phonons"}),
       "smeared potentials, or an average over displaced atoms"},
      {"thermal.B", &c.B, "Å²", {}, "Debye-Waller factor by element", "[Pb=0.85, Ti=0.5, O=0.6]"},
      {"thermal.rms", &c.rms, "Å", {}, "or displacement along one axis by element", "[Pb=0.1]"},
      {"thermal.configurations", &c.configurations, "", between(1, 1000),
       "of frozen phonons, averaged"},
  };
}

std::vector<Key> optics_keys(SimulatedOptics& c) {
  return {
      {"optics.energy", &c.energy, "kV", above(0).up_to(3000), "of the electrons", "200", true,
       "voltage kv ht"},
      {"optics.semi_angle", &c.semi_angle, "mrad", above(0).up_to(200), "convergence semi-angle",
       "30", true, "convergence_angle conv_angle alpha aperture"},
      {"optics.defocus",
       &c.defocus,
       "Å",
       {},
       "positive = underfocus, = -C10",
       "250",
       true,
       "C10 df"},
      {"optics.C12", &c.C12, "Å", {}, "two-fold astigmatism", "", false, "A1 astigmatism"},
      {"optics.phi12", &c.phi12, "degrees", {}, "its azimuth, from +x (columns) towards +y (rows)"},
      {"optics.C21", &c.C21, "Å", {}, "axial coma", "", false, "B2 coma"},
      {"optics.phi21", &c.phi21, "degrees", {}, "its azimuth"},
      {"optics.C23", &c.C23, "Å", {}, "three-fold astigmatism", "", false, "A2"},
      {"optics.phi23", &c.phi23, "degrees", {}, "its azimuth"},
      {"optics.C30", &c.C30, "Å", {}, "spherical aberration, 1 mm = 1e7 Å", "", false, "Cs C3"},
      {"optics.aperture_edge", &c.aperture_edge, "detector px", between(0, 100),
       "width of the aperture's rim; 0: hard"},
      {"optics.modes", &c.modes, "", between(1, 32), "incoherent modes of the probe"},
      {"optics.mode_power", &c.mode_power, "", between(0, 1),
       "share of the power of each further mode"},
  };
}

std::vector<Key> detector_keys(DetectorRecipe& c) {
  return {
      {"detector.window", &c.window, "px", between(8, 8192),
       "side of the square window that the probe is propagated in", "128", true, "npix"},
      {"detector.pixel_size", &c.pixel_size, "Å", above(0).up_to(1e4), "pixel of the object", "0.2",
       true, "dx sampling"},
      {"detector.bin", &c.bin, "px", between(1, 8192), "sum b x b detector pixels; divides window",
       "", false, "binning"},
      {"detector.band_limit", &c.band_limit, "of Nyquist", between(0, 1), "anti-aliasing; 0: none"},
  };
}

std::vector<Key> scan_keys(ScanRecipe& c) {
  return {
      {"scan.shape", &c.shape, "", between(1, 100000), "positions (slow, fast)", "[12, 12]", true},
      {"scan.step", &c.step, "Å", above(0).up_to(1e6).alone(), "between positions (slow, fast)",
       "[1.45, 1.45]", true, "scan_step step_size"},
      {"scan.rotation", &c.rotation, "degrees", between(-360, 360),
       "R(rotation) (slow, fast) on (row, col)"},
      {"scan.snake", &c.snake, "", {}, "every second line runs backwards"},
      {"scan.jitter", &c.jitter, "Å", at_least(0), "standard deviation of every coordinate"},
  };
}

std::vector<Key> dose_keys(DoseRecipe& c) {
  return {
      {"dose.electrons_per_A2", &c.electrons_per_A2, "e/Å²", between(0, 1e12),
       "0: noise-free patterns, float32", "1e5", true, "dose"},
      {"dose.noise", &c.noise, "", {}, "Poisson counts; false: expected values"},
      {"dose.type", &c.type, "", one_of({"auto", "uint8", "uint16", "uint32"}), "of the counts"},
  };
}

std::vector<Key> set_keys(Recipe& c) {
  return {
      {.path = "output",
       .field = &c.output,
       .limits = filled(),
       .doc = "HDF5 file; left out: beside this recipe, named after it",
       .example = "simulated.h5",
       .file = FileKind::file},
      {"overwrite", &c.overwrite, "", {}, "replace a data set that was made of another recipe"},
      {"seed", &c.seed, "", at_least(0), "of jitter, phonons and counts"},
      {"threads", &c.threads, "", between(0, 4096), "0: all there are"},
      {"precision", &c.precision, "", one_of({"float", "double"}), "of the arithmetic"},
  };
}

/// The faults between keys.
void check(const Recipe& recipe, const Schema& schema, Faults& faults) {
  const auto fault = [&](const std::string& key, const std::string& text) {
    faults.add(schema.where(key), fmt::format("{}: {}", key, text));
  };
  const auto& s = recipe.specimen;
  if (schema.given("specimen.structure") && schema.given("specimen.file"))
    fault("specimen.file", "excludes specimen.structure; give one of the two");
  if (!s.file.empty() && !fs::is_regular_file(s.file))
    fault("specimen.file", fmt::format("there is no file {}", s.file));
  for (const auto& [key, what] : mismatches(recipe)) fault(key, what);
}

}  // namespace

Schema simulate_schema(Recipe& recipe) {
  std::vector<Key> keys;
  for (auto&& part : {specimen_keys(recipe.specimen), thermal_keys(recipe.thermal),
                      optics_keys(recipe.optics), detector_keys(recipe.detector),
                      scan_keys(recipe.scan), dose_keys(recipe.dose), set_keys(recipe)})
    keys.insert(keys.end(), part.begin(), part.end());
  return {sections(), std::move(keys)};
}

SimulateInput read_simulate(const std::string& file, const std::vector<std::string>& settings) {
  SimulateInput input;
  Schema schema = simulate_schema(input.recipe);
  Faults faults;
  if (!schema.read_file(file, faults)) faults.raise(file);
  for (const auto& setting : settings) schema.read_setting(setting, faults);
  check(input.recipe, schema, faults);
  faults.raise(file);
  if (input.recipe.output.empty())
    input.recipe.output = fs::absolute(file).lexically_normal().replace_extension(".h5").string();
  input.resolved = schema.resolved();
  return input;
}

std::string simulate_template() {
  Recipe recipe;
  return simulate_schema(recipe).starting_file(
      "A starting recipe for: ptyle simulate recipe.yaml\n"
      "Lengths in Å, angles in mrad (azimuths and rotations in degrees), energy in kV.\n"
      "Commented keys show their default or an example; files are relative to this file.");
}

}  // namespace ptyle
