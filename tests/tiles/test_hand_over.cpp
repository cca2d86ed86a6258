// Records that change hands, as data: everybody's lists after it, and what may come to whom.

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "tiles/hand_over.hpp"
#include "tiles/scans.hpp"

namespace ptyle {
namespace {

using test::squares;
using test::whole;

/// Records on a mesh, whose owners are whoever the dice say.
struct Scene {
  Mesh mesh;
  std::vector<Pixel> centres;
  std::vector<std::vector<i64>> own;

  Scene(int rows, int cols, i64 count, std::uint64_t seed)
      : mesh(squares(rows, cols, 3)), own(static_cast<std::size_t>(mesh.ranks())) {
    Philox random(seed, 0, 0);
    const i64 half = whole(random, 0, 1);  // of the ranks have none
    for (i64 i = 0; i < count; ++i) {
      centres.push_back({whole(random, -4, 10 * rows + 3), whole(random, -4, 10 * cols + 3)});
      own[std::size_t(whole(random, half * mesh.ranks() / 2, mesh.ranks() - 1))].push_back(i);
    }
  }
  [[nodiscard]] std::vector<Parcel> parcels(i64 margin) const {
    std::vector<Parcel> all;
    for (int rank = 0; rank < mesh.ranks(); ++rank) {
      const auto& mine = own[std::size_t(rank)];
      std::vector<Pixel> at;
      for (const i64 i : mine) at.push_back(centres[std::size_t(i)]);
      for (const Parcel& parcel : parcels_of(mesh, rank, mine, at, margin)) all.push_back(parcel);
    }
    return all;
  }
};

std::vector<Scene> scenes() {
  std::vector<Scene> all;
  for (const auto& [rows, cols] : {std::pair{1, 1}, {1, 2}, {3, 1}, {2, 3}, {3, 3}, {5, 7}})
    for (const i64 count : {0, 1, 40, 300})
      for (std::uint64_t seed = 0; seed < 4; ++seed) all.emplace_back(rows, cols, count, seed);
  return all;
}

TEST(HandOver, EveryRecordHasOneOwnerAfterwardsWhoseCoreItIsNear) {
  for (const Scene& scene : scenes())
    for (const i64 margin : {0, 1, 3, 1000}) {
      const auto parcels = scene.parcels(margin);
      std::vector<int> owners(scene.centres.size(), 0);
      for (int rank = 0; rank < scene.mesh.ranks(); ++rank) {
        const auto own = owned_after(scene.own[std::size_t(rank)], rank, parcels, parcels);
        EXPECT_TRUE(std::is_sorted(own.begin(), own.end()));
        for (const i64 i : own) {
          ++owners[std::size_t(i)];
          const Pixel p = scene.centres[std::size_t(i)];
          const int tile = scene.mesh.tile_of(p);
          EXPECT_TRUE(tile == rank || distance_outside(scene.mesh.core(rank), p) <= margin);
        }
      }
      EXPECT_EQ(std::count(owners.begin(), owners.end(), 1), std::ssize(owners));
    }
}

TEST(HandOver, OnlyWhatLiesBeyondTheMarginGoesAndToItsTile) {
  for (const Scene& scene : scenes())
    for (const i64 margin : {0, 2}) {
      i64 gone = 0, expected = 0;
      for (const Parcel& parcel : scene.parcels(margin)) {
        EXPECT_NE(parcel.from, parcel.to);
        EXPECT_FALSE(parcel.records.empty());
        for (const i64 i : parcel.records) {
          EXPECT_EQ(scene.mesh.tile_of(scene.centres[std::size_t(i)]), parcel.to);
          ++gone;
        }
      }
      for (int rank = 0; rank < scene.mesh.ranks(); ++rank)
        for (const i64 i : scene.own[std::size_t(rank)]) {
          const Pixel p = scene.centres[std::size_t(i)];
          expected +=
              scene.mesh.tile_of(p) != rank && distance_outside(scene.mesh.core(rank), p) > margin;
        }
      EXPECT_EQ(gone, expected);
    }
}

/// A position that has come stays until it is back by the margin and beyond the line by as much
/// again.
TEST(HandOver, NothingGoesToAndFro) {
  const Mesh mesh = squares(1, 2, 3);  // the line lies before column 10
  constexpr i64 margin = 2;
  const std::vector<i64> own{0};
  const auto leaves = [&](int rank, i64 col) {
    const std::vector<Pixel> at{{5, col}};
    return !parcels_of(mesh, rank, own, at, margin).empty();
  };
  for (i64 col = 0; col <= 11; ++col) EXPECT_FALSE(leaves(0, col)) << col;
  EXPECT_TRUE(leaves(0, 12));
  for (i64 col = 8; col <= 19; ++col) EXPECT_FALSE(leaves(1, col)) << col;
  EXPECT_TRUE(leaves(1, 7));
}

TEST(HandOver, TheObjectsOwnBorderIsNoLine) {
  const Mesh mesh = squares(2, 2, 3);
  const std::vector<i64> own{0, 1, 2};
  const std::vector<Pixel> beyond{{-9, 3}, {4, -9}, {-9, -9}};
  EXPECT_TRUE(parcels_of(mesh, 0, own, beyond, 0).empty());
}

TEST(HandOver, ListsThatDoNotAgreeAreRefused) {
  const std::vector<i64> own{2, 5};
  const auto after = [&](const Parcel& parcel) {
    const std::span all(&parcel, 1);
    return owned_after(own, 0, all, all);
  };
  EXPECT_EQ(after({0, 1, {2}}), std::vector<i64>{5});
  EXPECT_EQ(after({1, 0, {3}}), (std::vector<i64>{2, 3, 5}));
  EXPECT_EQ(after({1, 2, {2, 4}}), own);
  EXPECT_THROW((void)after({0, 1, {3}}), std::logic_error);
  EXPECT_THROW((void)after({1, 0, {5}}), std::logic_error);
  const std::vector<Pixel> one{{0, 0}};
  EXPECT_THROW((void)parcels_of(squares(1, 2, 3), 0, own, one, 1), std::invalid_argument);
}

/// A record comes at most to those whose core it can reach, wherever it moves.
TEST(HandOver, NoMoreComeThanMayCome) {
  Philox random(3, 0, 0);
  for (int time = 0; time < 40; ++time) {
    const auto centres = test::random_scan(random);
    const i64 reach = whole(random, 1, 30);
    std::vector<i64> rows, cols;
    for (const Pixel& p : centres) rows.push_back(p.row), cols.push_back(p.col);
    const auto [top, bottom] = std::minmax_element(rows.begin(), rows.end());
    const auto [left, right] = std::minmax_element(cols.begin(), cols.end());
    const auto cuts = [](i64 low, i64 high) {
      return std::vector<i64>{low + (high - low) / 3, low + (high - low) * 2 / 3};
    };
    const Box object{{*top - 40, *bottom + 41}, {*left - 40, *right + 41}};
    const Mesh mesh(object, cuts(object.rows.begin, object.rows.end),
                    cuts(object.cols.begin, object.cols.end), Halo::of(3));
    const auto most = most_that_come(mesh, centres, reach);
    const auto own = assign(mesh, centres);
    for (int rank = 0; rank < mesh.ranks(); ++rank) {
      const Box core = mesh.core(rank);
      i64 near = 0;
      for (const Pixel& p : centres)
        near += mesh.tile_of(p) != rank && distance_outside(core, p) <= reach;
      EXPECT_EQ(most[std::size_t(rank)], near);
      EXPECT_EQ(most_that_come(mesh, centres, reach, rank)[std::size_t(rank)], near);
    }
  }
}

TEST(HandOver, TheMarginIsASmallShareOfTheMoves) {
  EXPECT_EQ(hand_over_margin(0), 1);
  EXPECT_EQ(hand_over_margin(15), 1);
  EXPECT_EQ(hand_over_margin(16), 2);
  EXPECT_EQ(hand_over_margin(80), 10);
}

}  // namespace
}  // namespace ptyle
