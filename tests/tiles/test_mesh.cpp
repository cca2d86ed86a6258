#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <set>
#include <stdexcept>

#include "core/error.hpp"
#include "tiles/mesh.hpp"
#include "tiles/scans.hpp"

namespace ptyle {
namespace {

using test::random_scan;
using test::raster_centres;
using test::whole;

int distinct(const std::vector<Pixel>& centres, i64 Pixel::*axis) {
  std::set<i64> values;
  for (const Pixel& p : centres) values.insert(p.*axis);
  return static_cast<int>(values.size());
}

i64 fullest(const Mesh& mesh, const std::vector<Pixel>& centres) {
  std::size_t most = 0;
  for (const auto& positions : assign(mesh, centres)) most = std::max(most, positions.size());
  return static_cast<i64>(most);
}

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const UserError& e) {
    return e.what();
  }
  return "nothing was refused";
}

void expect_cores_partition_the_object(const Mesh& mesh) {
  i64 area = 0;
  for (int a = 0; a < mesh.ranks(); ++a) {
    const Box core = mesh.core(a);
    area += core.area();
    EXPECT_FALSE(core.empty());
    EXPECT_TRUE(mesh.object().contains(core));
    EXPECT_TRUE(mesh.extended(a).contains(core));
    EXPECT_TRUE(mesh.object().contains(mesh.extended(a)));
    for (int b = 0; b < a; ++b) EXPECT_TRUE(intersection(core, mesh.core(b)).empty());
  }
  EXPECT_EQ(area, mesh.object().area());
}

void expect_each_position_in_one_tile(const Mesh& mesh, const std::vector<Pixel>& centres) {
  std::vector<int> times(centres.size(), 0);
  std::vector<int> in_row(static_cast<std::size_t>(mesh.rows()), 0);
  std::vector<int> in_col(static_cast<std::size_t>(mesh.cols()), 0);
  const auto positions = assign(mesh, centres);
  ASSERT_EQ(positions.size(), static_cast<std::size_t>(mesh.ranks()));
  for (int rank = 0; rank < mesh.ranks(); ++rank) {
    const auto& mine = positions[static_cast<std::size_t>(rank)];
    EXPECT_TRUE(std::is_sorted(mine.begin(), mine.end()));
    for (const i64 i : mine) {
      ++times.at(static_cast<std::size_t>(i));
      EXPECT_TRUE(mesh.core(rank).contains(centres[static_cast<std::size_t>(i)]));
      ++in_row[static_cast<std::size_t>(rank / mesh.cols())];
      ++in_col[static_cast<std::size_t>(rank % mesh.cols())];
    }
  }
  for (const int n : times) EXPECT_EQ(n, 1);
  for (const int n : in_row) EXPECT_GT(n, 0);
  for (const int n : in_col) EXPECT_GT(n, 0);
}

TEST(Mesh, HoldsOnThousandsOfRandomScans) {
  for (std::uint64_t seed = 0; seed < 4000 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    Philox random(seed, 0, 0);
    const auto centres = random_scan(random);
    const i64 window = whole(random, 1, 40);
    const int most_rows = std::min(distinct(centres, &Pixel::row), 9);
    const int most_cols = std::min(distinct(centres, &Pixel::col), 9);
    const std::array<int, 2> shape{static_cast<int>(whole(random, 1, most_rows)),
                                   static_cast<int>(whole(random, 1, most_cols))};
    const bool exact = random.uniform() < 0.6;
    const Halo halo = exact ? Halo::exact(window) : Halo::of(whole(random, 0, 60));
    const Mesh mesh = balanced_mesh(centres, window, shape, halo);
    EXPECT_EQ(mesh.rows(), shape[0]);
    EXPECT_EQ(mesh.cols(), shape[1]);
    expect_cores_partition_the_object(mesh);
    expect_each_position_in_one_tile(mesh, centres);
    for (const Pixel& p : centres) {
      EXPECT_TRUE(mesh.object().contains(window_about(p, window)));
      EXPECT_TRUE(!exact || mesh.extended(mesh.tile_of(p)).contains(window_about(p, window)));
    }
  }
}

TEST(Mesh, ExtendedTileIsCoreAndHaloClippedToTheObject) {
  const Mesh mesh({{-5, 25}, {100, 140}}, std::vector<i64>{5, 9}, std::vector<i64>{120}, {6, 5});
  EXPECT_EQ(mesh.core(2), (Box{{5, 9}, {100, 120}}));
  EXPECT_EQ(mesh.extended(2), (Box{{-1, 14}, {100, 125}}));
  EXPECT_EQ(mesh.extended(5), (Box{{3, 25}, {114, 140}}));
  EXPECT_EQ(mesh.with_halo(Halo::of(100)).extended(3), mesh.object());
}

TEST(Mesh, ExactHaloIsTheLeast) {
  // Positions on every pixel reach all that a tile's windows can.
  for (const i64 window : {1, 2, 5, 8}) {
    const auto centres = raster_centres(12, 12, 1);
    const Mesh mesh = balanced_mesh(centres, window, {3, 2}, Halo::exact(window));
    const auto positions = assign(mesh, centres);
    for (int rank = 0; rank < mesh.ranks(); ++rank) {
      Box reached;
      for (const i64 i : positions[static_cast<std::size_t>(rank)])
        reached = hull(reached, window_about(centres[static_cast<std::size_t>(i)], window));
      EXPECT_EQ(reached, mesh.extended(rank)) << "window " << window << ", rank " << rank;
    }
  }
}

TEST(Mesh, ObjectIsWhatTheWindowsReach) {
  const std::vector<Pixel> centres{{10, 20}, {-3, 25}};
  EXPECT_EQ(reach(centres, 8), (Box{{-7, 14}, {16, 29}}));
  EXPECT_EQ(reach(centres, 5), (Box{{-5, 13}, {18, 28}}));
  EXPECT_THROW((void)reach({}, 8), std::invalid_argument);
}

TEST(Mesh, PositionsBeyondTheObjectBelongToTheNearestTile) {
  const Mesh mesh({{0, 30}, {0, 30}}, std::vector<i64>{10, 20}, std::vector<i64>{15}, {});
  EXPECT_EQ(mesh.tile_of({-100, 200}), 1);
  EXPECT_EQ(mesh.tile_of({9, 14}), 0);
  EXPECT_EQ(mesh.tile_of({10, 15}), 3);
  EXPECT_EQ(mesh.tile_of({300, -1}), 4);
}

TEST(Mesh, RastersAreSharedAsEvenlyAsRowsAllow) {
  const auto centres = raster_centres(63, 66, 15);
  for (const int r : {1, 2, 3, 5, 7, 21, 40, 63})
    for (const int c : {1, 2, 4, 11, 13, 65, 66}) {
      const Mesh mesh = balanced_mesh(centres, 256, {r, c}, Halo::exact(256));
      EXPECT_EQ(fullest(mesh, centres), ((63 + r - 1) / r) * ((66 + c - 1) / c)) << r << " x " << c;
    }
}

TEST(Mesh, LinesFollowThePositionsDensity) {
  // Nine tenths of the positions lie in the first tenth of the rows.
  std::vector<Pixel> centres;
  for (i64 i = 0; i < 90; ++i) centres.push_back({i, i % 10});
  for (i64 i = 0; i < 10; ++i) centres.push_back({100 + 90 * i, i});
  const Mesh mesh = balanced_mesh(centres, 4, {5, 1}, Halo::exact(4));
  for (const auto& positions : assign(mesh, centres)) EXPECT_EQ(positions.size(), 20u);
}

TEST(Mesh, RefusesMoreCutsThanPositions) {
  const auto centres = raster_centres(5, 100, 3);
  const auto refusal = [&](int r, int c) {
    return message_of([&] { (void)balanced_mesh(centres, 16, {r, c}, Halo::exact(16)); });
  };
  EXPECT_EQ(refusal(6, 10),
            "a mesh of 6 x 10 tiles has 6 rows of tiles, but the scan has only 5 different rows of "
            "positions: take from 1 to 5");
  EXPECT_EQ(refusal(5, 101),
            "a mesh of 5 x 101 tiles has 101 columns of tiles, but the scan has only 100 different "
            "columns of positions: take from 1 to 100");
  EXPECT_NE(refusal(0, 1).find("0 rows"), std::string::npos);
  EXPECT_EQ(refusal(5, 100), "nothing was refused");
}

TEST(Mesh, RefusesWhatIsNoMesh) {
  const Box object{{0, 10}, {0, 10}};
  const std::vector<i64> none, twice{5, 5}, border{10}, descending{6, 4};
  for (const auto& cuts : {twice, border, descending})
    EXPECT_THROW(Mesh(object, none, cuts, {}), std::invalid_argument);
  EXPECT_THROW(Mesh({{0, 0}, {0, 10}}, none, none, {}), std::invalid_argument);
  EXPECT_THROW(Mesh(object, none, none, Halo::of(-1)), std::invalid_argument);
  EXPECT_THROW((void)Mesh(object, none, none, {}).with_halo({0, -1}), std::invalid_argument);
}

/// Fullest tile and elongation |log(height/width)| of every mesh of so many tiles.
void expect_best_shape(const std::vector<Pixel>& centres, i64 rows, i64 cols, int ranks) {
  struct Shape {
    i64 share;
    double elongation;
  };
  const double height = double(rows - 1) * 3 + 1, width = double(cols - 1) * 3 + 1;
  const auto shape_of = [&](int r, int c) {
    return Shape{((rows + r - 1) / r) * ((cols + c - 1) / c),
                 std::abs(std::log((height / r) / (width / c)))};
  };
  const auto chosen = automatic_shape(centres, ranks);
  ASSERT_EQ(chosen[0] * chosen[1], ranks);
  const Shape have = shape_of(chosen[0], chosen[1]);
  i64 least = have.share;
  for (int r = 1; r <= ranks; ++r)
    if (ranks % r == 0 && r <= rows && ranks / r <= cols)
      least = std::min(least, shape_of(r, ranks / r).share);
  EXPECT_LE(double(have.share), 1.1 * double(least) + 1e-9) << ranks;
  for (int r = 1; r <= ranks; ++r)
    if (ranks % r == 0 && r <= rows && ranks / r <= cols) {
      const Shape other = shape_of(r, ranks / r);
      const bool balanced = double(other.share) <= 1.1 * double(least) - 1e-9;
      EXPECT_TRUE(!balanced || have.elongation <= other.elongation + 1e-12) << ranks << ": " << r;
    }
}

TEST(AutomaticShape, IsTheSquarestOfTheBalanced) {
  const auto centres = raster_centres(21, 22, 3);
  for (int ranks = 1; ranks <= 462; ++ranks) {
    bool possible = false;
    for (int r = 1; r <= 21; ++r) possible |= ranks % r == 0 && ranks / r <= 22;
    if (possible)
      expect_best_shape(centres, 21, 22, ranks);
    else
      EXPECT_THROW((void)automatic_shape(centres, ranks), UserError) << ranks;
  }
}

TEST(AutomaticShape, OfTheLeadTitanateScans) {
  using Shape = std::array<int, 2>;
  const auto large = raster_centres(126, 132, 15);
  EXPECT_EQ(automatic_shape(large, 1), (Shape{1, 1}));
  EXPECT_EQ(automatic_shape(large, 462), (Shape{21, 22}));
  EXPECT_EQ(automatic_shape(large, 4158), (Shape{63, 66}));
  EXPECT_EQ(automatic_shape(large, 7), (Shape{1, 7}));  // the scan is wider than high
}

TEST(AutomaticShape, RefusesASentence) {
  EXPECT_EQ(message_of([] { (void)automatic_shape(raster_centres(5, 6, 3), 7); }),
            "7 ranks cannot share the scan: no mesh of 7 tiles has at most 5 rows and 6 columns, "
            "which is how many different ones the positions have; use another number of ranks");
}

TEST(Assign, ATileMayBeEmpty) {
  const std::vector<Pixel> diagonal{{0, 0}, {10, 10}, {20, 20}};
  const Mesh mesh = balanced_mesh(diagonal, 4, {3, 3}, Halo::exact(4));
  const auto positions = assign(mesh, diagonal);
  for (int rank = 0; rank < 9; ++rank)
    EXPECT_EQ(positions[static_cast<std::size_t>(rank)].size(), rank % 4 == 0 ? 1u : 0u);
}

}  // namespace
}  // namespace ptyle
