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
  std::vector<std::string> regions;        ///< as read_region() reads them (regions.hpp)
  std::vector<std::string> substitutions;  ///< as read_substitution() reads them
  double tilt_row = 0, tilt_col = 0;
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
  v("regions", c.regions, "Å, degrees",
    "half spaces, each by its plane's point and normal, where the lattice is turned about the beam "
    "or shifted (docs/formats.md)")
      .example("[at=(0 0 40) direction=30 inclination=10 turn=1.5 shift=(0 0 0)]")
      .also_called("grains domains")
      .reported_if_set();
  v("substitutions", c.substitutions, "Å",
    "another element, by chance, in a sphere; with at=(row col) in a cylinder along the beam")
      .example("[Pb=Sr share=0.6 at=(0 0 10) radius=9]")
      .also_called("dopants")
      .reported_if_set();
  v("tilt_row", c.tilt_row, between(-500, 500), "mrad", "mistilt, rows").reported_if_set();
  v("tilt_col", c.tilt_col, between(-500, 500), "mrad", "mistilt, columns").reported_if_set();
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
  double source_size = 0;
  double focal_spread = 0;
  double left_out = 1e-3;
  double defocus_drift = 0;
  double current_jitter = 0;
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
  coherence_keys(v, o,
                 "standard deviation of the source's Gaussian image along each axis (FWHM / 2.355)",
                 "standard deviation of the defocus");
  v("left_out", o.left_out, between(1e-9, 0.1),
    "fraction of the power at most, with the weakest of the modes that these two make")
      .reported_if_set();
  v("defocus_drift", o.defocus_drift, between(-1e5, 1e5), "Å",
    "change of the defocus from the first position to the last")
      .reported_if_set();
  v("current_jitter", o.current_jitter, between(0, 0.3),
    "standard deviation of the beam's current, a fraction of it, drawn anew at each position")
      .reported_if_set();
}

/// Keys detector.*
struct DetectorRecipe {
  int window = 256;  ///< W: object pixels = detector pixels before binning
  double pixel_size = 0.1;
  int bin = 1;  ///< about the zero frequency
  double band_limit = 2.0 / 3;
  double blur = 0;  ///< of detector pixels after binning, as all that follows
  double gain = 1;
  double gain_spread = 0;
  double background = 0;
  double offset = 0;
  double readout_noise = 0;
  double dead_pixels = 0;
  std::array<double, 2> descan_row{}, descan_col{};  ///< px/Å of the position's (row, col)
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
  v("blur", c.blur, between(0, 100), "detector px",
    "standard deviation of the Gaussian that an electron's signal spreads over")
      .also_called("mtf psf")
      .reported_if_set();
  v("gain", c.gain, above(0).up_to(1e6), "counts", "of an electron").reported_if_set();
  v("gain_spread", c.gain_spread, between(0, 0.3),
    "standard deviation of the electrons that a pixel counts over those that reach it, 1 on "
    "average, drawn once for each")
      .also_called("flat_field")
      .reported_if_set();
  v("background", c.background, between(0, 1e6), "electrons",
    "that reach every pixel beside the beam's, counted with them")
      .reported_if_set();
  v("offset", c.offset, between(-1e6, 1e6), "counts", "added to every pixel")
      .also_called("dark")
      .reported_if_set();
  v("readout_noise", c.readout_noise, between(0, 1e6), "counts", "standard deviation")
      .reported_if_set();
  v("dead_pixels", c.dead_pixels, between(0, 0.5), "share of the pixels that always read 0")
      .reported_if_set();
  v("descan_row", c.descan_row, between(-1e3, 1e3), "detector px/Å",
    "shift of the patterns along rows with the scan's (row, col) from its middle")
      .reported_if_set();
  v("descan_col", c.descan_col, between(-1e3, 1e3), "detector px/Å", "the same along columns")
      .reported_if_set();
}

/// Which positions the file reports.
enum class Reported { actual, nominal };

/// The nominal ones where the scan is distorted, drifts or has lines that jitter, if it has no
/// value.
constexpr auto choices(std::optional<Reported>) {
  return std::to_array<Named<std::optional<Reported>>>(
      {{std::nullopt, "auto"}, {Reported::actual, "actual"}, {Reported::nominal, "nominal"}});
}

/// Keys scan.*; step and rotation are what the microscope believes, and from `turn` on, all makes
/// the true positions differ (scan.hpp).
struct ScanRecipe {
  std::array<int, 2> shape{12, 12};
  std::array<double, 2> step{1.45, 1.45};
  double rotation = 0;  ///< position = R(θ) (slow, fast) · step
  bool snake = false;
  double turn = 0;
  double scale = 1;
  double asymmetry = 0;
  double shear = 0;
  std::array<double, 2> drift{};
  double line_jitter = 0;
  double jitter = 0;
  std::optional<Reported> reported{};
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
  v("turn", c.turn, between(-360, 360), "degrees",
    "of the true positions beyond scan.rotation, about the scan's middle")
      .also_called("rotation_error")
      .reported_if_set();
  v("scale", c.scale, above(0).up_to(100), "true step over scan.step").reported_if_set();
  v("asymmetry", c.asymmetry, between(-1, 1),
    "a: the slow step is 1 + a/2, the fast one 1 - a/2 times as long")
      .reported_if_set();
  v("shear", c.shear, between(-80, 80), "degrees", "that the slow axis leans towards the fast one")
      .reported_if_set();
  v("drift", c.drift, between(-1e6, 1e6), "Å",
    "of the probe on the specimen (row, col) from the first position to the last")
      .reported_if_set();
  v("line_jitter", c.line_jitter, at_least(0), "Å",
    "standard deviation of every coordinate, one offset a line")
      .reported_if_set();
  v("jitter", c.jitter, at_least(0), "Å", "standard deviation of every coordinate");
  v("reported", c.reported,
    "what /positions holds; auto: nominal where the scan is distorted, drifts or has line jitter")
      .reported_if_set();
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
  int threads = 0;  ///< 0: available_threads()
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
  v("seed", c.seed, at_least(0), "of all that is drawn by chance: jitter, phonons, counts");
  v("threads", c.threads, between(0, 4096),
    "0: all there are, at most OMP_NUM_THREADS where that is set")
      .free_at_resume();
  v("precision", c.precision, "of the arithmetic");
}

/// Everything that decides the numbers of a data set (not output, overwrite, threads), as YAML
/// text: equal texts give equal data sets. A structure's file is named with a check sum of its
/// contents.
std::string describe(const Recipe& recipe);

}  // namespace ptyle
