#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "analysis/columns.hpp"
#include "analysis/images.hpp"

namespace ptyle {
namespace {

/// Round Gaussians of σ = 2.2 px and amplitude 1 on a ground of 0.4.
Array<double, 2> peaks_at(const std::vector<Position>& places, std::array<i64, 2> shape) {
  Array<double, 2> image(shape);
  image.fill(0.4);
  for (i64 y = 0; y < shape[0]; ++y)
    for (i64 x = 0; x < shape[1]; ++x)
      for (const Position& p : places) {
        const double dy = static_cast<double>(y) - p.row, dx = static_cast<double>(x) - p.col;
        image(y, x) += std::exp(-(dy * dy + dx * dx) / (2 * 2.2 * 2.2));
      }
  return image;
}

TEST(Columns, LonePeakIsFoundExactlyFromAWrongStart) {
  const Position truth{20.37, 31.81};
  const auto image = peaks_at({truth}, {45, 60});
  for (const Position& start : {truth, Position{23, 30}, Position{18.5, 34.4}}) {
    const auto found = find_peak(image, start, 6);
    ASSERT_TRUE(found);
    // the model is exact: what is left is where the iteration stops, 1e-5 px
    EXPECT_NEAR(found->row, truth.row, 1e-4);
    EXPECT_NEAR(found->col, truth.col, 1e-4);
  }
}

TEST(Columns, LatticeWithNoiseIsFoundToAFractionOfAPixel) {
  std::vector<Position> places;
  for (int i = 0; i < 6; ++i)
    for (int j = 0; j < 6; ++j) places.push_back({17.3 + 19.6 * i + 0.4 * j, 16.8 + 20.1 * j});
  auto image = peaks_at(places, {140, 140});
  const auto noise = test::noise(3, {140, 140});
  for (i64 i = 0; i < image.size(); ++i) image.data()[i] += 0.02 * noise.data()[i];
  for (const Position& p : places) {
    const auto found = find_peak(image, {p.row + 1, p.col - 1.5}, 7);
    ASSERT_TRUE(found);
    // Cramér–Rao: the centre of a Gaussian of amplitude A under noise s has σ = s/(A √π) = 0.011
    // px; 5 σ
    EXPECT_LT(std::hypot(found->row - p.row, found->col - p.col), 0.06);
  }
}

TEST(Columns, NoPeakIsNoColumn) {
  Array<double, 2> flat({40, 40});
  EXPECT_FALSE(find_peak(flat, {20, 20}, 6));
  const auto hole = [&] {
    auto image = peaks_at({{20, 20}}, {40, 40});
    for (double& v : image) v = -v;
    return image;
  }();
  EXPECT_FALSE(find_peak(hole, {20, 20}, 4));
  // a peak out of reach is not taken for the one expected
  const auto far = peaks_at({{20, 33}}, {40, 60});
  EXPECT_FALSE(find_peak(far, {20, 20}, 6));
}

TEST(Columns, AtomsAboveEachOtherAreOneColumnNamedByTheHeaviest) {
  // PbTiO3 along c: lead; titanium over oxygen; two lone oxygens
  std::vector<ProjectedAtom> atoms;
  for (int z = 0; z < 5; ++z)
    for (const ProjectedAtom& a : {ProjectedAtom{8, {1.95, 1.951}},
                                   {82, {0, 0}},
                                   {22, {1.951, 1.951}},
                                   {8, {1.951, 0}},
                                   {8, {0, 1.951}}})
      atoms.push_back(a);
  const auto columns = gather_columns(atoms, 0.3);
  ASSERT_EQ(columns.size(), 4U);
  EXPECT_EQ(columns[0].number, 82);
  EXPECT_EQ(columns[1].number, 22);
  EXPECT_NEAR(columns[1].position.row, 1.951, 1e-12);
  const auto half = half_distances(columns);
  EXPECT_NEAR(half[0], 1.951 / 2, 1e-12);
}

/// As columns.hpp says it, each atom against each column.
std::vector<AtomColumn> gathered_slowly(std::vector<ProjectedAtom> atoms, double width) {
  std::vector<AtomColumn> columns;
  std::vector<Position> sums;
  std::vector<int> counts;
  std::stable_sort(atoms.begin(), atoms.end(),
                   [](const auto& a, const auto& b) { return a.number > b.number; });
  for (const ProjectedAtom& atom : atoms) {
    std::size_t c = 0;
    while (c < columns.size() && distance(columns[c].position, atom.position) > width) ++c;
    if (c == columns.size()) {
      columns.push_back({atom.number, atom.position});
      sums.push_back(atom.position);
      counts.push_back(1);
    } else if (columns[c].number == atom.number) {
      sums[c].row += atom.position.row;
      sums[c].col += atom.position.col;
      ++counts[c];
      columns[c].position = {sums[c].row / counts[c], sums[c].col / counts[c]};
    }
  }
  return columns;
}

TEST(Columns, OfAtomsThatLieAnyhowAreThoseOfTheSlowSearch) {
  constexpr double width = 0.3;
  Philox random(5, 0, 0);
  for (const double field : {1.0, 6.0, 40.0}) {  // columns that overlap, touch and stand alone
    std::vector<ProjectedAtom> atoms;
    for (int i = 0; i < 1000; ++i)
      atoms.push_back({1 + static_cast<int>(3 * random.uniform()),
                       {field * (random.uniform() - 0.5), field * (random.uniform() - 0.5)}});
    const auto columns = gather_columns(atoms, width), slow = gathered_slowly(atoms, width);
    ASSERT_EQ(columns.size(), slow.size()) << field;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      EXPECT_EQ(columns[i].number, slow[i].number);
      EXPECT_EQ(columns[i].position.row, slow[i].position.row);
      EXPECT_EQ(columns[i].position.col, slow[i].position.col);
    }
    const auto half = half_distances(columns);
    for (std::size_t i = 0; i < columns.size(); ++i) {
      double nearest = std::numeric_limits<double>::infinity();
      for (std::size_t j = 0; j < columns.size(); ++j)
        if (i != j) nearest = std::min(nearest, distance(columns[i].position, columns[j].position));
      EXPECT_EQ(half[i], 0.5 * nearest);
    }
  }
  EXPECT_TRUE(std::isinf(half_distances(std::vector<AtomColumn>{{8, {1, 2}}})[0]));
}

}  // namespace
}  // namespace ptyle
