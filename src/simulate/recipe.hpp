#pragma once

// Configuration of a simulation: plain structs, each with its keys (core/keys.hpp). Lengths Å,
// angles mrad (azimuths and rotations degrees), accelerating voltage kV. make_plan() checks the
// limits.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/choice.hpp"
#include "core/limits.hpp"
#include "core/precision.hpp"
#include "physics/beam_keys.hpp"
#include "physics/scattering.hpp"

namespace ptyle {

/// A structure that needs no file; MoS2 is the 2H one.
enum class BuiltIn { PbTiO3, SrTiO3, MoS2 };
constexpr auto choices(BuiltIn) {
  return std::to_array<Named<BuiltIn>>(
      {{BuiltIn::PbTiO3, "PbTiO3"}, {BuiltIn::SrTiO3, "SrTiO3"}, {BuiltIn::MoS2, "MoS2"}});
}

constexpr auto choices(Parametrization) {
  return std::to_array<Named<Parametrization>>(
      {{Parametrization::lobato, "lobato"}, {Parametrization::kirkland, "kirkland"}});
}

/// Keys specimen.*
struct SpecimenRecipe {
  BuiltIn structure = BuiltIn::PbTiO3;  ///< not used with `file`
  std::string file;                     ///< CIF (*.cif) or XYZ (*.xyz, extended XYZ)
  std::array<int, 3> zone_axis{0, 0, 1};
  double rotation = 0;
  std::array<int, 3> repeat{};
  double thickness = 0;  ///< 0: one cell along the beam, or all of the block or molecule
  double slice_thickness = 1.25;
  Parametrization potential = Parametrization::lobato;
};

template <class V>
void keys(V& v, SpecimenRecipe& c) {
  v.section("specimen", "what is imaged", AtResume::same);
  v("structure", c.structure, "built in").starting("PbTiO3");
  v("file", c.file, filled(), "a structure in CIF (.cif) or XYZ (.xyz), in place of a built-in one")
      .example("structure.cif")
      .also_called("cif xyz")
      .file();
  v("zone_axis", c.zone_axis, "lattice direction [u v w] along the beam");
  v("rotation", c.rotation, "degrees", "about the beam, from columns towards rows");
  v("repeat", c.repeat, between(0, 10000), "cells",
    "a block of cells centred under the scan; [0, 0, 0]: fill what the windows reach");
  v("thickness", c.thickness, above(0).up_to(1e5), "Å",
    "along the beam; left out: one cell, or all of the block or molecule")
      .starting("20");
  v("slice_thickness", c.slice_thickness, above(0).up_to(1e4), "Å", "of every slice")
      .also_called("dz");
  v("potential", c.potential, "scattering factors").also_called("parametrization");
}

enum class Motion { none, debye_waller, frozen_phonons };
constexpr auto choices(Motion) {
  return std::to_array<Named<Motion>>({{Motion::none, "none"},
                                       {Motion::debye_waller, "debye_waller"},
                                       {Motion::frozen_phonons, "frozen_phonons"}});
}

/// Keys thermal.*
struct ThermalRecipe {
  Motion motion = Motion::none;
  std::vector<std::string> B;    ///< ["Pb=0.85", "O=0.6"]; 0 … 100
  std::vector<std::string> rms;  ///< ["Ti=0.07"]; 0 … 1
  int configurations = 1;
};

template <class V>
void keys(V& v, ThermalRecipe& c) {
  v.section("thermal", "how its atoms move", AtResume::same);
  v("motion", c.motion, "smeared potentials, or an average over displaced atoms");
  v("B", c.B, "Å²", "Debye-Waller factor by element").example("[Pb=0.85, Ti=0.5, O=0.6]");
  v("rms", c.rms, "Å", "or displacement along one axis by element").example("[Pb=0.1]");
  v("configurations", c.configurations, between(1, 1000), "of frozen phonons, averaged");
}

/// Keys optics.*, named as in a reconstruction.
struct SimulatedOptics {
  double energy = 200;
  double semi_angle = 30;
  double defocus = 0;
  double C12 = 0, phi12 = 0;
  double C21 = 0, phi21 = 0;
  double C23 = 0, phi23 = 0;
  double C30 = 0;
  double aperture_edge = 1;  ///< detector px before binning
  int modes = 1;
  double mode_power = 0.02;  ///< of all together less than 1
};

template <class V>
void keys(V& v, SimulatedOptics& o) {
  v.section("optics", "the beam", AtResume::same);
  energy_key(v, o, "200");
  aperture_keys(v, o, "30", "250");
  v("aperture_edge", o.aperture_edge, between(0, 100), "detector px",
    "width of the aperture's rim; 0: hard");
  v("modes", o.modes, between(1, 32), "incoherent modes of the probe");
  v("mode_power", o.mode_power, between(0, 1), "fraction of the power of each further mode");
}

/// Keys detector.*
struct DetectorRecipe {
  int window = 256;  ///< W: object pixels = detector pixels before binning
  double pixel_size = 0.1;
  int bin = 1;  ///< about the zero frequency
  double band_limit = 2.0 / 3;
};

template <class V>
void keys(V& v, DetectorRecipe& c) {
  v.section("detector", "the patterns", AtResume::same);
  v("window", c.window, between(8, 8192), "px",
    "side of the square window that the probe is propagated in")
      .starting("128")
      .also_called("npix");
  v("pixel_size", c.pixel_size, above(0).up_to(1e4), "Å", "pixel of the object")
      .starting("0.2")
      .also_called("dx sampling");
  v("bin", c.bin, between(1, 8192), "px", "sum b x b detector pixels; divides window")
      .also_called("binning");
  v("band_limit", c.band_limit, between(0, 1), "of Nyquist", "anti-aliasing; 0: none");
}

/// Keys scan.*
struct ScanRecipe {
  std::array<int, 2> shape{12, 12};
  std::array<double, 2> step{1.45, 1.45};
  double rotation = 0;  ///< position = R(θ) (slow, fast) · step
  bool snake = false;
  double jitter = 0;
};

template <class V>
void keys(V& v, ScanRecipe& c) {
  v.section("scan", "where the probe stands", AtResume::same);
  v("shape", c.shape, between(1, 100000), "positions (slow, fast)").starting("[12, 12]");
  v("step", c.step, above(0).up_to(1e6).alone(), "Å", "between positions (slow, fast)")
      .starting("[1.45, 1.45]")
      .also_called("scan_step step_size");
  v("rotation", c.rotation, between(-360, 360), "degrees",
    "R(rotation) (slow, fast) on (row, col)");
  v("snake", c.snake, "every second line runs backwards");
  v("jitter", c.jitter, at_least(0), "Å", "standard deviation of every coordinate");
}

/// The counts' type in the file.
enum class CountType { uint8, uint16, uint32, float32 };

/// A type of counts: chosen by the dose where it has no value.
constexpr auto choices(std::optional<CountType>) {
  return std::to_array<Named<std::optional<CountType>>>({{std::nullopt, "auto"},
                                                         {CountType::uint8, "uint8"},
                                                         {CountType::uint16, "uint16"},
                                                         {CountType::uint32, "uint32"}});
}

/// Keys dose.*
struct DoseRecipe {
  double electrons_per_A2 = 0;  ///< 0: patterns sum to their number of pixels
  bool noise = true;            ///< where there is a dose
  std::optional<CountType> type;
};

template <class V>
void keys(V& v, DoseRecipe& c) {
  v.section("dose", "electrons and counts", AtResume::same);
  v("electrons_per_A2", c.electrons_per_A2, between(0, 1e12), "e/Å²",
    "0: noise-free patterns, float32")
      .starting("1e5")
      .also_called("dose");
  v("noise", c.noise, "Poisson counts; false: expected values");
  v("type", c.type, "of the counts");
}

struct Recipe {
  SpecimenRecipe specimen;
  ThermalRecipe thermal;
  SimulatedOptics optics;
  DetectorRecipe detector;
  ScanRecipe scan;
  DoseRecipe dose;
  std::string output;  ///< "output.part" until it is complete
  bool overwrite = false;
  std::uint64_t seed = 0;
  int threads = 0;  ///< 0: all that the operating system lets this process have
  Precision precision = Precision::float32;
};

template <class V>
void keys(V& v, Recipe& c) {
  keys(v, c.specimen);
  keys(v, c.thermal);
  keys(v, c.optics);
  keys(v, c.detector);
  keys(v, c.scan);
  keys(v, c.dose);
  v.section("", "the data set", AtResume::same);
  v("output", c.output, filled(), "HDF5 file; left out: beside this recipe, named after it")
      .example("simulated.h5")
      .file()
      .free_at_resume();
  v("overwrite", c.overwrite, "replace a data set that was made of another recipe")
      .free_at_resume();
  v("seed", c.seed, at_least(0), "of jitter, phonons and counts");
  v("threads", c.threads, between(0, 4096), "0: all there are").free_at_resume();
  v("precision", c.precision, "of the arithmetic");
}

/// Everything that decides the numbers of a data set (not output, overwrite, threads), as YAML
/// text: equal texts give equal data sets. A structure's file is named with a check sum of its
/// contents.
std::string describe(const Recipe& recipe);

}  // namespace ptyle
