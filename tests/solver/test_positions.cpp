// Positions that a scan has wrong, found by fits of a simulated set; and those that it has right.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "core/matrix2.hpp"
#include "core/random.hpp"
#include "solver/on_gpu.hpp"
#include "solver/shared_fit.hpp"
#include "solver/variables/position_options.hpp"

namespace ptyle {
namespace {

using test::FitScene;
using test::reader_of;

constexpr i64 side = 8, margin = 4;
constexpr double scan_step = 2.5;

std::array<double, 2> from_middle(i64 i) {
  const double middle = 0.5 * scan_step * double(side - 1);
  return {scan_step * double(i / side) - middle, scan_step * double(i % side) - middle};
}

/// A x and as much by chance, px; their mean is 0.
std::vector<Position> displacement(const std::array<double, 4>& a, double chance) {
  std::vector<Position> all;
  Philox random(21, 0, 0);
  Position mean{0, 0};
  for (i64 i = 0; i < side * side; ++i) {
    const auto x = from_middle(i);
    const double row = chance * (2 * random.uniform() - 1),
                 col = chance * (2 * random.uniform() - 1);
    all.push_back({a[0] * x[0] + a[1] * x[1] + row, a[2] * x[0] + a[3] * x[1] + col});
    mean.row += all.back().row / double(side * side);
    mean.col += all.back().col / double(side * side);
  }
  for (Position& d : all) d.row -= mean.row, d.col -= mean.col;
  return all;
}

FitScene scene_of(const std::vector<Position>& displacement, double electrons = 0) {
  return FitScene(electrons, {side, scan_step, margin, displacement});
}

FitOptions options_of(const PositionOptions& positions) {
  FitOptions o;
  o.batches = 4;
  o.probe_from = 0;
  o.verify = true;
  auto& refinement = o.parts.of<PositionOptions>();
  refinement = positions;
  refinement.refine = Switch::on;
  if (refinement.largest_move == 0) refinement.largest_move = FitScene::pixel * scan_step;
  return o;
}

std::vector<Position> shifts_of(const Fit<double>& fit) {
  std::vector<Position> all(side * side);
  const auto& field = fit.state().field("shift");
  for (std::size_t t = 0; t < fit.tiles().size(); ++t) {
    const auto here = fit.arithmetic().on_host(field.on(t));
    for (std::size_t k = 0; k < fit.tiles()[t].own.size(); ++k)
      all[std::size_t(fit.tiles()[t].own[k])] = {here.view(0, i64(k), 0), here.view(0, i64(k), 1)};
  }
  return all;
}

/// The rest of an error, r.m.s. px: of its best affine model, and beside it.
struct Left {
  double affine = 0, rest = 0;
};
Left left(const std::vector<Position>& truth, const std::vector<Position>& shifts) {
  std::array<double, 4> moment{};
  double xx = 0;  // of rows as of columns; their mixed one is 0
  for (i64 i = 0; i < side * side; ++i) {
    const auto x = from_middle(i);
    const std::array<double, 2> e{truth[i].row - shifts[i].row, truth[i].col - shifts[i].col};
    for (std::size_t k = 0; k < 4; ++k) moment[k] += e[k / 2] * x[k % 2];
    xx += x[0] * x[0];
  }
  Left sum;
  for (i64 i = 0; i < side * side; ++i) {
    const auto x = from_middle(i);
    const std::array<double, 2> e{truth[i].row - shifts[i].row, truth[i].col - shifts[i].col};
    for (std::size_t k = 0; k < 2; ++k) {
      const double model = (moment[2 * k] * x[0] + moment[2 * k + 1] * x[1]) / xx;
      sum.affine += model * model;
      sum.rest += (e[k] - model) * (e[k] - model);
    }
  }
  return {std::sqrt(sum.affine / double(side * side)), std::sqrt(sum.rest / double(side * side))};
}

double all(const Left& left) { return std::hypot(left.affine, left.rest); }

constexpr std::array<double, 4> turned_and_sheared{0.012, -0.02, 0.026, -0.01};
constexpr double chance = 0.25;  // px

/// Wrong by an affine model, 0.19 px r.m.s., and beside it, 0.22 px.
const std::vector<Position>& wrong_by() {
  static const auto by = displacement(turned_and_sheared, chance);
  return by;
}
const FitScene& wrong() {
  static const FitScene scene = scene_of(wrong_by());
  return scene;
}

struct Found {
  std::vector<Position> shifts;
  Array<double, 3> object;
  std::vector<std::string> warnings;
};
Found found(const Fit<double>& fit, const FitScene& scene) {
  return {shifts_of(fit), test::stitched(fit, scene.object()), {}};
}
Found fitted(const FitScene& scene, const FitOptions& options, int iterations, const Mesh& mesh) {
  const auto team = make_local_team(mesh.ranks());
  auto fit = scene.fit(options, *team, {mesh});
  std::vector<std::string> warnings;
  for (int i = 0; i < iterations; ++i)
    for (const auto& line : fit.iterate().warnings) warnings.push_back(line);
  Found all = found(fit, scene);
  all.warnings = warnings;
  return all;
}
Found fitted(const FitScene& scene, const FitOptions& options, int iterations, int ranks = 1) {
  return fitted(scene, options, iterations, scene.mesh(ranks));
}

double apart(const std::vector<Position>& a, const std::vector<Position>& b) {
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    most = std::max(most, std::hypot(a[i].row - b[i].row, a[i].col - b[i].col));
  return most;
}
double farthest(const std::vector<Position>& shifts) {
  return apart(shifts, std::vector<Position>(shifts.size()));
}

// Found

/// With the right object, each iteration would halve an error (positions.step 0.5). The object,
/// fitted to the wrong positions for four iterations, is late; how late, a scan that is right
/// shows, as its positions leave their places for the wrong object's sake: a scan that is wrong
/// should be no worse off in the end than half as much again.
TEST(Positions, AreFoundAsWellAsTheObjectAllows) {
  const auto truth = displacement({}, 0);
  const FitScene right = scene_of(truth);
  const FitOptions options = options_of({});
  const double late = all(left(truth, fitted(right, options, 30).shifts));
  const Left after = left(wrong_by(), fitted(wrong(), options, 30).shifts);
  EXPECT_LT(all(after), 1.5 * late);
  EXPECT_LT(all(after), 0.2 * all(left(wrong_by(), truth)));
}

TEST(Positions, AreFoundFreelyToo) {
  const Left before = left(wrong_by(), displacement({}, 0)),
             after = left(wrong_by(),
                          fitted(wrong(), options_of({.model = PositionModel::free}), 30).shifts);
  EXPECT_LT(after.rest, 0.2 * before.rest);
  EXPECT_LT(after.affine, 0.2 * before.affine);
}

TEST(Positions, OfAnAffineModelStayOne) {
  const auto options = options_of({.model = PositionModel::affine});
  // The part that is not affine stays as it is, to the rounding of thirty sums.
  const Left mixed_before = left(wrong_by(), displacement({}, 0)),
             mixed = left(wrong_by(), fitted(wrong(), options, 30).shifts);
  EXPECT_NEAR(mixed.rest, mixed_before.rest, 1e-14);
  EXPECT_LT(mixed.affine, 0.5 * mixed_before.affine);  // less well, with 0.2 px of noise
  const auto truth = displacement(turned_and_sheared, 0);
  const Left pure = left(truth, fitted(scene_of(truth), options, 30).shifts);
  EXPECT_LT(pure.rest, 1e-14);
  EXPECT_LT(pure.affine, 0.2 * left(truth, displacement({}, 0)).affine);
}

/// Mean squares of shifts, r.m.s. px.
double rms(const std::vector<Position>& shifts) {
  double sum = 0;
  for (const Position& at : shifts) sum += at.row * at.row + at.col * at.col;
  return std::sqrt(sum / double(shifts.size()));
}

/// Shifts of any number of positions, on one rank.
std::vector<Position> shifts_on_one_rank(const Fit<double>& fit) {
  const auto here = fit.state().field("shift").on(0);
  std::vector<Position> all;
  for (i64 k = 0; k < here.shape[1]; ++k) all.push_back({here(0, k, 0), here(0, k, 1)});
  return all;
}

double noise_of(const Fit<double>& fit) {
  const double rows = fit.numbers().at("positions.curvature.rows"),
               cols = fit.numbers().at("positions.curvature.cols");
  return std::sqrt(1 / (2 * rows) + 1 / (2 * cols));
}

// Scans that are longer than wide

constexpr i64 lines = 4, long_side = 60;

/// A turn and a scale of a strip of 4 × 60, by 0.7 px at its ends, are found as those of a square.
TEST(Positions, OfALongScanAreFound) {
  std::vector<Position> by;
  for (i64 i = 0; i < lines * long_side; ++i) {
    const double row = scan_step * (double(i / long_side) - 0.5 * double(lines - 1)),
                 col = scan_step * (double(i % long_side) - 0.5 * double(long_side - 1));
    by.push_back({0.01 * col, -0.01 * row + 0.008 * col});
  }
  const FitScene scene(
      0,
      {.side = long_side, .step = scan_step, .margin = margin, .displacement = by, .lines = lines});
  auto fit = scene.fit(options_of({}));
  for (int i = 0; i < 30; ++i) fit.iterate();
  auto off = shifts_on_one_rank(fit);
  for (std::size_t i = 0; i < off.size(); ++i) off[i].row -= by[i].row, off[i].col -= by[i].col;
  std::printf("FOUND %g of %g\n", rms(off), rms(by));
  EXPECT_LT(rms(off), 0.3 * rms(by));
}

/// The short axis tells noise, which is to turn neither the long one nor the object beside the
/// scan. The noise of one part of N displaces n positions by 1/√n of their own noise, and with its
/// gain of 60 at most by 4 times it, here along one axis of two.
TEST(Positions, OfALongScanThatIsRightMoveByTheNoiseAtMost) {
  const FitScene scene(1e5,
                       {.side = long_side, .step = scan_step, .margin = margin, .lines = lines});
  auto options = options_of({.start = 1});
  options.probe_from = 1;
  auto fit = scene.fit(options, true);
  for (int i = 0; i < 20; ++i) {
    fit.iterate();
    EXPECT_LT(rms(shifts_on_one_rank(fit)), 6 * noise_of(fit)) << i;
    // Half a window from the middle by less than half a px.
    EXPECT_NEAR(fit.numbers().at("positions.stretched.0"), 1, 0.03) << i;
  }
}

/// A line has no affine model, nor has one that jitters across by a fraction of a px.
TEST(Positions, OfALineMoveByThemselvesAlone) {
  for (const double jitter : {0.0, 0.02, 0.5}) {
    const FitScene scene(
        1e5,
        {.side = long_side, .step = scan_step, .margin = margin, .lines = 1, .jitter = jitter});
    const auto moved = [&](PositionModel model) {
      auto fit = scene.fit(options_of({.model = model, .start = 1}), true);
      for (int i = 0; i < 5; ++i) fit.iterate();
      EXPECT_EQ(fit.numbers().at("positions.stretches"), 5);  // and so finding ends
      return shifts_on_one_rank(fit);
    };
    EXPECT_EQ(rms(moved(PositionModel::affine)), 0) << jitter;
    EXPECT_GT(rms(moved(PositionModel::both)), 0) << jitter;
    EXPECT_EQ(apart(moved(PositionModel::both), moved(PositionModel::free)), 0) << jitter;
  }
}

TEST(Positions, ThatAreRightStayWithTheRightObject) {
  const auto team = make_local_team();
  const FitScene scene = scene_of(displacement({}, 0));
  auto fit = scene.fit(options_of({.start = 1}), *team, {scene.mesh(1)}, true);
  for (int i = 0; i < 3; ++i) fit.iterate();
  // Slopes of residuals of 1e-16 of an amplitude that is of order one, over the curvature of as
  // many, which is too.
  EXPECT_LT(farthest(shifts_of(fit)), 1e-14);
}

/// Counting noise moves a position by 1/√(2c) r.m.s. along either axis with a known object, c half
/// the curvature of the Poisson loss (Cramér and Rao); twice that is left for an object that is
/// fitted to the same counts, and as much again for the affine model, whose steps are several times
/// as long as the noise of its few numbers allows at rest.
TEST(Positions, ThatAreRightMoveByTheNoiseAtMost) {
  const auto team = make_local_team();
  const auto truth = displacement({}, 0);
  const FitScene scene = scene_of(truth, 1e5);
  auto fit = scene.fit(options_of({.start = 1}), *team, {scene.mesh(1)}, true);
  fit.iterate();
  const double noise = noise_of(fit);
  for (int i = 0; i < 20; ++i) fit.iterate();
  const double moved = all(left(truth, shifts_of(fit)));
  EXPECT_LT(moved, 3 * noise);
  EXPECT_GT(moved, 0.5 * noise);  // and they do move
}

/// Without a specimen, or with one that the counts hardly show (1000 a pattern here), an object of
/// noise would make positions wander: by over a pixel in 30 iterations.
TEST(Positions, StayWherePatternsDoNotTell) {
  struct Case {
    double electrons;
    bool vacuum, stay;
  };
  for (const auto& [electrons, vacuum, stay] :
       {Case{0, true, true}, Case{1e5, true, true}, Case{1e3, true, true}, Case{1e3, false, true},
        Case{1e5, false, false}}) {
    const FitScene scene(electrons, {side, scan_step, margin, {}, vacuum});
    const double counts_per_pixel = electrons / (scan_step * scan_step);
    const double noise = electrons > 0 ? 1 / (4 * counts_per_pixel) : 0;
    const Found found = fitted(scene, options_of({.noise = noise}), 12);
    EXPECT_EQ(farthest(found.shifts) == 0, stay) << electrons << ", vacuum " << vacuum;
  }
}

TEST(Positions, KeepTheirMean) {
  for (const auto model : {PositionModel::both, PositionModel::affine, PositionModel::free}) {
    auto options = options_of({.model = model, .start = 1});
    options.hold_out = 0.1;
    const auto team = make_local_team();
    auto fit = wrong().fit(options, *team, {wrong().mesh(1)});
    for (int i = 0; i < 6; ++i) fit.iterate();
    const auto shifts = shifts_of(fit);
    Position sum{0, 0};  // of those that are fitted
    for (std::size_t i = 0; i < shifts.size(); ++i)
      if (!std::binary_search(fit.held_out().begin(), fit.held_out().end(), i64(i)))
        sum.row += shifts[i].row, sum.col += shifts[i].col;
    EXPECT_NEAR(sum.row, 0, 1e-14);
    EXPECT_NEAR(sum.col, 0, 1e-14);
  }
}

TEST(Positions, WaitUntilTheyMayMove) {
  const auto still = [](const PositionOptions& positions, int iterations) {
    return farthest(fitted(wrong(), options_of(positions), iterations).shifts) == 0;
  };
  EXPECT_TRUE(still({}, 4));
  EXPECT_FALSE(still({}, 5));
  EXPECT_TRUE(still({.start = 2}, 1));
  EXPECT_FALSE(still({.start = 2}, 2));
}

// A standstill means nothing before they move, nor while the scan's model is being found.
TEST(Positions, AreWaitedFor) {
  const auto team = make_local_team();
  auto fit = wrong().fit(options_of({.start = 3}), *team, {wrong().mesh(1)});
  const bool several = fit.state().field("phase").shape[0] > 1;
  for (int i = 1; i <= 4; ++i) {
    fit.iterate();
    EXPECT_EQ(fit.all_moves_from(), i < 3 || several ? i + 1 : 3) << i;
  }
}

TEST(Positions, ThatAreHeldOutMoveWithTheModelAlone) {
  const auto team = make_local_team();
  for (const auto model : {PositionModel::both, PositionModel::free}) {
    auto options = options_of({.model = model, .start = 1});
    options.hold_out = 0.1;
    auto fit = wrong().fit(options, *team, {wrong().mesh(1)});
    for (int i = 0; i < 20; ++i) fit.iterate();
    const auto shifts = shifts_of(fit);
    const auto held = fit.held_out();
    double of_held = 0, of_fitted = 0;  // squares
    for (std::size_t i = 0; i < shifts.size(); ++i) {
      const Position &at = shifts[i], &truth = wrong_by()[i];
      const double off = std::hypot(truth.row - at.row, truth.col - at.col);
      const bool is_held = std::binary_search(held.begin(), held.end(), i64(i));
      (is_held ? of_held : of_fitted) += off * off;
      if (is_held && model == PositionModel::free) {
        EXPECT_EQ(std::hypot(at.row, at.col), 0);
      }
    }
    const auto n = double(held.size()), m = double(side * side) - n;
    EXPECT_LT(std::sqrt(of_fitted / m), 0.4 * std::sqrt(of_held / n));
  }
}

// Limits

TEST(Positions, MoveByTheirLimitAtMost) {
  constexpr double limit = 1;  // px: as far as the margin reaches
  auto far = displacement({}, 0);
  far[10].row = 2, far[37].col = -2, far[53] = {1.5, 1.5};
  const FitScene scene = scene_of(far);
  for (const auto model : {PositionModel::both, PositionModel::free}) {
    const auto options =
        options_of({.model = model, .start = 5, .largest_move = FitScene::pixel * limit});
    const auto team = make_local_team();
    auto fit = scene.fit(options, *team, {scene.mesh(1)});
    std::vector<Position> before(side * side);
    for (int i = 0; i < 25; ++i) {
      EXPECT_TRUE(fit.iterate().warnings.empty());
      const auto now = shifts_of(fit);
      EXPECT_LT(farthest(now), limit * (1 + 1e-15));
      // Freely, by a quarter at a time; the mean, which is taken off, is no longer than the
      // longest.
      if (model == PositionModel::free) {
        EXPECT_LT(apart(now, before), 2 * 0.25 * limit);
      }
      before = now;
    }
    for (const std::size_t i : {10, 37, 53})
      EXPECT_GT(std::hypot(before[i].row, before[i].col), 0.85 * limit) << i;
  }
}

/// Where the affine model has taken what lies here, from where the iteration before left it.
Matrix2 stretched_by(const Fit<double>& fit, Matrix2& before) {
  Matrix2 now;
  for (std::size_t i = 0; i < 4; ++i)
    now[i] = fit.numbers().at("positions.stretched." + std::to_string(i));
  const Matrix2 by = times(now, inverse(std::exchange(before, now)));
  return {by[0] - 1, by[1], by[2], by[3] - 1};
}

TEST(Positions, DisplaceTheObjectByOnePixelAtMostWhereverWindowsLook) {
  const FitScene scene = scene_of(displacement({0.15, 0, 0, 0.15}, 0));
  const auto options = options_of({.model = PositionModel::affine, .start = 1});
  const auto team = make_local_team();
  auto fit = scene.fit(options, *team, {scene.mesh(1)});
  Matrix2 before{1, 0, 0, 1};
  const double end = 0.5 * scan_step * double(side - 1) + FitScene::window / 2 + scan_step;
  double most = 0;
  for (int i = 0; i < 10; ++i) {
    fit.iterate();
    const Matrix2 by = stretched_by(fit, before);
    for (const double col : {-end, end}) {
      const auto [down, right] = times(by, Vector2{end, col});
      most = std::max(most, std::hypot(down, right));
    }
  }
  EXPECT_GT(most, 0.9);
  EXPECT_LT(most, 1 + 1e-12);
}

TEST(Positions, LeaveTheObjectWithinItsLimits) {
  auto options = options_of({.start = 1});
  options.phase_min = 0;
  options.phase_max = 0.3;
  const auto team = make_local_team();
  auto fit = wrong().fit(options, *team, {wrong().mesh(1)});
  for (int i = 0; i < 4; ++i) {
    fit.iterate();
    const auto phase = fit.state().field("phase").on(0);
    const auto [low, high] = std::minmax_element(phase.begin(), phase.end());
    EXPECT_GE(*low, 0);
    EXPECT_LE(*high, 0.3);
  }
}

TEST(Positions, GoBackWhereManyReachTheLimit) {
  const FitScene scene = scene_of(displacement({0.1, 0, 0, 0.1}, 0));  // 0.9 px at the edges
  const auto options = options_of({.start = 3, .largest_move = FitScene::pixel * 0.3});
  for (const int ranks : {1, 4}) {
    const Found all = fitted(scene, options, 8, ranks);
    ASSERT_EQ(all.warnings.size(), 1U);
    EXPECT_NE(all.warnings[0].find("positions.largest_move"), std::string::npos);
    EXPECT_EQ(farthest(all.shifts), 0);
  }
}

/// Halos that hold no more than a stretch of the object looks at, and an object that moves by
/// stretches alone: by several px there and back, as windows look at more than the scan.
TEST(Positions, GoBackWithTheObjectOnTilesWithShortHalos) {
  const FitScene scene = scene_of(displacement({0, 0.3, -0.3, 0}, 0));
  auto options =
      options_of({.model = PositionModel::affine, .start = 1, .largest_move = FitScene::pixel * 2});
  options.parts.of<RuleOptions>().step = 1e-12;
  const auto largest_change = [&](int ranks) {
    const auto team = make_local_team(ranks);
    auto fit = scene.fit(options, *team, {scene.mesh(ranks).with_halo(Halo::of(3))}, true);
    bool back = false;
    for (int i = 0; i < 30 && !back; ++i) back = !fit.iterate().warnings.empty();
    EXPECT_TRUE(back);
    double all = 0;
    for (std::size_t i = 0; i < 4; ++i)
      all = std::max(all, std::abs(fit.numbers().at("positions.stretched." + std::to_string(i)) -
                                   (i % 3 == 0 ? 1 : 0)));
    EXPECT_GT(all, 0.1);  // times 27 px
    const auto object = test::stitched(fit, scene.object());
    double most = 0;  // away from the rim, beyond which the object ends
    constexpr i64 rim = 8;
    for (i64 z = 0; z < object.shape()[0]; ++z)
      for (i64 y = rim; y < object.shape()[1] - rim; ++y)
        for (i64 x = rim; x < object.shape()[2] - rim; ++x)
          most = std::max(most, std::abs(object(z, y, x) - scene.truth()(z, y, x)));
    return most;
  };
  EXPECT_LT(largest_change(4), 1.5 * largest_change(1));
}

/// A run says so, once the iteration has ended.
TEST(Positions, StayFiniteWhereTheCostIsNoNumber) {
  const auto team = make_local_team();
  const auto options = options_of({.start = 1});
  auto first = wrong().fit(options, *team, {wrong().mesh(1)});
  first.iterate();
  auto object = test::stitched(first, wrong().object());
  object(1, 30, 30) = std::nan("");
  auto fit = wrong().fit(options, *team, {wrong().mesh(1)}, object, wrong().probe());
  fit.restore(first.numbers(), reader_of(first));  // and so curvatures are known
  EXPECT_FALSE(std::isfinite(fit.iterate().fitted.cost));
  for (const Position& shift : shifts_of(fit))
    EXPECT_TRUE(std::isfinite(shift.row) && std::isfinite(shift.col));
}

// Ranks, devices, and runs that were stopped

FitOptions as_shared(PositionModel model) {
  auto options = options_of({.model = model, .start = 2});
  options.probe_from = 3;
  options.hold_out = 0.1;
  return options;
}

TEST(Positions, AreTheSameOnAnyNumberOfRanks) {
  for (const auto model : {PositionModel::both, PositionModel::affine, PositionModel::free}) {
    const Found one = fitted(wrong(), as_shared(model), 5);
    EXPECT_GT(farthest(one.shifts), 0.1);
    for (const int ranks : {2, 4, 6, 9}) {
      const Found more = fitted(wrong(), as_shared(model), 5, ranks);
      // As those of any fit (test_sharing).
      EXPECT_LT(test::apart(more.object, one.object), 1e-12);
      EXPECT_LT(apart(more.shifts, one.shifts), 1e-12);
    }
    for (const int ranks : {3, 7}) {
      const Found parts = fitted(wrong(), as_shared(model), 5, wrong().bisected(ranks));
      EXPECT_LT(test::apart(parts.object, one.object), 1e-12);
      EXPECT_LT(apart(parts.shifts, one.shifts), 1e-12);
    }
  }
}

TEST(Positions, AreTheSameForAnyNumberOfThreads) {
  auto options = as_shared(PositionModel::both);
  const Found one = fitted(wrong(), options, 4);
  options.threads = 3;
  const Found three = fitted(wrong(), options, 4);
  EXPECT_EQ(apart(three.shifts, one.shifts), 0);
  EXPECT_EQ(test::apart(three.object, one.object), 0);
}

TEST(Positions, AreTheSameOnTheEmulatedGpu) {
  for (const int ranks : {1, 4}) {
    const auto options = as_shared(PositionModel::both);
    const Found host = fitted(wrong(), options, 3, ranks);
    const test::OnGpu gpu(true, {.guarded = true, .order = emulated::Order::others_first}, wrong());
    const Found there = fitted(wrong(), options, 3, ranks);
    EXPECT_GT(farthest(host.shifts), 0.1);
    EXPECT_LT(test::apart(there.object, host.object), test::rounding_of_operators);
    EXPECT_LT(apart(there.shifts, host.shifts), test::rounding_of_operators);
  }
}

TEST(Positions, GoOnOnOtherRanksFromTheMiddleOfAnIteration) {
  const auto options = as_shared(PositionModel::both);
  const auto four = make_local_team(4), six = make_local_team(6);
  auto first = wrong().fit(options, *four, {wrong().mesh(4)});
  for (int i = 0; i < 3; ++i) first.iterate();
  int batches = 0;
  EXPECT_FALSE(first.iterate([&] { return ++batches == 2; }).whole);
  EXPECT_GT(farthest(shifts_of(first)), 0.05);
  const auto object = test::stitched(first, wrong().object());
  const auto go_on = [&](bool with_shifts) {
    auto second = wrong().fit(options, *six, {wrong().mesh(6)}, object, first.probe());
    second.restore(first.numbers(), with_shifts ? reader_of(first) : FieldReader<double>{});
    EXPECT_TRUE(second.iterate().whole);
    second.iterate();
    return found(second, wrong());
  };
  const Found whole = fitted(wrong(), options, 5, 4), same = go_on(true);
  EXPECT_LT(apart(same.shifts, whole.shifts), 1e-12);
  EXPECT_LT(test::apart(same.object, whole.object), 1e-12);
  EXPECT_GT(apart(go_on(false).shifts, whole.shifts), 1e-3) << "their shifts are forgotten";
}

}  // namespace
}  // namespace ptyle
