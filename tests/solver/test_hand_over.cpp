// Fits whose positions move from tile to tile: records that change hands change nothing else.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "solver/on_gpu.hpp"
#include "solver/shared_fit.hpp"
#include "solver/variables/position_options.hpp"
#include "solver/wander.hpp"

namespace ptyle {
namespace {

using test::apart;
using test::FitScene;
using test::reader_of;
using test::records_from;
using test::stitched;

constexpr i64 side = 8, margin = 4;
constexpr i64 count = side * side;

/// 8 × 8 positions 2.5 px apart, and room to move by 4 px.
const FitScene& scene() {
  static const FitScene one(0, {side, 2.5, margin});
  return one;
}

/// With no more room in halos than `room` px beyond what windows need.
Mesh mesh_of(const FitScene& scene, int ranks, i64 room) {
  const Halo exact = Halo::exact(FitScene::window);
  return scene.mesh(ranks).with_halo({exact.before + room, exact.after + room});
}

FitOptions wandering(i64 hand_over_margin = 1) {
  FitOptions o = test::options(4);
  o.hold_out = 0.1;
  o.hold_out_pixels = 0.1;
  o.parts.add<test::WanderOptions>({hand_over_margin});
  o.parts.of<PositionOptions>().largest_move = FitScene::pixel * margin;
  return o;
}

Fit<double> wandering_fit(Team& team, i64 hand_over_margin = 1) {
  const int ranks = team.size();
  return scene().fit(wandering(hand_over_margin), team, {mesh_of(scene(), ranks, 1)});
}

/// All that a position has, and whether it is where it should be: on one tile, near its core.
void expect_each_has_one_owner(const Fit<double>& fit, i64 steps) {
  std::vector<int> owners(count, 0);
  for (std::size_t t = 0; t < fit.tiles().size(); ++t) {
    const Tile& tile = fit.tiles()[t];
    EXPECT_EQ(fit.state().tiles()[t].positions, std::ssize(tile.own));
    for (const i64 i : tile.own) {
      ++owners[std::size_t(i)];
      const auto shift = records_from(fit, "wander.shift", std::span(&i, 1), 2);
      Position at = scene().data().positions[std::size_t(i)];
      at.row += shift[0], at.col += shift[1];
      const Placement corner = place(at, FitScene::window);
      const Pixel centre{corner.row + FitScene::window / 2, corner.col + FitScene::window / 2};
      EXPECT_LE(distance_outside(tile.core, centre), 1);
      EXPECT_EQ(records_from(fit, "wander.steps", std::span(&i, 1), 1)[0], double(steps));
    }
  }
  EXPECT_EQ(std::count(owners.begin(), owners.end(), 1), count);
}

struct Outcome {
  Array<double, 3> object;
  std::vector<double> shifts, cost;
  Misfit held_out, held_out_pixels;
  i64 handed_over = 0;
};
Outcome after(Fit<double>& fit, int more_iterations) {
  Outcome all;
  for (int i = 0; i < more_iterations; ++i) {
    const IterationReport report = fit.iterate();
    all.cost.push_back(report.fitted.cost);
    all.held_out = report.held_out;
    all.held_out_pixels = report.held_out_pixels;
  }
  all.object = stitched(fit, scene().object());
  std::vector<i64> everybody(count);
  for (i64 i = 0; i < count; ++i) everybody[std::size_t(i)] = i;
  all.shifts = records_from(fit, "wander.shift", everybody, 2);
  EXPECT_EQ(fit.handed_over().came, fit.handed_over().went);
  all.handed_over = fit.handed_over().came;
  return all;
}
Outcome wandered(int ranks, i64 hand_over_margin = 1) {
  const auto team = make_local_team(ranks);
  auto fit = wandering_fit(*team, hand_over_margin);
  Outcome all = after(fit, 4);
  if (hand_over_margin == 1 && ranks > 1) expect_each_has_one_owner(fit, 4);
  return all;
}

void expect_same(const Outcome& a, const Outcome& b) {
  EXPECT_EQ(a.shifts, b.shifts);
  // As those of any fit (test_sharing).
  EXPECT_LT(apart(a.object, b.object), 1e-12);
  EXPECT_NEAR(a.cost.back() / b.cost.back(), 1, 1e-11);
  EXPECT_NEAR(a.held_out.cost / b.held_out.cost, 1, 1e-11);
  EXPECT_NEAR(a.held_out_pixels.cost / b.held_out_pixels.cost, 1, 1e-11);
}

TEST(HandOver, IsTheSameOnAnyNumberOfRanks) {
  const Outcome one = wandered(1);
  EXPECT_EQ(one.handed_over, 0);
  for (const int ranks : {2, 4, 6, 9, 12}) {
    SCOPED_TRACE(ranks);
    const Outcome more = wandered(ranks);
    EXPECT_GT(more.handed_over, 10);
    expect_same(more, one);
  }
}

/// And so what is the same above is so for the hand-over's sake.
TEST(HandOver, WithoutItWindowsLieOutsideTheirTile) {
  const Outcome stays = wandered(4, 1000);
  EXPECT_EQ(stays.handed_over, 0);
  EXPECT_GT(apart(stays.object, wandered(1).object), 1e-6);
}

TEST(HandOver, ThatIsStoppedGoesOnOnOtherRanks) {
  const Outcome whole = wandered(4);
  const auto four = make_local_team(4);
  auto first = wandering_fit(*four);
  first.iterate();
  first.iterate();
  int batches = 0;
  EXPECT_FALSE(first.iterate([&] { return ++batches == 2; }).whole);
  EXPECT_GT(first.handed_over().came, 0);
  const auto object = stitched(first, scene().object());
  for (const int ranks : {1, 4, 6, 9}) {
    SCOPED_TRACE(ranks);
    const auto team = make_local_team(ranks);
    auto second =
        scene().fit(wandering(), *team, {mesh_of(scene(), ranks, 1)}, object, first.probe());
    second.restore(first.numbers(), reader_of(first));
    // Ranks begin with those that lie on their core by the scan.
    EXPECT_EQ(second.handed_over().came > 0, ranks > 1);
    if (ranks > 1) expect_each_has_one_owner(second, 2);
    expect_same(after(second, 2), whole);
  }
}

TEST(HandOver, IsTheSameOnTheEmulatedGpu) {
  const Outcome host = wandered(4);
  const test::OnGpu gpu(true, {.guarded = true, .order = emulated::Order::others_first}, scene());
  const auto team = make_local_team(4);
  {
    auto fit = wandering_fit(*team);
    for (int i = 0; i < 4; ++i) fit.iterate();
    EXPECT_EQ(fit.handed_over().came, host.handed_over);
    EXPECT_LT(apart(stitched(fit, scene().object()), host.object), test::rounding_of_operators);
  }
}

TEST(HandOver, RecordsStayAccounted) {
  Ledger ledger;
  const auto team = make_local_team(6);
  auto fit = scene().fit(wandering(), *team, {mesh_of(scene(), 6, 1)}, scene().vacuum(),
                         scene().probe(), &ledger);
  for (int i = 0; i < 3; ++i) fit.iterate();
  EXPECT_GT(fit.handed_over().came, 0);
  std::size_t booked = 0;
  for (const auto& entry : ledger.entries())
    if (entry.name == "wander") booked = entry.now;
  EXPECT_EQ(booked, sizeof(double) * 3 * count);
}

/// As positions are refined: halos have no more room than their moves between two hand-overs need.
TEST(HandOver, OfPositionsThatAreRefinedIsTheSameOnAnyNumberOfRanks) {
  constexpr i64 limit = 4;  // px
  std::vector<Position> by(count);
  for (i64 i = 0; i < count; i += 3) {  // every third is 3 px off, to one of four sides
    const double off = i % side < side / 2 ? 3 : -3;
    by[std::size_t(i)] = i % 4 < 2 ? Position{off, 0} : Position{0, off};
  }
  const FitScene off(0, {side, 2.5, margin, by});
  FitOptions o = test::options(4);
  o.probe_from = 0;
  o.parts.of<PositionOptions>() = {.refine = Switch::on,
                                   .model = PositionModel::free,
                                   .start = 2,
                                   .step = 1,
                                   .largest_move = FitScene::pixel * double(limit)};
  const i64 room = room_for_moves(limit);
  EXPECT_LT(room, limit);
  const auto result = [&](int ranks) {
    const auto team = make_local_team(ranks);
    auto fit = off.fit(o, *team, {mesh_of(off, ranks, room)}, true);  // from the true object
    for (int i = 0; i < 8; ++i) fit.iterate();
    EXPECT_EQ(fit.handed_over().came > 0, ranks > 1) << ranks;
    return stitched(fit, off.object());
  };
  const auto one = result(1);
  for (const int ranks : {2, 4, 6, 9}) EXPECT_LT(apart(result(ranks), one), 1e-11) << ranks;
}

TEST(HandOver, HalosHaveRoomForWhatMovesBetweenTwo) {
  EXPECT_EQ(room_for_moves(0), 0);
  EXPECT_EQ(room_for_moves(1), 1);
  EXPECT_EQ(room_for_moves(4), 2);
  EXPECT_EQ(room_for_moves(5), 3);
  EXPECT_EQ(room_for_moves(64), 24);
  for (i64 move = 1; move < 200; ++move) {
    EXPECT_LE(room_for_moves(move), move);
    EXPECT_TRUE(room_for_moves(move) == move ||
                double(room_for_moves(move)) >=
                    double(hand_over_margin(move)) + most_alone * double(move));
  }
}

}  // namespace
}  // namespace ptyle
