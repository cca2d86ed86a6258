#pragma once

// A recipe worked out: everything that is known before the first potential.
//
//   1. positions of the scan, and the object that all their windows reach
//   2. atoms that fill it (or a block under the scan), region by region, some replaced
//   3. the probe, its modes those of the source too, scaled to the dose, and the propagator
//   4. the detector, and the type that its counts will fit

#include <map>
#include <string>
#include <vector>

#include "core/array.hpp"
#include "core/grid.hpp"
#include "operator/operator.hpp"
#include "physics/propagator.hpp"
#include "simulate/potential.hpp"
#include "simulate/recipe.hpp"
#include "simulate/scan.hpp"
#include "simulate/specimen.hpp"
#include "simulate/streams.hpp"

namespace ptyle {

/// Counts of an electron, and what is added to them.
struct Readout {
  double gain = 1, offset = 0;
  double noise = 0;  ///< standard deviation
  [[nodiscard]] bool any() const { return gain != 1 || offset != 0 || noise > 0; }
};

struct Plan {
  double wavelength = 0;       ///< Å
  double semi_angle = 0;       ///< rad
  double interaction = 0;      ///< σ, rad/(V Å)
  double pixel = 0;            ///< Å
  i64 window = 0;              ///< W, object pixels
  i64 detector = 0;            ///< W / bin, detector pixels
  double slice_thickness = 0;  ///< Å
  i64 slices = 0;
  i64 ny = 0, nx = 0;               ///< the object, px
  std::vector<Position> positions;  ///< Å from the centre of object pixel [0, 0]
  std::vector<Position> reported;   ///< those of the file's /positions, from the same origin
  Position middle;                  ///< of the nominal raster, from the same origin
  i64 margin = 0;                   ///< px around the object that potentials are made on
  SliceGrid grid;                   ///< object and margin, and more
  std::vector<SpecimenAtom> atoms;  ///< at rest, Å from the centre of object pixel [0, 0]
  Parametrization parametrization = Parametrization::lobato;
  std::map<int, double> B;  ///< Å²; of frozen phonons too
  bool frozen_phonons = false;
  int configurations = 1;
  Array<Complex<float>, 3> probe;  ///< (mode, y, x), centred; W² Σ|probe|² = electrons
  double electrons = 0;            ///< Σ of a pattern's expected values, were none scattered away
  Tilt tilt;                       ///< of the specimen, rad
  std::vector<double> defocus_changes;  ///< Å, by position; empty: none
  std::vector<double> currents;  ///< of the beam, by position, 1 on average; empty: all are 1
  std::vector<Position> descan;  ///< shift of each pattern, detector px; empty: none
  double blur = 0;               ///< detector px
  double background = 0;         ///< electrons of every detector pixel beside the beam's
  Array<double, 2> gains;        ///< counted of an electron, 1 on average; empty: all are 1
  bool noise = false;            ///< electrons are counted
  Readout readout;
  Array<std::uint8_t, 2> dead;  ///< 1: reads 0; empty: none does
  CountType type = CountType::float32;
  int threads = 1;

  [[nodiscard]] OperatorSetup operator_setup() const;
  double band_limit = 0;
};

/// UserError, with the key, for whatever the recipe has wrong.
Plan make_plan(const Recipe& recipe);

/// The atoms of a configuration of frozen phonons: each displaced along each axis by a normal
/// deviate of the element's √(B/8π²). Without frozen phonons: the atoms at rest.
std::vector<SpecimenAtom> atoms_of(const Plan& plan, std::uint64_t seed, int configuration);

/// The narrowest type for patterns of `electrons` whose bright-field disc has `disc` pixels: a
/// pixel is reckoned to hold at most 16 times the disc's mean (that many discs interfering
/// constructively) and ten standard deviations more.
CountType count_type(double electrons, double disc);
/// The largest count that the type holds.
double largest_count(CountType type);
std::string to_string(CountType type);

}  // namespace ptyle
