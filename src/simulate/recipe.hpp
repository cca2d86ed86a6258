#pragma once

// What the user says about a simulation: plain structs, as the keys of the recipe (YAML) name them.
// Lengths Å, angles mrad (azimuths and rotations degrees), energy kV. Limits beside each field are
// checked by make_plan().

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace ptyle {

/// Keys specimen.*
struct SpecimenRecipe {
  std::string structure =
      "PbTiO3";      ///< built in: PbTiO3 | SrTiO3 | MoS2 (2H); not used with `file`
  std::string file;  ///< a structure in CIF (*.cif) or XYZ (*.xyz, extended XYZ)
  std::array<int, 3> zone_axis{0, 0, 1};  ///< [u v w] along the beam; not [0 0 0]
  double rotation = 0;  ///< degrees, about the beam, from the columns' axis to the rows'
  std::array<int, 3>
      repeat{};          ///< cells along a, b, c: a block centred under the scan; [0 0 0]: fill
  double thickness = 0;  ///< Å, ≥ 0; 0: one cell along the beam, or all of the block or molecule
  double slice_thickness = 1.25;     ///< Å, > 0
  std::string potential = "lobato";  ///< lobato | kirkland
};

/// Keys thermal.*
struct ThermalRecipe {
  std::string motion = "none";   ///< none | debye_waller | frozen_phonons
  std::vector<std::string> B;    ///< Å², per element: ["Pb=0.85", "O=0.6"]; 0 … 100
  std::vector<std::string> rms;  ///< or RMS displacement along one axis, Å: ["Ti=0.07"]; 0 … 1
  int configurations = 1;        ///< of frozen phonons, averaged; 1 … 1000
};

/// Keys optics.*, named as in a reconstruction.
struct SimulatedOptics {
  double energy = 200;        ///< kV, > 0 … 3000
  double semi_angle = 30;     ///< convergence semi-angle, mrad, > 0 … 200
  double defocus = 0;         ///< Å, positive = underfocus, = −C10
  double C12 = 0, phi12 = 0;  ///< two-fold astigmatism, Å, degrees from +x
  double C21 = 0, phi21 = 0;  ///< coma
  double C23 = 0, phi23 = 0;  ///< three-fold astigmatism
  double C30 = 0;             ///< spherical aberration, Å (1 mm = 1e7 Å)
  double aperture_edge =
      1;          ///< width of the aperture's rim, detector px before binning, ≥ 0; 0: hard
  int modes = 1;  ///< incoherent probe modes, 1 … 32
  double mode_power = 0.02;  ///< share of the power of each further mode, ≥ 0, all below 1 in sum
};

/// Keys detector.*
struct DetectorRecipe {
  int window = 256;         ///< W, px: object pixels = detector pixels before binning; 8 … 8192
  double pixel_size = 0.1;  ///< real-space pixel, Å, > 0
  int bin = 1;              ///< detector pixels summed b × b about the zero frequency; divides W
  double band_limit =
      2.0 / 3;  ///< anti-aliasing, fraction of the Nyquist frequency, 0 … 1; 0: none
};

/// Keys scan.*
struct ScanRecipe {
  std::array<int, 2> shape{12, 12};        ///< (slow, fast) = rows, columns of the scan; ≥ 1
  std::array<double, 2> step{1.45, 1.45};  ///< Å, (slow, fast), > 0
  double rotation = 0;                     ///< degrees: position = R(θ) (slow, fast) · step
  bool snake = false;                      ///< every second line runs backwards
  double jitter = 0;                       ///< standard deviation of each coordinate, Å, ≥ 0
};

/// Keys dose.*
struct DoseRecipe {
  double electrons_per_A2 = 0;  ///< e/Å², ≥ 0; 0: patterns sum to their number of pixels
  bool noise = true;            ///< Poisson counts, where there is a dose; false: expected values
  std::string type = "auto";    ///< of counts: auto (from the dose) | uint8 | uint16 | uint32
};

struct Recipe {
  SpecimenRecipe specimen;
  ThermalRecipe thermal;
  SimulatedOptics optics;
  DetectorRecipe detector;
  ScanRecipe scan;
  DoseRecipe dose;
  std::string output;               ///< the data set (HDF5); "output.part" until it is complete
  bool overwrite = false;           ///< replace an output that was made from another recipe
  std::uint64_t seed = 0;           ///< of jitter, phonons and counts
  int threads = 0;                  ///< 0: all that the operating system lets this process have
  std::string precision = "float";  ///< float | double, of the multislice
};

/// Everything that decides the numbers of a data set (not output, overwrite, threads), as YAML
/// text: equal texts give equal data sets. A structure's file is named with a check sum of its
/// contents.
std::string describe(const Recipe& recipe);

}  // namespace ptyle
