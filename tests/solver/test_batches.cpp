#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
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

using Groups = std::vector<int>;

/// Rectangles of a raster, of so many rows and columns each, as far as these go.
Groups rectangles(i64 rows, i64 cols, i64 height, i64 width) {
  Groups group_of;
  for (i64 r = 0; r < rows; ++r)
    for (i64 c = 0; c < cols; ++c)
      group_of.push_back(static_cast<int>(r / height * ((cols + width - 1) / width) + c / width));
  return group_of;
}

/// FNV-1a of sizes and members.
std::uint64_t digest_of(const std::vector<std::vector<i64>>& batches) {
  std::uint64_t digest = 1469598103934665603U;
  const auto add = [&](i64 value) {
    digest = (digest ^ static_cast<std::uint64_t>(value)) * 1099511628211U;
  };
  for (const auto& batch : batches) {
    add(static_cast<i64>(batch.size()));
    for (const i64 i : batch) add(i);
  }
  return digest;
}

/// Runs that were stopped by an earlier version go on with its mini-batches: the digests are of one
/// that knew no groups.
TEST(Batches, OfOneGroupAreThoseOfEarlierVersions) {
  struct Case {
    i64 rows, cols, n;
    std::uint64_t digest;
  };
  for (const Case& c :
       {Case{9, 11, 6, 0x2fac29c679b72483U}, Case{40, 40, 20, 0x495ce0bbd7bd29e9U},
        Case{5, 5, 40, 0xd1da4cbe5cfc044cU}, Case{126, 132, 20, 0xf8b6c5861f1d80fdU},
        Case{7, 3, 1, 0x1a6cb3f6b91250b0U}}) {
    const auto at = raster(c.rows, c.cols);
    auto members = all_of(at);
    members.erase(members.begin() + 5);
    EXPECT_EQ(digest_of(make_batches(at, members, c.n, 42, 3)), c.digest) << c.rows;
    const Groups one(at.size(), 0);
    EXPECT_EQ(digest_of(make_batches(at, members, c.n, 42, 3, one)), c.digest) << c.rows;
  }
}

/// The fewest and the most positions that a group has in a mini-batch, by group.
std::map<int, std::array<i64, 2>> extremes(const std::vector<std::vector<i64>>& batches,
                                           const Groups& group_of) {
  std::map<int, std::array<i64, 2>> all;
  for (const int group : group_of) all[group] = {INT64_MAX, 0};
  for (const auto& batch : batches) {
    std::map<int, i64> here;
    for (const i64 i : batch) ++here[group_of[static_cast<std::size_t>(i)]];
    for (auto& [group, least_most] : all)
      least_most = {std::min(least_most[0], here[group]), std::max(least_most[1], here[group])};
  }
  return all;
}

/// Groups of random sizes, some of them empty, and positions of no order, some of them left out.
TEST(Batches, HaveAsManyOfEachGroup) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    Philox random(seed, 0, 0);
    const auto up_to = [&](i64 most) { return static_cast<i64>(random.uniform() * double(most)); };
    const i64 count = 1 + up_to(400), groups = 1 + up_to(50), n = 1 + up_to(45);
    std::vector<Position> at;
    Groups group_of;
    std::vector<i64> members;
    std::map<int, i64> sizes;
    for (i64 i = 0; i < count; ++i) {
      at.push_back({40 * random.uniform(), 30 * random.uniform()});
      group_of.push_back(static_cast<int>(up_to(groups)));
      if (random.uniform() < 0.1) continue;
      members.push_back(i);
      ++sizes[group_of.back()];
    }
    const auto batches = make_batches(at, members, n, seed, 2, group_of);
    SCOPED_TRACE(testing::Message() << count << " positions, " << n << " mini-batches");
    const auto fitted = static_cast<i64>(members.size());
    EXPECT_EQ(static_cast<i64>(batches.size()), std::min(n, fitted));
    std::vector<i64> seen;
    for (const auto& batch : batches) {
      EXPECT_GE(static_cast<i64>(batch.size()), fitted / n);
      EXPECT_LE(static_cast<i64>(batch.size()), (fitted + n - 1) / n);
      EXPECT_TRUE(std::is_sorted(batch.begin(), batch.end()));
      seen.insert(seen.end(), batch.begin(), batch.end());
    }
    std::sort(seen.begin(), seen.end());
    EXPECT_EQ(seen, members);
    if (fitted < n) continue;  // there are fewer mini-batches then
    for (const auto& [group, least_most] : extremes(batches, group_of)) {
      EXPECT_GE(least_most[0], sizes[group] / n);
      EXPECT_LE(least_most[1], (sizes[group] + n - 1) / n);
    }
    auto backwards = members;
    std::reverse(backwards.begin(), backwards.end());
    EXPECT_EQ(batches, make_batches(at, backwards, n, seed, 2, group_of));
  }
}

/// Also where a group has fewer positions than there are mini-batches, whose turns go round.
TEST(Batches, OfGroupsAreDealtAnewInEachIteration) {
  const auto at = raster(12, 12);
  const Groups group_of = rectangles(12, 12, 2, 2);
  for (const i64 n : {3, 4, 5, 8}) {
    std::set<std::set<i64>> seen;  // companions of position 70
    constexpr int iterations = 30;
    for (int iteration = 1; iteration <= iterations; ++iteration)
      for (const auto& batch : make_batches(at, all_of(at), n, 1, iteration, group_of))
        if (std::binary_search(batch.begin(), batch.end(), 70))
          seen.insert({batch.begin(), batch.end()});
    EXPECT_EQ(seen.size(), std::size_t{iterations}) << n;
  }
}

/// A rectangle of the scan has its part of each mini-batch: 2 × 2 groups of 4 positions there.
TEST(Batches, OfGroupsAreSpreadEvenlyOverTheScan) {
  const auto at = raster(32, 32);
  for (const auto& batch : make_batches(at, all_of(at), 3, 5, 1, rectangles(32, 32, 2, 2))) {
    std::map<std::pair<int, int>, int> blocks;
    for (const i64 i : batch) ++blocks[{int(at[i].row) / 4, int(at[i].col) / 4}];
    EXPECT_EQ(blocks.size(), 64U);
    for (const auto& [block, positions] : blocks) {
      EXPECT_GE(positions, 4);  // each group has 1 or 2, and 4/3 on the average
      EXPECT_LE(positions, 8);
    }
  }
}

TEST(BatchesOfGroups, LoadIsThatOfTheBusiestRank) {
  const std::vector<std::vector<i64>> batches{{0, 1, 4}, {2, 3}};
  const std::vector<PositionShare> shares{{{0, 1, 2, 5}, {}}, {{3}, {4}}};  // 5 is not fitted
  const Load load = load_of(batches, shares);
  EXPECT_EQ(load.all, 5);
  EXPECT_EQ(load.busiest, 2 + 1);
  EXPECT_DOUBLE_EQ(load.share(), 5.0 / 6);
}

/// The share that is predicted by sizes alone is that of the mini-batches as they are dealt.
TEST(BatchesOfGroups, TheShareIsTheirs) {
  const auto at = raster(23, 31);
  for (const auto& [height, width] : {std::pair{23, 31}, {5, 6}, {3, 3}, {2, 2}, {1, 1}}) {
    const Groups group_of = rectangles(23, 31, height, width);
    const int groups = *std::max_element(group_of.begin(), group_of.end()) + 1;
    const auto sizes = group_sizes(group_of, i64(at.size()), groups);
    std::vector<PositionShare> shares(sizes.size());
    for (std::size_t i = 0; i < at.size(); ++i)
      shares[static_cast<std::size_t>(group_of[i])].own.push_back(static_cast<i64>(i));
    for (const i64 n : {1, 2, 3, 4, 7, 20}) {
      const auto batches = make_batches(at, all_of(at), n, 4, 2, group_of);
      EXPECT_DOUBLE_EQ(share_of_groups(sizes, n), load_of(batches, shares).share()) << n;
    }
  }
}

TEST(BatchesOfGroups, AreSoManyThatAllRanksAreAtWork) {
  const auto alike = [](std::size_t ranks, i64 positions, i64 most) {
    return batches_of_groups(std::vector<i64>(ranks, positions), most);
  };
  EXPECT_EQ(batches_of_groups(std::vector<i64>{5000}, 20), 20);  // one group: as ever
  EXPECT_EQ(alike(6, 2772, 20), 20);
  EXPECT_EQ(alike(6, 2772, 40), 40);
  // A raster of 126 × 132 positions on 198, 462, 924 and 4158 ranks.
  EXPECT_EQ(alike(198, 84, 20), 18);  // 84/90 = 0.93; with 20 mini-batches 84/100
  EXPECT_EQ(alike(198, 84, 40), 21);  // 4 positions in each
  EXPECT_EQ(alike(462, 36, 40), 9);
  EXPECT_EQ(alike(924, 18, 20), 4);
  EXPECT_EQ(alike(4158, 4, 20), 4);
  EXPECT_EQ(alike(20, 9, 20), 3 + 1);  // 4 at least: 9/12
  EXPECT_EQ(alike(20, 3, 20), 3);      // and no more than positions
  EXPECT_EQ(alike(20, 1, 20), 1);
  EXPECT_EQ(alike(20, 0, 20), 1);
  EXPECT_EQ(alike(20, 100, 2), 2);  // few counts: no more than those determine
  // Every second rank has half as much, which no dealing mends: S(1) = 0.75.
  std::vector<i64> uneven;
  for (int i = 0; i < 10; ++i) uneven.insert(uneven.end(), {40, 20});
  EXPECT_DOUBLE_EQ(share_of_groups(uneven, 1), 0.75);
  EXPECT_EQ(batches_of_groups(uneven, 20), 10);
  // 7 positions a rank in 4 mini-batches: 7/8; in 5 and 6 it would be less.
  EXPECT_EQ(alike(20, 7, 20), 4);
  EXPECT_DOUBLE_EQ(share_of_groups(std::vector<i64>(20, 7), 4), 7.0 / 8);
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
