#include <gtest/gtest.h>

#include "core/random.hpp"
#include "simulate/exact_potential.hpp"
#include "simulate/object.hpp"

namespace ptyle {
namespace {

std::vector<SpecimenAtom> scattered(const SliceGrid& g, int count, std::uint64_t seed) {
  Philox random(seed, 0, 0);
  const int elements[] = {8, 22, 82};
  std::vector<SpecimenAtom> atoms;
  for (int i = 0; i < count; ++i)
    atoms.push_back({elements[i % 3], random.uniform() * double(g.ny) * g.pixel[0],
                     random.uniform() * double(g.nx) * g.pixel[1], 0, i % 4 == 0 ? 0.5 : 1.0});
  return atoms;
}

class Potential : public testing::TestWithParam<SliceGrid> {};

// The kernel's aliases are below 1e-9 of an atom's transform at the edge of the band, and less
// inside; the largest pixel gets its value from the whole band, so 1e-8 of it is ample.
TEST_P(Potential, GriddingEqualsTheExactSum) {
  const SliceGrid g = GetParam();
  const std::map<int, double> B{{8, 0.6}, {82, 0.8}};
  for (const auto parametrization : {Parametrization::lobato, Parametrization::kirkland}) {
    auto first = scattered(g, 11, 1), second = scattered(g, 6, 2);
    // Outside the grid: it is periodic. On its corner, on a pixel and half a pixel away.
    first.push_back({82, -1.3, double(g.nx) * g.pixel[1] + 0.7, 0});
    first.push_back({22, 0, 0, 0});
    second.push_back({8, 3 * g.pixel[0], 2.5 * g.pixel[1], 0});
    const Projector projector(g, parametrization, {8, 22, 82}, B);
    Projector::Scratch scratch(projector);
    Array<double, 2> a({g.ny, g.nx}), b({g.ny, g.nx});
    projector.project(first, second, a, b, scratch);
    const auto exact_a = exact_potential(g, parametrization, first, B);
    const auto exact_b = exact_potential(g, parametrization, second, B);
    const double largest = *std::max_element(exact_a.begin(), exact_a.end());
    for (i64 i = 0; i < a.size(); ++i) {
      ASSERT_NEAR(a.data()[i], exact_a.data()[i], 1e-8 * largest) << i;
      ASSERT_NEAR(b.data()[i], exact_b.data()[i], 1e-8 * largest) << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Grids, Potential,
                         testing::Values(SliceGrid{48, 48, {0.1, 0.1}, 2.0 / 3},
                                         SliceGrid{45, 64, {0.2, 0.1}, 2.0 / 3},
                                         SliceGrid{48, 40, {0.12, 0.15}, 0},
                                         SliceGrid{33, 27, {0.2, 0.2}, 0},
                                         SliceGrid{30, 30, {0.2, 0.2}, 1.0}));

TEST(PotentialSlices, OneSliceAloneAndUnknownElements) {
  const SliceGrid g{32, 32, {0.15, 0.15}, 2.0 / 3};
  const auto atoms = scattered(g, 6, 3);
  const Projector projector(g, Parametrization::lobato, {8, 22, 82});
  Projector::Scratch scratch(projector);
  Array<double, 2> alone({32, 32}), first({32, 32}), second({32, 32});
  projector.project(atoms, {}, alone, {}, scratch);
  projector.project(atoms, scattered(g, 4, 4), first, second, scratch);
  const double largest = *std::max_element(alone.begin(), alone.end());
  for (i64 i = 0; i < alone.size(); ++i)
    ASSERT_NEAR(alone.data()[i], first.data()[i], 1e-12 * largest);
  const std::vector<SpecimenAtom> stranger{{6, 1, 1, 0}};
  EXPECT_THROW(projector.project(stranger, {}, alone, {}, scratch), std::invalid_argument);
}

TEST(PotentialSlices, AtomsGoToTheirSlice) {
  EXPECT_EQ(slice_of(0, 1.25), 0);
  EXPECT_EQ(slice_of(1.2499, 1.25), 0);
  EXPECT_EQ(slice_of(1.25, 1.25), 1);
  EXPECT_EQ(slice_of(3 * 0.1 * 1.25 / 0.3, 1.25), 1);  // 1.25 less a rounding
  const auto layers = sliced({{8, 0, 0, 0.2}, {8, 0, 0, 2.6}, {8, 0, 0, 9}}, 1.25, 3);
  EXPECT_EQ(layers[0].size(), 1u);
  EXPECT_EQ(layers[1].size(), 0u);
  EXPECT_EQ(layers[2].size(), 1u);
}

TEST(PotentialSlices, AreTheObjectsWithoutASeam) {
  // Slices of a plan are cut out of a larger grid, on which the crystal goes on beyond the object:
  // a column at the object's edge looks like one three cells further in. What differs is the
  // ringing of columns more than 5 Å away: the sharp band limit k makes 2 J1(x)/x, x = 2πkr, 3e-3
  // of the largest pixel each, and a few of them add up. A seam, through a column, would be some
  // tenths.
  Recipe recipe;
  recipe.detector.window = 40;
  recipe.detector.pixel_size = 3.902 / 26;  // 26 pixels a cell
  recipe.scan.shape = {2, 2};
  recipe.scan.step = {3.902, 3.902};
  recipe.specimen.thickness = 4.156;
  const Plan plan = make_plan(recipe);
  ASSERT_EQ(plan.ny, 2 * 26 + 40);
  i64 slices = 0, full = 0;
  make_slices(plan, plan.atoms, [&](i64 z, View<const float, 2> phase) {
    EXPECT_EQ(z, slices++);
    const float largest = *std::max_element(phase.begin(), phase.end());
    if (largest < 1e-3) return;  // a slice without atoms
    ++full;
    for (i64 y = 0; y + 78 < plan.ny; ++y)
      for (i64 x = 0; x < plan.nx; ++x)
        ASSERT_NEAR(phase(y, x), phase(y + 78, x), 2e-2 * largest) << z << ' ' << y << ' ' << x;
  });
  EXPECT_EQ(slices, 4);
  EXPECT_EQ(full, 3);
}

}  // namespace
}  // namespace ptyle
