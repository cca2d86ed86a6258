#pragma once

// A crystal that is not the same everywhere: half spaces where its lattice is turned or shifted,
// and elements that are replaced inside a shape.
//
// A plane passes through a point and faces an azimuth in the plane of the scan, inclined towards
// the beam: its normal is n = (cos ι cos φ, cos ι sin φ, sin ι) on (x, y, z), columns, rows, beam;
// with ι = 0 the boundary is seen edge on. Points are Å (row, col, z) from the middle of the scan
// and the entrance.

#include <string>
#include <vector>

#include "simulate/specimen.hpp"

namespace ptyle {

/// The lattice at (r − at)·n > 0 is turned about the beam through `at`, then shifted.
struct Region {
  Vector3 at{};           ///< x y z, Å
  Vector3 normal{};       ///< n
  double turn = 0;        ///< rad, from columns towards rows
  Vector3 shift{};        ///< x y z, Å
  std::string text = {};  ///< as the recipe has it
};

struct Substitution {
  int from = 0, to = 0;   ///< Z
  double share = 1;       ///< of the atoms inside that are replaced, each by chance
  Vector3 at{};           ///< x y z, Å
  bool cylinder = false;  ///< along the beam, through all; else a sphere
  double radius = 0;      ///< Å
  std::string text = {};  ///< as the recipe has it
};

/// The texts of specimen.regions and specimen.substitutions, read. Both return what is wrong
/// with the text, or nothing.
///   "at=(0 0 40) direction=30 inclination=10 turn=1.5 shift=(0 0 0)"
///   "Sr=Ba share=0.6 at=(0 0 40) radius=9", at=(row col): a cylinder
std::string read_region(const std::string& text, Region& region);
std::string read_substitution(const std::string& text, Substitution& substitution);

/// Atoms of the same crystal in all regions are nowhere nearer than this, Å; of two at a boundary
/// that would be, the later region's is left out.
inline constexpr double closest_atoms = 1;

/// As fill(), with regions: a point belongs to the last one that it lies in. `origin`: where
/// regions count from. UserError for a region without an atom.
std::vector<SpecimenAtom> fill(const Structure& structure, const SpecimenBox& box,
                               const std::vector<Region>& regions, const Vector3& origin);

/// Replaces atoms, one substitution after the other, drawn by (seed, atom). UserError for one whose
/// shape holds none of its element.
void substitute(std::vector<SpecimenAtom>& atoms, const std::vector<Substitution>& substitutions,
                const Vector3& origin, std::uint64_t seed);

}  // namespace ptyle
