#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/units.hpp"
#include "io/temporary_folder.hpp"
#include "simulate/plan.hpp"
#include "simulate/regions.hpp"
#include "simulate/small_recipe.hpp"

namespace ptyle {
namespace {

using testing::message_of;
using testing::says;

constexpr double a = 3.905;  // of SrTiO3
const SpecimenBox box{{-0.3, 40}, {-0.3, 44}, 30};
const Vector3 origin{20, 18, 0};  // x y z

Region region(const std::string& text) {
  Region r;
  EXPECT_EQ(read_region(text, r), "");
  return r;
}

double beyond(const Region& r, const SpecimenAtom& atom) {
  return r.normal[0] * (atom.col - origin[0] - r.at[0]) +
         r.normal[1] * (atom.row - origin[1] - r.at[1]) + r.normal[2] * (atom.z - r.at[2]);
}

bool same(const SpecimenAtom& p, const SpecimenAtom& q) {
  return p.Z == q.Z && std::hypot(p.row - q.row, p.col - q.col, p.z - q.z) < 1e-9;
}

// Å to the nearest site of the element in the crystal whose cell has its corner at 0.
double from_a_site(const SpecimenAtom& atom) {
  double least = 1e9;
  for (const auto& site : built_in_structure(BuiltIn::SrTiO3).sites) {
    if (site.Z != atom.Z) continue;
    const auto off = [](double x) { return x - a * std::round(x / a); };
    least = std::min(least, std::hypot(off(atom.col - site.at[0]), off(atom.row - site.at[1]),
                                       off(atom.z - site.at[2])));
  }
  return least;
}

TEST(Regions, TextsAreRead) {
  const Region r = region("at=(1 -2 40) direction=30 inclination=-10 turn=1.5 shift=(0.1 0.2 0.3)");
  EXPECT_EQ(r.at, (Vector3{-2, 1, 40}));
  EXPECT_NEAR(r.normal[0], std::cos(10 * degree) * std::cos(30 * degree), 1e-12);
  EXPECT_NEAR(r.normal[1], std::cos(10 * degree) * std::sin(30 * degree), 1e-12);
  EXPECT_NEAR(r.normal[2], -std::sin(10 * degree), 1e-12);
  EXPECT_NEAR(r.turn, 1.5 * degree, 1e-12);
  EXPECT_EQ(r.shift, (Vector3{0.2, 0.1, 0.3}));
  Substitution s;
  EXPECT_EQ(read_substitution("Sr=Ba share=0.6 at=(1 2 3) radius=9", s), "");
  EXPECT_EQ(s.from, 38);
  EXPECT_EQ(s.to, 56);
  EXPECT_EQ(s.at, (Vector3{2, 1, 3}));
  EXPECT_EQ(s.share, 0.6);
  EXPECT_FALSE(s.cylinder);
  EXPECT_EQ(read_substitution("Sr=Ba at=(1 2) radius=9", s), "");
  EXPECT_TRUE(s.cylinder);
  EXPECT_EQ(s.share, 1);
}

TEST(Regions, WrongTextsAreRefused) {
  Region r;
  Substitution s;
  const std::pair<const char*, const char*> regions[] = {
      {"everywhere", "not a list of name=value"},
      {"at=(0 0", "not a list of name=value"},
      {"turn=3", "at=(row col z) is missing"},
      {"at=(0 0 4)", "turn or shift is missing"},
      {"at=(0 x 4) turn=3", "at must be 2 or 3 numbers"},
      {"at=5 turn=3", "at must be 2 or 3 numbers"},
      {"at=(0 0) turn=3 turn=4", "turn is given twice"},
      {"at=(0 0) turn=500", "turn must be from -360 to 360"},
      {"at=(0 0) inclination=90 turn=1", "inclination must be from -89 to 89"},
      {"at=(0 0) tilt=1", "there is no \"tilt\""}};
  for (const auto& [text, wrong] : regions)
    EXPECT_TRUE(says(read_region(text, r), {wrong, "must read as"})) << text;
  const std::pair<const char*, const char*> substitutions[] = {
      {"Sr Ba", "not a list of name=value"},
      {"Sr=Xx at=(0 0) radius=3", "two elements"},
      {"at=(0 0) Sr=Ba radius=3", "two elements"},
      {"Sr=Ba radius=3", "at=(row col z) is missing"},
      {"Sr=Ba at=(0 0)", "radius is missing"},
      {"Sr=Ba at=(0 0) radius=3 share=1.5", "share must be from 0 to 1"}};
  for (const auto& [text, wrong] : substitutions)
    EXPECT_TRUE(says(read_substitution(text, s), {wrong, "must read as"})) << text;
  Recipe recipe = small_recipe();
  recipe.specimen.regions = {"at=(0 0) turn=a"};
  recipe.specimen.substitutions = {"Pb=Sr at=(0 0)"};
  EXPECT_TRUE(says(message_of<UserError>([&] { (void)make_plan(recipe); }),
                   {"specimen.regions", "specimen.substitutions"}));
  recipe = small_recipe();
  recipe.specimen.regions = {"at=(0 0) turn=1"};
  recipe.specimen.repeat = {3, 3, 3};
  EXPECT_TRUE(says(message_of<UserError>([&] { (void)make_plan(recipe); }), {"specimen.regions"}));
}

TEST(Regions, EachSideHasItsOwnLattice) {
  // On this side nothing changes; on the other every atom, turned and shifted back about the
  // region's point, is on a site of the crystal.
  const Structure crystal = built_in_structure(BuiltIn::SrTiO3);
  const Region r = region("at=(2 -3 12) direction=40 inclination=15 turn=7 shift=(0.4 -0.3 0.2)");
  const auto whole = fill(crystal, box), atoms = fill(crystal, box, {r}, origin);
  EXPECT_NEAR(double(atoms.size()), double(whole.size()), 0.05 * double(whole.size()));
  const double c = std::cos(7 * degree), s = std::sin(7 * degree);
  std::size_t here = 0, there = 0;
  for (const auto& atom : atoms) {
    if (beyond(r, atom) <= 0) {
      EXPECT_TRUE(std::any_of(whole.begin(), whole.end(),
                              [&](const auto& other) { return same(atom, other); }));
      ++here;
      continue;
    }
    const double x = atom.col - r.shift[0] - origin[0] - r.at[0],
                 y = atom.row - r.shift[1] - origin[1] - r.at[1];
    SpecimenAtom back = atom;
    back.col = c * x + s * y + origin[0] + r.at[0];
    back.row = -s * x + c * y + origin[1] + r.at[1];
    back.z = atom.z - r.shift[2];
    EXPECT_LT(from_a_site(back), 1e-9);
    ++there;
  }
  // All that is on this side is there.
  const auto kept = std::count_if(whole.begin(), whole.end(),
                                  [&](const auto& atom) { return beyond(r, atom) <= 0; });
  EXPECT_EQ(here, static_cast<std::size_t>(kept));
  EXPECT_GT(there, atoms.size() / 4);
}

TEST(Regions, NoTwoAtomsAreTooCloseAtABoundary) {
  const Structure crystal = built_in_structure(BuiltIn::SrTiO3);
  for (const double turn : {1.5, 20.0}) {
    const auto atoms =
        fill(crystal, box,
             {region("at=(0 0 15) direction=20 inclination=10 turn=" + std::to_string(turn)),
              region("at=(9 0 15) direction=90 turn=3")},
             origin);
    for (std::size_t i = 0; i < atoms.size(); ++i)
      for (std::size_t j = 0; j < i; ++j)
        ASSERT_GE(std::hypot(atoms[i].row - atoms[j].row, atoms[i].col - atoms[j].col,
                             atoms[i].z - atoms[j].z),
                  closest_atoms);
  }
}

TEST(Regions, AnUnmovedRegionChangesNothing) {
  const Structure crystal = built_in_structure(BuiltIn::SrTiO3);
  const auto whole = fill(crystal, box),
             parts = fill(crystal, box, {region("at=(0.1 0.2) direction=33 turn=0")}, origin);
  EXPECT_EQ(parts.size(), whole.size());
  for (const auto& atom : parts)
    EXPECT_TRUE(std::any_of(whole.begin(), whole.end(),
                            [&](const auto& other) { return same(atom, other); }));
}

TEST(Regions, SubstitutesInsideTheShapeAlone) {
  const auto before = fill(built_in_structure(BuiltIn::SrTiO3), {{0, 90}, {0, 90}, 80});
  for (const bool cylinder : {false, true}) {
    Substitution s{38, 56, 0.6, {30, 25, 40}, cylinder, 20};
    auto after = before, again = before, other = before;
    substitute(after, {s}, origin, 3);
    substitute(again, {s}, origin, 3);
    substitute(other, {s}, origin, 4);
    double inside = 0, replaced = 0;
    int differs = 0;
    for (std::size_t i = 0; i < after.size(); ++i) {
      const bool in =
          std::hypot(before[i].col - 50, before[i].row - 43, cylinder ? 0 : before[i].z - 40) <= 20;
      EXPECT_EQ(after[i].Z, again[i].Z);
      differs += after[i].Z != other[i].Z;
      if (before[i].Z == 38 && in) {
        ++inside, replaced += after[i].Z == 56;
        continue;
      }
      EXPECT_EQ(after[i].Z, before[i].Z);
    }
    EXPECT_GT(inside, 300);
    EXPECT_NEAR(replaced / inside, 0.6, 5 * std::sqrt(0.24 / inside));
    EXPECT_GT(differs, 0);
  }
}

TEST(Regions, CountFromTheScansMiddle) {
  Recipe r = small_recipe();
  r.specimen.structure = BuiltIn::SrTiO3;
  r.specimen.substitutions = {"Sr=Ba at=(0 0) radius=4"};
  const Plan plan = make_plan(r);
  int replaced = 0;
  for (const auto& atom : plan.atoms) {
    const double from = std::hypot(atom.row - plan.middle.row, atom.col - plan.middle.col);
    EXPECT_TRUE(atom.Z != 56 || from <= 4);
    EXPECT_TRUE(atom.Z != 38 || from > 4);
    replaced += atom.Z == 56;
  }
  EXPECT_GT(replaced, 0);
  double row = 0, col = 0;
  r.scan.jitter = 0;
  const Plan still = make_plan(r);
  for (const Position& p : still.positions) row += p.row / 12, col += p.col / 12;
  EXPECT_NEAR(row, still.middle.row, 1e-9);
  EXPECT_NEAR(col, still.middle.col, 1e-9);
}

}  // namespace
}  // namespace ptyle
