#pragma once

// A recipe worked out: everything that is known before the first potential.
//
//   1. positions of the scan, and the object that all their windows reach
//   2. atoms that fill it (or a block under the scan)
//   3. the probe, scaled to the dose, and the propagator
//   4. the integer type that the counts will fit

#include <map>
#include <string>
#include <vector>

#include "core/array.hpp"
#include "core/grid.hpp"
#include "operator/operator.hpp"
#include "simulate/potential.hpp"
#include "simulate/recipe.hpp"
#include "simulate/specimen.hpp"

namespace ptyle {

struct Plan {
  double wavelength = 0;       ///< Å
  double interaction = 0;      ///< σ, rad/(V Å)
  double pixel = 0;            ///< Å
  i64 window = 0;              ///< W, object pixels
  i64 detector = 0;            ///< W / bin, detector pixels
  double slice_thickness = 0;  ///< Å
  i64 slices = 0;
  i64 ny = 0, nx = 0;               ///< the object, px
  std::vector<Position> positions;  ///< Å from the centre of object pixel [0, 0]
  i64 margin = 0;                   ///< px around the object that potentials are made on
  SliceGrid grid;                   ///< object and margin, and more
  std::vector<SpecimenAtom> atoms;  ///< at rest, Å from the centre of object pixel [0, 0]
  Parametrization parametrization = Parametrization::lobato;
  std::map<int, double> B;  ///< Å²; of frozen phonons too
  bool frozen_phonons = false;
  int configurations = 1;
  Array<Complex<float>, 3> probe;  ///< (mode, y, x), centred; W² Σ|probe|² = electrons
  double electrons = 0;            ///< Σ of a pattern's expected values, were none scattered away
  CountType type = CountType::float32;
  int threads = 1;

  [[nodiscard]] OperatorSetup operator_setup() const;
  double band_limit = 0;
};

/// UserError, with the key, for whatever the recipe has wrong.
Plan make_plan(const Recipe& recipe);

/// The scan's positions about its own origin, Å: R(θ)(slow, fast)·step, snake and jitter applied.
std::vector<Position> scan_positions(const ScanRecipe& scan, std::uint64_t seed);

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

// Streams of random numbers.
inline constexpr std::uint32_t jitter_stream = 1, count_stream = 2, phonon_stream = 1000;

/// A standard normal deviate (Box and Muller), the same on every platform.
double normal_deviate(class Philox& random);

}  // namespace ptyle
