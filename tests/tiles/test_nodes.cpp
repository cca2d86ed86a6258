// Tiles on nodes: every process has one tile, whatever the layout, and less leaves nodes.

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <stdexcept>
#include <string>

#include "tiles/bisection.hpp"
#include "tiles/nodes.hpp"
#include "tiles/scans.hpp"

namespace ptyle {
namespace {

using test::random_scan;
using test::raster_centres;
using test::squares;
using test::whole;

std::vector<int> layout(int processes, const std::function<int(int)>& node) {
  std::vector<int> nodes;
  for (int process = 0; process < processes; ++process) nodes.push_back(node(process));
  return nodes;
}

/// The node of each tile.
std::vector<int> nodes_of_tiles(const std::vector<int>& tile_of, const std::vector<int>& node_of) {
  std::vector<int> nodes(tile_of.size(), -1);
  for (std::size_t process = 0; process < tile_of.size(); ++process)
    nodes.at(static_cast<std::size_t>(tile_of[process])) = node_of[process];
  return nodes;
}

void expect_one_tile_each(const std::vector<int>& tile_of, const std::vector<int>& node_of) {
  std::vector<int> sorted = tile_of, all(tile_of.size());
  std::sort(sorted.begin(), sorted.end());
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(sorted, all);
  EXPECT_EQ(tile_of[0], 0) << "the same process leads";
  for (std::size_t a = 0; a < tile_of.size(); ++a)
    for (std::size_t b = 0; b < a; ++b)
      if (node_of[a] == node_of[b]) {
        EXPECT_LT(tile_of[b], tile_of[a]) << b << " " << a;
      }
}

/// Pixels that leave nodes with the tiles taken in blocks, and with processes' own numbers.
struct Leaving {
  i64 placed = 0, own = 0;
};
Leaving leaving(const Mesh& mesh, const std::vector<int>& node_of) {
  const std::vector<int> tile_of = tiles_on_nodes(mesh, node_of);
  expect_one_tile_each(tile_of, node_of);
  const Schedule schedule = sum_schedule(mesh, SumKind::owner);
  return {pixels_between_nodes(schedule, nodes_of_tiles(tile_of, node_of)),
          pixels_between_nodes(schedule, node_of)};
}

TEST(Nodes, OneRankANodeOrOneNodeStaysAsItIs) {
  const Mesh mesh = squares(3, 4, 6);
  const std::vector<int> own = layout(12, [](int i) { return i; });
  EXPECT_EQ(tiles_on_nodes(mesh, own), own);
  EXPECT_EQ(tiles_on_nodes(mesh, layout(12, [](int) { return 7; })), own);
  EXPECT_THROW((void)tiles_on_nodes(mesh, layout(11, [](int i) { return i; })),
               std::invalid_argument);
}

/// Tiles of 10² px with halos of 4 px send their neighbours 4 px × the width of their halo along
/// columns, 14 or 18 px, and 4 × 10 px along rows: 6 messages a line each, 1536 and 960 px in all.
/// Nodes that are rows send all of the former away, squares a third of both.
TEST(Nodes, FourOnANodeAreASquare) {
  const Mesh mesh = squares(4, 4, 4);
  const auto [placed, own] = leaving(mesh, layout(16, [](int i) { return i / 4; }));
  EXPECT_EQ(own, 6 * 4 * (14 + 18 + 18 + 14));
  EXPECT_EQ(placed, (1536 + 960) / 3);
}

TEST(Nodes, LessLeavesThemOnThePapersMeshes) {
  struct Paper {
    int rows, cols;
    i64 halo;
  };
  for (const Paper& p : {Paper{21, 22, 15}, {63, 66, 44}})
    for (const int of_node : {4, 8, 16}) {
      SCOPED_TRACE(std::to_string(p.rows) + " rows, " + std::to_string(of_node) + " a node");
      const auto [placed, own] =
          leaving(squares(p.rows, p.cols, p.halo),
                  layout(p.rows * p.cols, [&](int i) { return i / of_node; }));
      EXPECT_LT(double(placed), (of_node == 4 ? 0.75 : 0.5) * double(own));
    }
}

/// Round-robin, uneven, and any other numbers of nodes.
TEST(Nodes, AnyLayoutGivesEachProcessATile) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    Philox random(seed, 0, 0);
    const int rows = static_cast<int>(whole(random, 1, 7)),
              cols = static_cast<int>(whole(random, 1, 7));
    const Mesh mesh = squares(rows, cols, whole(random, 0, 25));
    const i64 nodes = whole(random, 1, 6);
    const bool in_turn = seed % 3 == 0;
    const auto node_of = layout(rows * cols, [&](int i) {
      return in_turn ? i % static_cast<int>(nodes) : static_cast<int>(whole(random, 0, nodes - 1));
    });
    const auto [placed, own] = leaving(mesh, node_of);
    EXPECT_LE(placed, own);
  }
}

TEST(Nodes, TilesOfABisectionGoInTheirOrder) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    Philox random(seed, 1, 0);
    const std::vector<Pixel> centres = raster_centres(12, 13, 5);
    const int ranks = static_cast<int>(whole(random, 2, 20));
    const Mesh mesh = bisected_mesh(centres, {16, ranks, Halo::exact(16), 0, 0, 0});
    const auto in_order = layout(ranks, [](int i) { return i / 4; });
    EXPECT_EQ(tiles_on_nodes(mesh, in_order), layout(ranks, [](int i) { return i; }));
    const int nodes = (ranks + 3) / 4;
    const auto in_turn = layout(ranks, [&](int i) { return i % nodes; });
    const auto tile_of = tiles_on_nodes(mesh, in_turn);
    expect_one_tile_each(tile_of, in_turn);
    const auto of_tiles = nodes_of_tiles(tile_of, in_turn);
    EXPECT_TRUE(std::is_sorted(of_tiles.begin(), of_tiles.end()));
  }
}

}  // namespace
}  // namespace ptyle
