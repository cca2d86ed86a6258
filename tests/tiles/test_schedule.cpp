#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <stdexcept>
#include <tuple>

#include "core/error.hpp"
#include "tiles/scans.hpp"
#include "tiles/schedule.hpp"

namespace ptyle {
namespace {

using test::squares;

using Key = std::tuple<int, int, i64, i64, i64, i64>;

/// The messages of a round in a fixed order; `back` turns them round.
std::vector<Key> keys_of(const Round& round, bool back = false) {
  std::vector<Key> keys;
  for (const Message& m : round.messages)
    keys.emplace_back(back ? m.to : m.from, back ? m.from : m.to, m.box.rows.begin, m.box.rows.end,
                      m.box.cols.begin, m.box.cols.end);
  std::sort(keys.begin(), keys.end());
  return keys;
}

i64 all_pixels(const Schedule& schedule) {
  i64 pixels = 0;
  for (const Traffic& t : traffic(schedule)) pixels += t.pixels;
  return pixels;
}

TEST(Schedule, HopsAreThoseOfTheTable) {
  const auto hops_of = [](int r, int c, SumKind kind) {
    return hops(sum_schedule(squares(r, c, 4), kind));
  };
  for (const auto& [r, c] : {std::pair{2, 2}, {3, 5}, {6, 4}}) {
    EXPECT_EQ(hops_of(r, c, SumKind::neighbor), 1);
    EXPECT_EQ(hops_of(r, c, SumKind::passes), 2 * (r - 1) + 2 * (c - 1));
    EXPECT_EQ(hops_of(r, c, SumKind::pipelined), 2 * (r - 1) + 2 * (c - 1));
    EXPECT_EQ(hops_of(r, c, SumKind::separable), 2);
    EXPECT_EQ(hops_of(r, c, SumKind::owner), 2);
    EXPECT_EQ(hops_of(r, c, SumKind::allreduce), 4);
    EXPECT_EQ(hops(fill_schedule(squares(r, c, 4))), 2);
  }
  EXPECT_EQ(hops_of(1, 4, SumKind::passes), 6);
  EXPECT_EQ(hops_of(1, 4, SumKind::owner), 1);
}

TEST(Schedule, OneRankSendsNothing) {
  for (const SumKind kind : all_sum_kinds) {
    const Schedule schedule = sum_schedule(squares(1, 1, 4), kind);
    EXPECT_TRUE(schedule.rounds.empty()) << name_of(kind);
    EXPECT_EQ(hops(schedule), 0);
  }
}

TEST(Schedule, NothingIsSentWithoutAHalo) {
  for (const SumKind kind :
       {SumKind::neighbor, SumKind::passes, SumKind::separable, SumKind::owner})
    EXPECT_TRUE(sum_schedule(squares(3, 3, 0), kind).rounds.empty()) << name_of(kind);
}

TEST(Schedule, TrafficOfTwoTilesByHand) {
  // Cores 10 × 10 side by side, halo 4: both extended tiles are 10 × 14 and share 10 × 8.
  const Mesh mesh = squares(1, 2, 4);
  for (const auto& [kind, pixels] : {std::pair{SumKind::neighbor, 80},
                                     {SumKind::passes, 80},
                                     {SumKind::separable, 80},
                                     {SumKind::owner, 40}}) {
    const auto sent = traffic(sum_schedule(mesh, kind));
    ASSERT_EQ(sent.size(), 2u);
    for (const Traffic& t : sent) {
      EXPECT_EQ(t.messages, 1) << name_of(kind);
      EXPECT_EQ(t.pixels, pixels) << name_of(kind);
    }
  }
  // Each sends the other's core, then its own.
  EXPECT_EQ(traffic(sum_schedule(mesh, SumKind::allreduce))[0].pixels, 200);
  EXPECT_EQ(traffic(fill_schedule(mesh))[0].pixels, 40);
}

TEST(Schedule, AllreduceSendsWhatAnAllreduceMust) {
  // The least that is known for an object of N pixels on n ranks is 2 (n − 1)/n · N a rank.
  const Mesh mesh = squares(3, 4, 2);
  const auto schedule = sum_schedule(mesh, SumKind::allreduce);
  for (const Traffic& t : traffic(schedule))
    EXPECT_EQ(t.pixels, 2 * 11 * mesh.object().area() / 12);
  for (const Box& array : schedule.arrays) EXPECT_EQ(array, mesh.object());
}

TEST(Schedule, FillIsOwnerBackwards) {
  for (const i64 halo : {3, 10, 27}) {
    const Mesh mesh = squares(4, 5, halo);
    const Schedule owner = sum_schedule(mesh, SumKind::owner), fill = fill_schedule(mesh);
    ASSERT_EQ(owner.rounds.size(), fill.rounds.size());
    for (std::size_t i = 0; i < fill.rounds.size(); ++i) {
      EXPECT_EQ(fill.rounds[i].action, Action::replace);
      EXPECT_EQ(keys_of(fill.rounds[i]), keys_of(owner.rounds[owner.rounds.size() - 1 - i], true));
    }
  }
}

TEST(Schedule, OwnerSendsNothingTwice) {
  // Along columns each pixel outside a tile's own core rows goes once; then, of its core rows, each
  // pixel outside its core columns.
  for (const i64 halo : {4, 25}) {
    const Mesh mesh = squares(5, 6, halo);
    const auto sent = traffic(sum_schedule(mesh, SumKind::owner));
    for (int rank = 0; rank < mesh.ranks(); ++rank) {
      const Box tile = mesh.extended(rank), core = mesh.core(rank);
      EXPECT_EQ(sent[static_cast<std::size_t>(rank)].pixels,
                (tile.rows.size() - core.rows.size()) * tile.cols.size() +
                    core.rows.size() * (tile.cols.size() - core.cols.size()));
    }
    EXPECT_LT(all_pixels(sum_schedule(mesh, SumKind::owner)),
              all_pixels(sum_schedule(mesh, SumKind::separable)));
  }
}

TEST(Schedule, NeighborIsRefusedWhereOverlapsReachFurther) {
  EXPECT_NO_THROW((void)sum_schedule(squares(3, 3, 5), SumKind::neighbor));
  EXPECT_NO_THROW((void)sum_schedule(squares(2, 2, 100), SumKind::neighbor));
  for (const auto& [r, c] : {std::pair{1, 3}, {3, 1}})
    EXPECT_THROW((void)sum_schedule(squares(r, c, 6), SumKind::neighbor), UserError);
  try {
    (void)sum_schedule(squares(2, 4, 6), SumKind::neighbor);
    FAIL() << "nothing was refused";
  } catch (const UserError& e) {
    EXPECT_STREQ(e.what(),
                 "the exchange 'neighbor' adds what direct neighbours share, but on this mesh of 2 "
                 "x 4 columns 0 and 2 of tiles share 2 px: use 'owner', 'separable' or 'passes', "
                 "fewer ranks, or a smaller halo");
  }
}

TEST(Schedule, OfOneRankIsItsPartOfTheWhole) {
  const Mesh mesh = squares(3, 4, 13);
  std::vector<std::pair<Schedule, std::function<Schedule(int)>>> cases;
  cases.emplace_back(fill_schedule(mesh),
                     [&](int rank) { return fill_schedule(mesh, {.only = rank}); });
  for (const SumKind kind : all_sum_kinds) {
    if (kind == SumKind::neighbor) continue;
    cases.emplace_back(sum_schedule(mesh, kind), [&mesh, kind](int rank) {
      return sum_schedule(mesh, kind, {.only = rank});
    });
  }
  for (const auto& [all, of] : cases)
    for (int rank = 0; rank < mesh.ranks(); ++rank) {
      const Schedule one = of(rank);
      std::size_t next = 0;
      for (Round round : all.rounds) {
        std::erase_if(round.messages,
                      [&](const Message& m) { return m.from != rank && m.to != rank; });
        if (round.messages.empty()) continue;
        ASSERT_LT(next, one.rounds.size());
        EXPECT_EQ(one.rounds[next].action, round.action);
        EXPECT_EQ(keys_of(one.rounds[next++]), keys_of(round));
      }
      EXPECT_EQ(next, one.rounds.size());
    }
}

TEST(Schedule, MessagesLieInsideBothArrays) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    Philox random(seed, 1, 0);
    const Mesh mesh =
        squares(static_cast<int>(test::whole(random, 1, 8)),
                static_cast<int>(test::whole(random, 1, 8)), test::whole(random, 0, 35));
    for (const SumKind kind : all_sum_kinds) {
      if (kind == SumKind::neighbor && mesh.halo().before > 5) continue;
      const Schedule schedule = sum_schedule(mesh, kind);
      ASSERT_EQ(schedule.arrays.size(), static_cast<std::size_t>(mesh.ranks()));
      for (const Round& round : schedule.rounds)
        for (const Message& m : round.messages) {
          EXPECT_NE(m.from, m.to);
          EXPECT_FALSE(m.box.empty());
          EXPECT_TRUE(schedule.arrays[static_cast<std::size_t>(m.from)].contains(m.box));
          EXPECT_TRUE(schedule.arrays[static_cast<std::size_t>(m.to)].contains(m.box));
        }
    }
  }
}

TEST(Schedule, ChunksAreAsAsked) {
  const Mesh mesh = squares(2, 2, 3);
  EXPECT_EQ(sum_schedule(mesh, SumKind::passes, {.chunk = 7}).chunk, 0);
  EXPECT_EQ(sum_schedule(mesh, SumKind::pipelined).chunk, 1);
  EXPECT_EQ(sum_schedule(mesh, SumKind::pipelined, {.chunk = 7}).chunk, 7);
  EXPECT_EQ(sum_schedule(mesh, SumKind::owner, {.chunk = 7, .in_flight = 2}).in_flight, 2);
  EXPECT_THROW((void)sum_schedule(mesh, SumKind::owner, {.chunk = -1}), std::invalid_argument);
  EXPECT_THROW((void)fill_schedule(mesh, {.only = 4}), std::invalid_argument);
}

}  // namespace
}  // namespace ptyle
