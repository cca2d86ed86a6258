#pragma once

// From a structure to atoms under the beam: cell → orientation → repeats or a filled box.

#include <array>
#include <string>
#include <vector>

#include "core/array.hpp"
#include "simulate/recipe.hpp"

namespace ptyle {

using Vector3 = std::array<double, 3>;

struct SpecimenAtom {
  int Z = 0;
  double row = 0, col = 0, z = 0;  ///< Å; z along the beam, 0 at the entrance
  double occupancy = 1;            ///< the potential's factor
};

/// A structure as its file gives it: Cartesian Å, x y z.
struct Structure {
  struct Site {
    int Z = 0;
    Vector3 at{};
    double occupancy = 1;
  };
  bool periodic = false;
  std::array<Vector3, 3> lattice{{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};  ///< a, b, c
  std::vector<Site> sites;  ///< of one cell; Debye-Waller factors are the recipe's, not the file's
};

Structure built_in_structure(BuiltIn name);
/// CIF with its symmetry, or (extended) XYZ, by the file's ending. UserError where it is faulty.
Structure read_structure(const std::string& file);
Structure read_cif(const std::string& file);
Structure read_xyz(const std::string& file);

/// The structure turned so that the lattice direction [u v w] runs along +z (the beam) and a (or b,
/// where a is along the beam) lies in the plane of z and x (columns), then turned about z by
/// `rotation` rad from x to y (rows). x y z is right-handed: columns, rows, beam.
Structure oriented(Structure structure, std::array<int, 3> zone_axis, double rotation);

/// The shortest lattice repeat along [u v w], Å.
double repeat_along(const Structure& structure, std::array<int, 3> zone_axis);

/// The box that atoms may lie in: [row[0], row[1]) × [col[0], col[1]) × [0, thickness), Å.
struct SpecimenBox {
  std::array<double, 2> row{}, col{};
  double thickness = 0;
};

/// All atoms of the oriented crystal in the box; the origin of its cell is at (0, 0, 0). Sorted by
/// nothing but the order of cells, which is always the same.
std::vector<SpecimenAtom> fill(const Structure& structure, const SpecimenBox& box);

/// na × nb × nc cells (1 1 1 for a molecule), laterally centred on the box, the uppermost atom at
/// z = 0; atoms outside the box are left out. thickness ≤ 0: no limit.
std::vector<SpecimenAtom> block(const Structure& structure, std::array<int, 3> repeat,
                                const SpecimenBox& box);

}  // namespace ptyle
