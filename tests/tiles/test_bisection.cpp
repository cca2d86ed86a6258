#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <set>

#include "core/error.hpp"
#include "tiles/bisection.hpp"
#include "tiles/scans.hpp"
#include "tiles/schedule.hpp"
#include "tiles/steps.hpp"
#include "tiles/support.hpp"

namespace ptyle {
namespace {

using test::random_scan;
using test::raster_centres;
using test::whole;

std::size_t distinct(const std::vector<Pixel>& centres) {
  std::set<std::pair<i64, i64>> all;
  for (const Pixel& p : centres) all.emplace(p.row, p.col);
  return all.size();
}

Bisection asked_of(Philox& random, i64 window, int ranks) {
  Bisection asked;
  asked.window = window;
  asked.ranks = ranks;
  asked.margin = whole(random, 0, std::min<i64>(3, (window - 1) / 2));
  asked.room = whole(random, 0, asked.margin);
  const Halo exact = Halo::exact(window);
  asked.halo = {exact.before + asked.room, exact.after + asked.room};
  asked.reach = whole(random, 0, std::min(asked.halo.before, asked.halo.after));
  return asked;
}

/// By looking at every window.
bool lit(const std::vector<Pixel>& centres, i64 window, i64 margin, Pixel p) {
  return std::any_of(centres.begin(), centres.end(), [&](const Pixel& c) {
    return grown(window_about(c, window), margin).contains(p);
  });
}

TEST(Support, IsWhatSomeWindowReaches) {
  for (std::uint64_t seed = 0; seed < 200 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    Philox random(seed, 1, 0);
    const auto centres = random_scan(random);
    const i64 window = whole(random, 1, 12), margin = whole(random, 0, 2);
    const Support support(centres, window, margin);
    const Pixel at = centres[static_cast<std::size_t>(whole(random, 0, std::ssize(centres) - 1))];
    const Pixel from{at.row + whole(random, -20, 20), at.col + whole(random, -20, 20)};
    const Box part{{from.row, from.row + whole(random, 1, 30)},
                   {from.col, from.col + whole(random, 1, 30)}};
    const auto mask = support.mask(part);
    Box all;
    bool whole_part = true;
    for (i64 r = part.rows.begin; r < part.rows.end; ++r)
      for (i64 c = part.cols.begin; c < part.cols.end; ++c) {
        const bool is = lit(centres, window, margin, {r, c});
        if (is) all = hull(all, {{r, r + 1}, {c, c + 1}});
        whole_part = whole_part && is;
        const bool told = mask.empty() || mask(r - part.rows.begin, c - part.cols.begin) != 0;
        EXPECT_EQ(told, is) << r << ", " << c;
      }
    EXPECT_EQ(mask.empty(), whole_part);
    EXPECT_EQ(support.within(part), all);
  }
}

void expect_tiles_hold_what_they_need(const Mesh& mesh, const std::vector<Pixel>& centres,
                                      const Bisection& asked) {
  const Support support(centres, asked.window, asked.margin);
  i64 covered = 0;
  for (int a = 0; a < mesh.ranks(); ++a) {
    const Box core = mesh.core(a), tile = mesh.extended(a);
    ASSERT_FALSE(core.empty());
    EXPECT_TRUE(tile.contains(core));
    EXPECT_TRUE(mesh.object().contains(tile));
    const Box near = grown(core, mesh.reach());
    EXPECT_TRUE(tile.contains(intersection(support.within(near), near)));
    covered += core.area();
    for (int b = 0; b < a; ++b) EXPECT_TRUE(intersection(core, mesh.core(b)).empty());
  }
  EXPECT_LE(covered, mesh.object().area());
  const auto owned = assign(mesh, centres);
  for (int a = 0; a < mesh.ranks(); ++a) {
    EXPECT_FALSE(owned[static_cast<std::size_t>(a)].empty());
    for (const i64 i : owned[static_cast<std::size_t>(a)]) {
      const Pixel p = centres[static_cast<std::size_t>(i)];
      EXPECT_TRUE(mesh.core(a).contains(p));
      EXPECT_TRUE(mesh.extended(a).contains(window_about(p, asked.window)));
    }
  }
}

/// Positions that have moved by up to the margin, each with its window in the tile that it belongs
/// to by then, and up to `room` px beyond its part.
void expect_room_for_moves(Philox& random, const Mesh& mesh, const std::vector<Pixel>& centres,
                           const Bisection& asked) {
  for (const Pixel& p : centres) {
    const auto by = [&] { return whole(random, -asked.margin, asked.margin); };
    const Pixel moved{p.row + by(), p.col + by()};
    const Pixel seen_from{moved.row + whole(random, -asked.room, asked.room),
                          moved.col + whole(random, -asked.room, asked.room)};
    const int rank = mesh.tile_of(seen_from);  // of a part that the position is near to
    EXPECT_TRUE(mesh.extended(rank).contains(window_about(moved, asked.window)))
        << moved.row << ", " << moved.col << " on rank " << rank;
  }
}

TEST(Bisection, HoldsOnThousandsOfRandomScans) {
  int made = 0;
  for (std::uint64_t seed = 0; seed < 3000 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    Philox random(seed, 2, 0);
    const auto centres = random_scan(random);
    const auto most = static_cast<i64>(distinct(centres));
    const Bisection asked =
        asked_of(random, whole(random, 1, 24), static_cast<int>(whole(random, 1, most)));
    try {
      const Mesh mesh = bisected_mesh(centres, asked);
      EXPECT_EQ(mesh.ranks(), asked.ranks);
      expect_tiles_hold_what_they_need(mesh, centres, asked);
      expect_room_for_moves(random, mesh, centres, asked);
      ++made;
    } catch (const UserError&) {
      EXPECT_GT(2 * asked.ranks, most) << "only a crowded scan cannot be cut";
    }
  }
  EXPECT_GT(made, 2000);
}

/// No cut depends on the halo and on what is looked at, so that those of one mesh are another's.
TEST(Bisection, AlongKnownCutsItIsTheSame) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    Philox random(seed, 5, 0);
    const auto centres = random_scan(random);
    const i64 window = whole(random, 1, 12);
    const int ranks = static_cast<int>(whole(random, 1, 20));
    Bisection asked = asked_of(random, window, ranks), other = asked;
    other.reach = 0;
    other.halo = Halo::exact(window);
    try {
      const Mesh mesh = bisected_mesh(centres, asked);
      const Mesh again = bisected_mesh(centres, asked, bisected_mesh(centres, other));
      EXPECT_EQ(mesh.reach(), again.reach());
      for (int rank = 0; rank < ranks; ++rank) {
        EXPECT_EQ(mesh.core(rank), again.core(rank)) << rank;
        EXPECT_EQ(mesh.extended(rank), again.extended(rank)) << rank;
      }
      for (const Pixel& p : centres) EXPECT_EQ(mesh.tile_of(p), again.tile_of(p));
    } catch (const UserError&) {  // no cut gives each rank a position
    }
  }
}

TEST(Bisection, PixelsAndTheirTilesAreFoundBothWays) {
  for (std::uint64_t seed = 0; seed < 300 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    Philox random(seed, 3, 0);
    const auto centres = random_scan(random);
    const int ranks = static_cast<int>(whole(random, 1, std::max<i64>(1, std::ssize(centres) / 3)));
    Mesh mesh;
    try {
      mesh = bisected_mesh(centres, asked_of(random, 8, ranks));
    } catch (const UserError&) {
      continue;
    }
    const Pixel from = centres.front();
    const Box part{{from.row - whole(random, 0, 15), from.row + whole(random, 1, 15)},
                   {from.col - whole(random, 0, 15), from.col + whole(random, 1, 15)}};
    std::set<int> by_pixel;
    for (i64 r = part.rows.begin; r < part.rows.end; ++r)
      for (i64 c = part.cols.begin; c < part.cols.end; ++c) by_pixel.insert(mesh.tile_of({r, c}));
    EXPECT_EQ(mesh.tiles_of(part), std::vector<int>(by_pixel.begin(), by_pixel.end()));
  }
}

/// What moves is checked exactly: each rank's part of a pixel is a power of two of its own rank
/// (mod 2^20 a sum of many), and the pixel's number.
TEST(Bisection, SumsAndFillsReachEveryCopyOnceFrom1To4160Tiles) {
  for (const int ranks : {1, 2, 3, 7, 12, 54, 198, 924, 4160}) {
    SCOPED_TRACE(ranks);
    Philox random(static_cast<std::uint64_t>(ranks), 4, 0);
    std::vector<Pixel> centres;
    const double angle = 0.5;
    for (int r = 0; r < 75; ++r)
      for (int c = 0; c < 60; ++c)
        centres.push_back({std::lround(7 * (r * std::cos(angle) - c * std::sin(angle))),
                           std::lround(7 * (r * std::sin(angle) + c * std::cos(angle)))});
    const Mesh mesh = bisected_mesh(centres, asked_of(random, 16, ranks));
    const Schedule sum = sum_schedule(mesh, SumKind::owner), fill = fill_schedule(mesh);
    // Every pixel of an extended tile that lies in another's core is sent there, once; and back.
    std::vector<std::pair<i64, i64>> wanted;  // rank · ranks + owner, area
    for (int a = 0; a < ranks; ++a)
      for (int b = 0; b < ranks; ++b)
        if (const Box part = intersection(mesh.extended(a), mesh.core(b)); a != b && !part.empty())
          wanted.emplace_back(i64{a} * ranks + b, part.area());
    const auto moved = [&](const Schedule& schedule, bool back) {
      std::vector<std::pair<i64, i64>> all;
      for (const Round& round : schedule.rounds)
        for (const Message& m : round.messages) {
          const int tile = back ? m.to : m.from, owner = back ? m.from : m.to;
          EXPECT_TRUE(mesh.core(owner).contains(m.box));
          EXPECT_TRUE(mesh.extended(tile).contains(m.box));
          all.emplace_back(i64{tile} * ranks + owner, m.box.area());
        }
      std::sort(all.begin(), all.end());
      return all;
    };
    EXPECT_EQ(moved(sum, false), wanted);
    EXPECT_EQ(moved(fill, true), wanted);
    // A rank's own schedule is the part of it that the rank has.
    for (const int rank : {0, ranks / 3, ranks - 1})
      for (const bool back : {false, true}) {
        const Schedule own = back ? fill_schedule(mesh, {.only = rank})
                                  : sum_schedule(mesh, SumKind::owner, {.only = rank});
        const auto all = steps_of(back ? fill : sum, rank), alone = steps_of(own, rank);
        ASSERT_EQ(all.size(), alone.size());
        for (std::size_t i = 0; i < all.size(); ++i) {
          EXPECT_EQ(all[i].sent_pixels, alone[i].sent_pixels);
          EXPECT_EQ(all[i].received_pixels, alone[i].received_pixels);
          EXPECT_EQ(all[i].receives.size(), alone[i].receives.size());
        }
      }
  }
}

/// The raster of the large Lead Titanate set in pixels of 0.1 Å, turned, and a spiral of as many
/// positions.
std::vector<Pixel> turned_raster(double degrees) {
  std::vector<Pixel> centres;
  const double a = degrees * std::numbers::pi / 180, step = 14.5;
  for (int r = 0; r < 126; ++r)
    for (int c = 0; c < 132; ++c)
      centres.push_back({std::lround(step * (r * std::cos(a) - c * std::sin(a))),
                         std::lround(step * (r * std::sin(a) + c * std::cos(a)))});
  return centres;
}
std::vector<Pixel> spiral() {
  std::vector<Pixel> centres;
  const double step = 14.5, pitch = step / (2 * std::numbers::pi);
  for (double turn = 2; centres.size() < 126 * 132; turn += step / std::hypot(pitch * turn, pitch))
    centres.push_back(
        {std::lround(pitch * turn * std::cos(turn)), std::lround(pitch * turn * std::sin(turn))});
  return centres;
}

TEST(Bisection, BalancesTurnedAndRoundScans) {
  const i64 window = 256;
  for (const auto& [centres, name, most_area] :
       {std::tuple{turned_raster(30), "turned", 1.5}, {spiral(), "spiral", 1.85}}) {
    for (const int ranks : {54, 198}) {
      SCOPED_TRACE(std::string(name) + ", " + std::to_string(ranks));
      const Mesh mesh = bisected_mesh(centres, {window, ranks, Halo::exact(window), 0, 0, 32});
      const auto raster = turned_raster(0);
      const Mesh straight =
          balanced_mesh(raster, window, automatic_shape(raster, ranks), Halo::exact(window));
      std::size_t fullest = 0;
      i64 largest = 0, of_straight = 0;
      for (const auto& own : assign(mesh, centres)) fullest = std::max(fullest, own.size());
      for (int r = 0; r < ranks; ++r) {
        largest = std::max(largest, mesh.extended(r).area());
        of_straight = std::max(of_straight, straight.extended(r).area());
      }
      EXPECT_LE(double(fullest) * ranks, 1.03 * double(centres.size()));
      EXPECT_LE(double(largest), most_area * double(of_straight));
    }
  }
}

TEST(Bisection, RefusesMoreRanksThanPositions) {
  EXPECT_THROW(bisected_mesh(raster_centres(2, 2, 5), {8, 5, Halo::exact(8), 0, 0, 0}), UserError);
}

}  // namespace
}  // namespace ptyle
