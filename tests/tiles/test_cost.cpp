#include <gtest/gtest.h>

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
  // (an inner rank takes two overlaps of each plane in, one from above and one from below).
  const double bytes = 4 * 20 * 100 / network.bandwidth, hop = network.latency + bytes;
  EXPECT_NEAR(cost_of(schedule, 5, 4, network).seconds, 12 * hop + 4 * std::max(hop, 2 * bytes),
              1e-12);
  schedule.in_flight = 1;  // one after the other
  EXPECT_NEAR(cost_of(schedule, 5, 4, network).seconds, 5 * 12 * hop, 1e-12);
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

TEST(Cost, OfAKindThatCannotRunIsRefused) {
  EXPECT_THROW((void)cost_of_sum(column(9, 10, 30), SumKind::neighbor, 1, 4, network), UserError);
}

}  // namespace
}  // namespace ptyle
