#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "core/error.hpp"
#include "io/temporary_folder.hpp"
#include "simulate/specimen.hpp"

namespace ptyle {
namespace {

using testing::message_of;
using testing::says;
using testing::TemporaryFolder;

std::map<int, int> elements(const std::vector<SpecimenAtom>& atoms) {
  std::map<int, int> count;
  for (const auto& a : atoms) ++count[a.Z];
  return count;
}

// Places of atoms to 1e-4 Å, in order.
std::vector<std::tuple<int, long, long, long>> places(const std::vector<SpecimenAtom>& atoms) {
  std::vector<std::tuple<int, long, long, long>> all;
  for (const auto& a : atoms)
    all.emplace_back(a.Z, std::lround(a.row * 1e4), std::lround(a.col * 1e4),
                     std::lround(a.z * 1e4));
  std::sort(all.begin(), all.end());
  return all;
}

TEST(Specimen, FillsABoxWithWholeCells) {
  const Structure s = oriented(built_in_structure(BuiltIn::PbTiO3), {0, 0, 1}, 0);
  // Faces halfway between atoms: 4 × 3 cells, and 5 deep, whose lower face is the next cell's.
  const double a = 3.902, c = 4.156;
  const auto atoms = fill(s, {{-0.9, 4 * a - 0.9}, {-0.9, 3 * a - 0.9}, 5 * c});
  EXPECT_EQ(elements(atoms), (std::map<int, int>{{82, 60}, {22, 60}, {8, 180}}));
  for (const auto& atom : atoms) {
    EXPECT_GE(atom.z, 0);
    EXPECT_LT(atom.z, 5 * c);
  }
}

TEST(Specimen, PlacesAreTheCellsFractions) {
  const Structure s = oriented(built_in_structure(BuiltIn::PbTiO3), {0, 0, 1}, 0);
  const auto atoms = fill(s, {{-0.1, 3.8}, {-0.1, 3.8}, 4.156});
  const double a = 3.902, c = 4.156;
  EXPECT_EQ(places(atoms), places({{82, 0, 0, 0},
                                   {22, a / 2, a / 2, 0.5377 * c},
                                   {8, a / 2, a / 2, 0.1118 * c},
                                   {8, 0, a / 2, 0.6174 * c},
                                   {8, a / 2, 0, 0.6174 * c}}));
}

TEST(Specimen, ZoneAxisRunsAlongTheBeam) {
  const Structure cubic = built_in_structure(BuiltIn::SrTiO3);
  const double a = 3.905;
  EXPECT_NEAR(repeat_along(cubic, {1, 1, 0}), a * std::sqrt(2.0), 1e-12);
  EXPECT_NEAR(repeat_along(cubic, {2, 2, 0}), a * std::sqrt(2.0), 1e-12);
  for (const std::array<int, 3> axis :
       {std::array{0, 0, 1}, {1, 1, 0}, {1, 1, 1}, {1, 0, 0}, {-1, 2, 3}}) {
    const Structure s = oriented(cubic, axis, 0.3);
    // The direction itself is along z, and the frame is right-handed and as large as before.
    Vector3 d{};
    for (std::size_t k = 0; k < 3; ++k)
      for (std::size_t i = 0; i < 3; ++i) d[k] += axis[i] * s.lattice[i][k];
    EXPECT_NEAR(d[0], 0, 1e-12);
    EXPECT_NEAR(d[1], 0, 1e-12);
    EXPECT_GT(d[2], 0);
    const auto& [p, q, r] = s.lattice;
    EXPECT_NEAR(p[0] * (q[1] * r[2] - q[2] * r[1]) + p[1] * (q[2] * r[0] - q[0] * r[2]) +
                    p[2] * (q[0] * r[1] - q[1] * r[0]),
                a * a * a, 1e-9);
  }
}

TEST(Specimen, AnyOrientationHasTheDensityOfTheCrystal) {
  const Structure cubic = built_in_structure(BuiltIn::SrTiO3);
  const double side = 60, a = 3.905;
  for (const std::array<int, 3> axis : {std::array{1, 1, 0}, {1, 1, 1}, {1, 2, 3}}) {
    const auto atoms = fill(oriented(cubic, axis, 0.2), {{0, side}, {0, side}, side});
    // Cells on the surface are cut: at most half a cell's thickness on each of six faces.
    const double expected = 5 * std::pow(side / a, 3);
    EXPECT_NEAR(double(atoms.size()), expected, expected * 3 * a / side);
    auto once = places(atoms);
    EXPECT_EQ(std::unique(once.begin(), once.end()), once.end());
  }
}

TEST(Specimen, AQuarterTurnTakesColumnsToRows) {
  const Structure s = built_in_structure(BuiltIn::PbTiO3);
  const Structure before = oriented(s, {0, 0, 1}, 0);
  const Structure after = oriented(s, {0, 0, 1}, std::acos(-1.0) / 2);
  EXPECT_NEAR(before.lattice[0][0], 3.902, 1e-12);  // a along the columns
  EXPECT_NEAR(before.lattice[1][1], 3.902, 1e-12);  // b along the rows
  EXPECT_NEAR(after.lattice[0][1], 3.902, 1e-12);   // turned: a along the rows
  EXPECT_NEAR(after.lattice[1][0], -3.902, 1e-12);
}

TEST(Specimen, BlocksAreCentred) {
  const Structure s = oriented(built_in_structure(BuiltIn::SrTiO3), {0, 0, 1}, 0);
  const auto atoms = block(s, {2, 3, 4}, {{0, 40}, {0, 50}, 0});
  EXPECT_EQ(atoms.size(), 5u * 24);
  double row[2] = {1e9, -1e9}, col[2] = {1e9, -1e9}, top = 1e9;
  for (const auto& a : atoms) {
    row[0] = std::min(row[0], a.row), row[1] = std::max(row[1], a.row);
    col[0] = std::min(col[0], a.col), col[1] = std::max(col[1], a.col);
    top = std::min(top, a.z);
  }
  EXPECT_NEAR((row[0] + row[1]) / 2, 20, 1e-9);
  EXPECT_NEAR((col[0] + col[1]) / 2, 25, 1e-9);
  EXPECT_EQ(top, 0);
  EXPECT_EQ(block(s, {2, 3, 4}, {{0, 40}, {0, 50}, 3.9}).size(), 5u * 6);
}

TEST(Specimen, Mos2LayerIsTrigonalPrismatic) {
  // Half the cell along c is one layer: a Mo, and two S one above the other, 2.41 Å away from it.
  const Structure s = oriented(built_in_structure(BuiltIn::MoS2), {0, 0, 1}, 0);
  const auto atoms = fill(s, {{-20, 20}, {-20, 20}, 12.295 / 2});
  const auto count = elements(atoms);
  EXPECT_NEAR(double(count.at(16)) / count.at(42), 2, 0.1);
  const auto mo = std::min_element(atoms.begin(), atoms.end(), [](const auto& p, const auto& q) {
    const auto key = [](const auto& a) { return a.Z == 42 ? std::hypot(a.row, a.col) : 1e9; };
    return key(p) < key(q);
  });
  int neighbours = 0;
  for (const auto& a : atoms)
    if (a.Z == 16 &&
        std::abs(std::hypot(a.row - mo->row, a.col - mo->col, a.z - mo->z) - 2.41) < 0.03)
      ++neighbours;
  EXPECT_EQ(neighbours, 6);
}

const std::string lead_titanate = R"(# a comment
data_PbTiO3
_cell_length_a   3.902(1)
_cell_length_b   3.902(1)
_cell_length_c   4.156(1)
_cell_angle_alpha 90
_cell_angle_beta  90
_cell_angle_gamma 90
_journal_title
;
 A text
 of two lines with loop_ in it
;
SYMMETRY
loop_
  _atom_site_label
  _atom_site_type_symbol
  _atom_site_fract_x
  _atom_site_fract_y
  _atom_site_fract_z
  _atom_site_occupancy
  Pb1 Pb2+ 0 0 0 1
  Ti1 Ti4+ 0.5 0.5 0.5377 1   # another
  O1  O2-  0.5 0.5 0.1118(3) 0.9
  'O2' O2- 0.5 0 0.6174 1
)";

std::string with_symmetry(const std::string& symmetry) {
  std::string text = lead_titanate;
  return text.replace(text.find("SYMMETRY"), 8, symmetry);
}

TEST(Specimen, CifWithItsSymmetry) {
  const TemporaryFolder folder;
  const std::string by_name =
      folder.write_text("name.cif", with_symmetry("_symmetry_space_group_name_H-M 'P 4 m m'"));
  const std::string by_list = folder.write_text(
      "list.CIF", with_symmetry("loop_\n_space_group_symop_operation_xyz\n'x,y,z' '-x,-y,z' "
                                "\"-y,x,z\" 'y,-x,z'"));
  const SpecimenBox box{{-0.1, 7.7}, {-0.1, 7.7}, 8.3};
  const auto expected = places(fill(built_in_structure(BuiltIn::PbTiO3), box));
  for (const auto& file : {by_name, by_list}) {
    const Structure s = read_structure(file);
    EXPECT_EQ(places(fill(s, box)), expected) << file;
    EXPECT_EQ(std::count_if(s.sites.begin(), s.sites.end(),
                            [](const auto& site) { return site.occupancy == 0.9; }),
              1);
  }
}

TEST(Specimen, XyzMoleculeAndCrystal) {
  const TemporaryFolder folder;
  const auto molecule =
      read_structure(folder.write_text("m.xyz", "2\nCO\nC 0 0 0\nO 0.5 0 1.0 0.3\n"));
  EXPECT_FALSE(molecule.periodic);
  ASSERT_EQ(molecule.sites.size(), 2u);
  EXPECT_EQ(molecule.sites[1].Z, 8);
  EXPECT_EQ(molecule.sites[1].at, (Vector3{0.5, 0, 1}));
  const auto crystal = read_structure(folder.write_text(
      "c.xyz", "1\nLattice=\"4 0 0 0 4 0 0 0 5\" Properties=species:S:1:pos:R:3\nAu 1 1 1\n"));
  EXPECT_TRUE(crystal.periodic);
  EXPECT_EQ(fill(crystal, {{0, 8}, {0, 12}, 10}).size(), 12u);
}

TEST(Specimen, FaultyFilesAreRefused) {
  const TemporaryFolder folder;
  const auto refusal = [&](const std::string& name, const std::string& text) {
    const std::string file = folder.write_text(name, text);
    return message_of<UserError>([&] { (void)read_structure(file); });
  };
  EXPECT_TRUE(says(message_of<UserError>([] { (void)read_structure("none.cif"); }),
                   {"none.cif", "cannot be read"}));
  EXPECT_TRUE(says(refusal("a.pdb", ""), {".cif or .xyz"}));
  EXPECT_TRUE(says(refusal("a.cif", "data_x\n_cell_length_a 3\n"), {"a.cif", "unit cell"}));
  std::string skewed = with_symmetry("_symmetry_space_group_name_H-M 'P 4 m m'");
  skewed.replace(skewed.find("gamma 90"), 8, "gamma 200");
  EXPECT_TRUE(says(refusal("skewed.cif", skewed), {"an angle of the cell is 200 degrees"}));
  EXPECT_TRUE(says(refusal("b.cif", with_symmetry("_symmetry_space_group_name_H-M 'P 4 q q'")),
                   {"P 4 q q"}));
  EXPECT_TRUE(
      says(refusal("c.cif", with_symmetry("loop_\n_space_group_symop_operation_xyz\n'x,y'")),
           {"x,y", "symmetry operation"}));
  EXPECT_TRUE(says(refusal("d.cif", with_symmetry("_x 'not closed")), {"not closed"}));
  EXPECT_TRUE(says(refusal("e.cif", with_symmetry("") + " 7\n"), {"whole rows"}));
  EXPECT_TRUE(says(refusal("f.cif", with_symmetry("") + "Zz Zz 0 0 0 1\n"), {"Zz", "element"}));
  EXPECT_TRUE(says(refusal("g.cif", with_symmetry("") + "O9 O ? 0 0 1\n"), {"O9", "coordinates"}));
  EXPECT_TRUE(says(refusal("h.cif", "data_x\nstray\n"), {"stray"}));
  EXPECT_TRUE(says(refusal("a.xyz", "two\n\n"), {"number of atoms"}));
  EXPECT_TRUE(says(refusal("b.xyz", "2\n\nC 0 0 0\n"), {"line 4"}));
  EXPECT_TRUE(says(refusal("c.xyz", "1\nLattice=\"1 2 3\"\nC 0 0 0\n"), {"nine numbers"}));
  EXPECT_TRUE(says(refusal("c.xyz", "1\nLattice=\"4 0 0 4 0 0 0 0 4\"\nC 0 0 0\n"), {"no volume"}));
  EXPECT_TRUE(says(refusal("d.xyz", "1\n\nXx 0 0 0\n"), {"Xx"}));
  EXPECT_TRUE(says(refusal("d.xyz", "1\n\n79 0 0 0\n"), {"\"79\""}));
}

}  // namespace
}  // namespace ptyle
