#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "core/random.hpp"
#include "solver/batches.hpp"

namespace ptyle {
namespace {

std::vector<Position> raster(i64 rows, i64 cols) {
  std::vector<Position> at;
  for (i64 r = 0; r < rows; ++r)
    for (i64 c = 0; c < cols; ++c) at.push_back({double(r), double(c)});
  return at;
}

std::vector<i64> all_of(const std::vector<Position>& at) {
  std::vector<i64> members(at.size());
  std::iota(members.begin(), members.end(), 0);
  return members;
}

TEST(Batches, HoldEveryMemberOnce) {
  for (const i64 n : {1, 2, 7, 20, 63, 64, 1000}) {
    const auto at = raster(8, 8);
    auto members = all_of(at);
    members.erase(members.begin() + 5);  // one is not fitted
    std::vector<i64> seen;
    for (const auto& batch : make_batches(at, members, n, 3, 1)) {
      EXPECT_FALSE(batch.empty());
      seen.insert(seen.end(), batch.begin(), batch.end());
    }
    std::sort(seen.begin(), seen.end());
    EXPECT_EQ(seen, members) << n << " mini-batches";
  }
}

TEST(Batches, DependOnSeedAndIterationOnly) {
  const auto at = raster(9, 11);
  const auto members = all_of(at);
  auto backwards = members;
  std::reverse(backwards.begin(), backwards.end());
  const auto batches = make_batches(at, members, 6, 42, 3);
  EXPECT_EQ(batches, make_batches(at, members, 6, 42, 3));
  EXPECT_EQ(batches, make_batches(at, backwards, 6, 42, 3));
  EXPECT_NE(batches, make_batches(at, members, 6, 42, 4));
  EXPECT_NE(batches, make_batches(at, members, 6, 43, 3));
}

TEST(Batches, AreSpreadEvenlyOverTheScan) {
  // 32 × 32 positions in 16 mini-batches: a run of 16 neighbours is a 4 × 4 block in Morton order,
  // so every such block has exactly one member of each mini-batch.
  const auto at = raster(32, 32);
  for (const auto& batch : make_batches(at, all_of(at), 16, 7, 1)) {
    std::set<std::pair<int, int>> blocks;
    for (const i64 i : batch) blocks.insert({int(at[i].row) / 4, int(at[i].col) / 4});
    EXPECT_EQ(batch.size(), 64u);
    EXPECT_EQ(blocks.size(), 64u);
  }
}

TEST(Batches, HaveSamplesAllOverTheScan) {
  const auto at = raster(40, 40);
  for (const auto& batch : make_batches(at, all_of(at), 20, 7, 1)) {
    const auto sample = sample_of(batch, 8);
    EXPECT_LE(sample.size(), 8u);
    EXPECT_GE(sample.size(), 5u);  // of 8 to 15, every second one is taken
    EXPECT_TRUE(std::includes(batch.begin(), batch.end(), sample.begin(), sample.end()));
    // A tenth of the scan's lines for each in the sample, of two steps' worth at either end.
    EXPECT_LT(at[sample.front()].row, 10);
    EXPECT_GT(at[sample.back()].row, 30);
  }
  EXPECT_EQ(sample_of({3, 5, 8}, 8), (std::vector<i64>{3, 5, 8}));
  EXPECT_EQ(sample_of({1, 2, 3, 4, 5}, 3), (std::vector<i64>{1, 3, 5}));
  EXPECT_TRUE(sample_of({}, 8).empty());
}

TEST(Batches, AreFewerWherePositionsOrCountsAreFew) {
  EXPECT_EQ(default_batches(5, INFINITY, Thickness::thick), 1);
  EXPECT_EQ(default_batches(144, INFINITY, Thickness::thick), 14);
  EXPECT_EQ(default_batches(2000, INFINITY, Thickness::thin), 20);
  EXPECT_EQ(default_batches(2000, 50, Thickness::thin), 12);
  EXPECT_EQ(default_batches(2000, 2, Thickness::thin), 1);
  EXPECT_EQ(default_batches(2000, 2, Thickness::thick), 4);
  EXPECT_EQ(default_batches(25, 2, Thickness::thick), 2);
  EXPECT_EQ(default_batches(144, INFINITY, Thickness::very_thick), 36);
  EXPECT_EQ(default_batches(2000, INFINITY, Thickness::very_thick), 40);
  EXPECT_EQ(default_batches(2000, 80, Thickness::very_thick), 20);
  EXPECT_EQ(default_batches(2000, 2, Thickness::very_thick), 4);
  EXPECT_EQ(default_batches(3, INFINITY, Thickness::very_thick), 1);
}

TEST(Batches, TakePositionsThatAllCoincide) {
  const std::vector<Position> at(5, Position{1, 1});
  EXPECT_EQ(make_batches(at, all_of(at), 2, 0, 1).size(), 2u);
}

TEST(HeldOut, IsTheShareAskedForAndTheSameForASeed) {
  const auto held = held_out_positions(1000, 0.05, 9);
  EXPECT_EQ(held.size(), 50u);
  EXPECT_EQ(held, held_out_positions(1000, 0.05, 9));
  EXPECT_NE(held, held_out_positions(1000, 0.05, 10));
  EXPECT_EQ(std::set<i64>(held.begin(), held.end()).size(), 50u);
  EXPECT_TRUE(held_out_positions(1000, 0, 9).empty());
  EXPECT_EQ(held_out_positions(30, 0.01, 9).size(), 1u);
  EXPECT_TRUE(held_out_positions(1, 0.5, 9).empty());  // one is left to fit
}

TEST(SampleForPixels, LiesAllOverTheScan) {
  const auto at = raster(64, 16);
  const auto all = all_of(at), sample = sample_for_pixels(at, all, 3);
  EXPECT_EQ(sample.size(), 48u);  // at most 51: a mini-batch of 21
  EXPECT_TRUE(std::is_sorted(sample.begin(), sample.end()));
  std::set<i64> lines, columns;
  for (const i64 i : sample) lines.insert(i / 16 / 8), columns.insert(i % 16);
  EXPECT_EQ(lines.size(), 8u);
  EXPECT_GE(columns.size(), 8u);
  EXPECT_EQ(sample_for_pixels(at, std::vector<i64>(all.begin(), all.begin() + 9), 3).size(), 9u);
  EXPECT_TRUE(sample_for_pixels(at, {}, 3).empty());
}

TEST(OnePixelIn, SoManyIsTheFraction) {
  EXPECT_EQ(one_pixel_in(0.02), 50u);
  EXPECT_EQ(one_pixel_in(0.5), 2u);
  EXPECT_EQ(one_pixel_in(1e-300), 1000000000u);
}

}  // namespace
}  // namespace ptyle
