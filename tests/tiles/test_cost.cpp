#include <gtest/gtest.h>

#include <chrono>
#include <cmath>

#include "core/error.hpp"
#include "tiles/cost.hpp"

namespace ptyle {
namespace {

constexpr Network network{1e9, 1e-3};  // so slow that no figure hides behind rounding

/// n tiles in a column, cores of `core` px, each 100 px wide.
Mesh column(int n, i64 core, i64 halo) {
  std::vector<i64> cuts;
  for (int i = 1; i < n; ++i) cuts.push_back(i * core);
  return {{{0, n * core}, {0, 100}}, cuts, {}, Halo::of(halo)};
}

TEST(Cost, OfPassesIsHopsTimesAMessage) {
  // Overlaps of 2 × 10 rows of 100 px; 5 planes of 4 bytes, down and up 6 borders.
  const auto cost = cost_of_sum(column(7, 40, 10), SumKind::passes, 5, 4, network);
  const double message = network.latency + 5 * 4 * 20 * 100 / network.bandwidth;
  EXPECT_EQ(cost.hops, 12);
  EXPECT_NEAR(cost.seconds, 12 * message, 1e-12);
  EXPECT_EQ(cost.chunk, 5);
}

TEST(Cost, OfChunksThatFollowEachOther) {
  Schedule schedule = sum_schedule(column(7, 40, 10), SumKind::passes);
  schedule.chunk = 1;
  // A plane's walk of 12 hops; the other 4 behind it at the pace of a hop, or of the busiest port
  // (an inner rank takes two overlaps of each plane in, one from above and one from below). Half of
  // what the walk is longer than that is added for what it meets.
  const double bytes = 4 * 20 * 100 / network.bandwidth, hop = network.latency + bytes;
  const double pace = std::max(hop, 2 * bytes), loaded = 12 * hop + (12 * hop - pace) / 2;
  const double seconds = loaded + 4 * pace, wait = 5 * (loaded - pace);
  const auto with_in_flight = [&](i64 in_flight) {
    schedule.in_flight = in_flight;
    return cost_of(schedule, 5, 4, network).seconds;
  };
  EXPECT_NEAR(with_in_flight(5), std::hypot(seconds, wait / 5), 1e-12);
  EXPECT_NEAR(with_in_flight(2), std::hypot(seconds, wait / 2), 1e-12);
  EXPECT_NEAR(with_in_flight(1), 5 * 12 * hop, 1e-12);  // one after the other
}

TEST(Cost, ChosenInFlightCostAtMostThreePerCent) {
  // Long chains and short ones: more in flight would not help by more than that.
  for (const SumKind kind : {SumKind::pipelined, SumKind::separable, SumKind::owner})
    for (const i64 halo : {10, 60}) {
      const Mesh mesh = column(15, 40, halo);
      const auto chosen = cost_of_sum(mesh, kind, 400, 4, network);
      const auto all = cost_of_sum(mesh, kind, 400, 4, network, chosen.chunk, 400);
      EXPECT_LE(chosen.seconds, 1.0308 * all.seconds) << name_of(kind);
      EXPECT_LE(chosen.in_flight, (400 + chosen.chunk - 1) / chosen.chunk);
    }
}

TEST(Cost, ChosenChunksAreTheQuickestToThreePerCentAndSmall) {
  const Network fast{1e9, 1e-6};
  for (const SumKind kind : {SumKind::pipelined, SumKind::separable, SumKind::owner})
    for (const i64 halo : {10, 60}) {
      SCOPED_TRACE(name_of(kind));
      const Mesh mesh = column(15, 40, halo);
      const auto chosen = cost_of_sum(mesh, kind, 100, 4, fast);
      for (const i64 chunk : {1, 2, 8, 32, 100})
        EXPECT_LE(chosen.seconds, 1.0301 * cost_of_sum(mesh, kind, 100, 4, fast, chunk).seconds);
      if (kind != SumKind::pipelined) {
        EXPECT_LE(chosen.chunk * chosen.in_flight, 16);
      }
    }
  // Where a plane's messages are tiny (one row of 100 px here), it is not sent on its own.
  EXPECT_EQ(cost_of_sum(column(2, 40, 1), SumKind::owner, 100, 4, fast).chunk, 100);
}

TEST(Cost, ChunksHideHopsButNotBytes) {
  // 63 tiles in a line: without chunks 124 messages after each other, with them little more than
  // the two that an inner rank sends of each plane.
  const Mesh mesh = column(63, 40, 30);
  const Network fast{1e9, 1e-6};
  const auto passes = cost_of_sum(mesh, SumKind::passes, 100, 4, fast);
  const auto pipelined = cost_of_sum(mesh, SumKind::pipelined, 100, 4, fast);
  EXPECT_LT(pipelined.seconds, passes.seconds / 10);
  EXPECT_GT(pipelined.seconds, pipelined.bytes / fast.bandwidth);
  EXPECT_LT(pipelined.chunk, 100);
}

TEST(Cost, IsQuickFor4158Ranks) {
  std::vector<i64> rows, cols;
  for (i64 i = 1; i < 63; ++i) rows.push_back(29 * i);
  for (i64 i = 1; i < 66; ++i) cols.push_back(29 * i);
  const Mesh mesh({{0, 63 * 29}, {0, 66 * 29}}, rows, cols, Halo::exact(256));
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(cheapest(mesh, 100, 4, {}), SumKind::owner);
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
  // About a second where this was written; a sanitizer or a busy machine is an order of magnitude
  // slower, and a cost that grew with the square of the ranks would be three.
  EXPECT_LT(taken.count(), 60);
}

TEST(Cost, OfSwapsIsOneRound) {
  // Both neighbours of an inner rank send 20 rows.
  const auto cost = cost_of_sum(column(7, 40, 10), SumKind::separable, 1, 4, network);
  EXPECT_EQ(cost.hops, 1);
  EXPECT_NEAR(cost.seconds, network.latency + 2 * 4 * 20 * 100 / network.bandwidth, 1e-12);
  EXPECT_NEAR(cost.bytes, 2 * 4 * 20 * 100, 1e-9);
  EXPECT_EQ(cost.messages, 2);
}

TEST(Cost, NeverBeatsThePortOrTheHops) {
  for (const int n : {2, 5, 9})
    for (const i64 halo : {5, 30, 90})
      for (const SumKind kind : all_sum_kinds) {
        if (kind == SumKind::neighbor && n > 2 && halo > 20) continue;
        const auto cost = cost_of_sum(column(n, 40, halo), kind, 20, 8, network);
        EXPECT_GE(cost.seconds * (1 + 1e-12), cost.bytes / network.bandwidth) << name_of(kind);
        EXPECT_GE(cost.seconds, double(cost.hops) * network.latency) << name_of(kind);
      }
}

TEST(Cost, TheCheapestIsNoneOfTheDearer) {
  for (const i64 halo : {5, 90}) {
    const Mesh mesh = column(9, 40, halo);
    const double least = cost_of_sum(mesh, cheapest(mesh, 20, 4, network), 20, 4, network).seconds;
    for (const SumKind kind : all_sum_kinds) {
      if (kind == SumKind::neighbor) continue;
      EXPECT_LE(least, cost_of_sum(mesh, kind, 20, 4, network).seconds) << name_of(kind);
    }
  }
}

TEST(Cost, OfAReductionGrowsWithTheDepthOfItsTree) {
  const double message = network.latency + 5000 / network.bandwidth;
  EXPECT_EQ(seconds_of_reduction(1, 5000, network), 0);
  EXPECT_EQ(seconds_of_reduction(2, 5000, network), 2 * message);
  EXPECT_EQ(seconds_of_reduction(64, 5000, network), 12 * message);
  EXPECT_EQ(seconds_of_reduction(65, 5000, network), 14 * message);
}

TEST(Cost, OfAKindThatCannotRunIsRefused) {
  EXPECT_THROW((void)cost_of_sum(column(9, 10, 30), SumKind::neighbor, 1, 4, network), UserError);
}

}  // namespace
}  // namespace ptyle
