// Patterns that move over the scan, found by fits of a simulated set.

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>

#include "solver/on_gpu.hpp"
#include "solver/shared_fit.hpp"
#include "solver/variables/geometry_options.hpp"

namespace ptyle {
namespace {

using test::end_of_fit;
using test::EndOfFit;
using test::FitScene;
using test::reader_of;

/// 1.5 px from the first to the last of the scene's positions, which are 6.4 Å apart; turned by
/// 30°, so that no part is 0.
constexpr double most = 1.5 / 6.4;
const Matrix2 truth = times(most, rotation(pi / 6));

FitOptions options_of(const Matrix2& start) {
  FitOptions o;
  o.batches = 5;
  o.probe_from = 0;
  o.verify = true;
  auto& geometry = o.parts.of<GeometryOptions>();
  geometry.refine = {"descan"};
  geometry.descan = start;
  return o;
}

Matrix2 plane_of(const EndOfFit& end) {
  Matrix2 plane;
  for (std::size_t k = 0; k < 4; ++k)
    plane[k] = end.numbers.at(std::string("geometry.") + descan_names[k]);
  return plane;
}

/// The scan's edge sees what is left of it, px.
double error(const Matrix2& plane) {
  double sum = 0;
  for (std::size_t k = 0; k < 4; ++k) sum += std::pow(plane[k] - truth[k], 2);
  return std::sqrt(sum) * 3.2;
}

TEST(Descan, IsFoundFromWhatTheCentresOfMassTell) {
  const FitScene scene(0, {.descan = truth});
  Matrix2 start = truth;
  start[0] += 0.05 * most, start[1] -= 0.3 * most, start[2] += 0.2 * most, start[3] -= 0.05 * most;
  const EndOfFit none = end_of_fit(scene, options_of({}), 1),
                 found = end_of_fit(scene, options_of(start), 30);
  EXPECT_GT(error(start), 0.25);
  // The symmetric part stays, 0.1 of the start's 0.367; the other is found to 0.02 px of 0.28.
  EXPECT_LT(error(plane_of(found)), 0.3 * error(start));
  const auto turning = [](const Matrix2& plane) { return 3.2 * (plane[2] - plane[1]) / 2; };
  EXPECT_NEAR(turning(plane_of(found)), turning(truth), 0.02);
  // As a lens and an astigmatism would.
  EXPECT_NEAR(plane_of(found)[0], start[0], 1e-12);
  EXPECT_NEAR(plane_of(found)[3], start[3], 1e-12);
  EXPECT_NEAR(plane_of(found)[1] + plane_of(found)[2], start[1] + start[2], 1e-12);
  EXPECT_LT(found.cost, 0.01 * none.cost);
}

TEST(Descan, StaysNearNothingWhereThereIsNone) {
  const FitScene scene;
  auto without = options_of({});
  without.parts.of<GeometryOptions>().refine = {};
  const auto alone = make_local_team();
  auto plain = scene.fit(without, *alone, {scene.mesh(1)});
  double cost = 0;
  for (int i = 0; i < 20; ++i) cost = plain.iterate().fitted.cost;
  const EndOfFit found = end_of_fit(scene, options_of({}), 20);
  // It goes to and fro by what mini-batches of five positions tell while the object is on its way,
  // and the cost lags behind by two iterations or so.
  const Matrix2 plane = plane_of(found);
  for (const double one : plane) EXPECT_LT(std::abs(one) * 3.2, 0.02);  // px at the edge
  EXPECT_LT(found.cost, 1.5 * cost);
}

/// A descan that goes to and fro with mini-batches has been found: steps may settle.
TEST(Descan, IsFoundWhereItStandsStill) {
  const FitScene scene;
  const auto alone = make_local_team();
  auto fit = scene.fit(options_of({}), *alone, {scene.mesh(1)});
  for (int i = 0; i < 20; ++i) fit.iterate();
  EXPECT_LE(fit.all_moves_from(), 15);
}

TEST(Descan, IsTheSameOnAnyNumberOfRanks) {
  const FitScene scene(0, {.descan = truth});
  const auto options = options_of(times(0.5, truth));
  const EndOfFit alone = end_of_fit(scene, options, 5);
  for (const int ranks : {2, 4, 9}) {
    const EndOfFit together = end_of_fit(scene, options, 5, ranks);
    // As with the geometry (test_geometry).
    EXPECT_LT(test::apart(together.object, alone.object), 100 * test::rounding_of_operators);
    for (std::size_t k = 0; k < 4; ++k)
      EXPECT_NEAR(plane_of(together)[k], plane_of(alone)[k], 1e-7 * most);
  }
}

TEST(Descan, OnAnEmulatedGpuIsThatOfTheHost) {
  const FitScene scene(0, {.descan = truth});
  const auto options = options_of(times(0.5, truth));
  const EndOfFit host = end_of_fit(scene, options, 3);
  const test::OnGpu gpu(true, {.guarded = true, .order = emulated::Order::as_needed}, scene);
  const EndOfFit there = end_of_fit(scene, options, 3);
  EXPECT_LT(test::apart(there.object, host.object), 100 * test::rounding_of_operators);
  for (std::size_t k = 0; k < 4; ++k)
    EXPECT_NEAR(plane_of(there)[k], plane_of(host)[k], 1e-7 * most);
}

TEST(Descan, GoesOnAsIfNothingHadBeen) {
  const FitScene scene(0, {.descan = truth});
  const auto options = options_of(times(0.5, truth));
  test::expect_goes_on(scene, options, 3, 5);
}

/// Values by the words of results.
TEST(Descan, IsReported) {
  GeometryOptions o;
  o.refine = {"descan"};
  o.descan = {0.1, 0, 0, 0.1};
  const auto values = fitted_geometry(o, {{"geometry.descan_row_row", 0.12}});
  ASSERT_EQ(values.size(), 4U);
  EXPECT_EQ(values[0].name, "descan_row_row");
  EXPECT_EQ(values[0].unit, "px/Å");
  EXPECT_EQ(values[0].from, 0.1);
  EXPECT_EQ(values[0].to, 0.12);
  EXPECT_EQ(values[3].to, 0.1);
}

}  // namespace
}  // namespace ptyle
