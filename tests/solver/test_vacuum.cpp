// Parts of the object that are known to be empty: regions, and slices beyond the specimen.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/error.hpp"
#include "io/temporary_folder.hpp"
#include "solver/on_gpu.hpp"
#include "solver/shared_fit.hpp"
#include "solver/vacuum.hpp"
#include "solver/variables/probe_moves.hpp"
#include "solver/variables/recentre.hpp"

namespace ptyle {
namespace {

using test::apart;
using test::FitScene;
using test::scene;

const std::vector<Box> empty_boxes{{{20, 31}, {10, 28}}, {{33, 36}, {30, 45}}};

FitOptions with_vacuum(i64 batches = 5) {
  FitOptions o = test::options(batches);
  o.parts.of<VacuumOptions>().boxes = empty_boxes;
  return o;
}

/// The largest value in the regions, and elsewhere.
std::array<double, 2> largest_in(const Array<double, 3>& object) {
  std::array<double, 2> most{};
  for (i64 s = 0; s < object.shape()[0]; ++s)
    for (i64 y = 0; y < object.shape()[1]; ++y)
      for (i64 x = 0; x < object.shape()[2]; ++x) {
        const bool empty = std::any_of(empty_boxes.begin(), empty_boxes.end(), [&](const Box& box) {
          return !intersection(box, {{y, y + 1}, {x, x + 1}}).empty();
        });
        double& of = most[empty ? 0 : 1];
        of = std::max(of, std::abs(object(s, y, x)));
      }
  return most;
}

TEST(Vacuum, RegionsStayEmptyByEveryRule) {
  for (const RuleChoice rule : {RuleChoice::descent, RuleChoice::momentum, RuleChoice::adam,
                                RuleChoice::lbfgs, RuleChoice::gauss_newton, RuleChoice::pie})
    for (const auto preconditioner :
         {PreconditionerChoice::illumination, PreconditionerChoice::transfer}) {
      const bool whole =
          rule == RuleChoice::lbfgs || rule == RuleChoice::gauss_newton || rule == RuleChoice::pie;
      const bool transfers = rule == RuleChoice::momentum || (whole && rule != RuleChoice::pie);
      if (preconditioner == PreconditionerChoice::transfer && !transfers) continue;
      FitOptions o = with_vacuum(whole ? 1 : 5);
      o.parts.of<RuleOptions>().rule = rule;
      o.parts.of<RuleOptions>().preconditioner = preconditioner;
      const auto most = largest_in(test::fitted(o, {test::mesh_of(1)}));
      EXPECT_EQ(most[0], 0) << word_of(rule);
      EXPECT_GT(most[1], 0.05) << word_of(rule);
    }
  EXPECT_GT(largest_in(test::fitted(test::options(5), {test::mesh_of(1)}))[0], 0.05);
}

TEST(Vacuum, BlurredObjectsKeepTheirRegions) {
  FitOptions o = with_vacuum();
  o.parts.of<BlurOptions>() = {.lateral = 1, .along_z = 1};
  EXPECT_EQ(largest_in(test::fitted(o, {test::mesh_of(1)}))[0], 0);
}

TEST(Vacuum, IsTheSameOnAnyNumberOfRanksAndOnAGpu) {
  const FitOptions o = with_vacuum();
  const auto alone = test::fitted(o, {test::mesh_of(1)});
  for (const int ranks : {4, 6})  // sums over ranks are in another order
    EXPECT_LT(apart(test::fitted(o, {test::mesh_of(ranks)}), alone), 1e-9) << ranks;
  const test::OnGpu there(true);
  for (const int ranks : {1, 4})
    EXPECT_LT(apart(test::fitted(o, {test::mesh_of(ranks)}), alone), test::rounding_of_operators);
}

TEST(Vacuum, RegionsAreThePixelsWhoseCentresLieInside) {
  const Box object{{0, 30}, {0, 40}};
  // Pixel [0,0] at (-2, 1) Å, pixels of 0.5 Å: row 1 Å is pixel 6, column 3.2 Å is 4.4.
  const auto boxes = boxes_of_regions({1, 3.2, 2, 5, 11, 15, 99, 99}, object, {-2, 1}, 0.5);
  ASSERT_EQ(boxes.size(), 2U);
  EXPECT_EQ(boxes[0], (Box{{6, 9}, {5, 9}}));
  EXPECT_EQ(boxes[1], (Box{{26, 30}, {28, 40}}));  // no further than the object
  const auto said = testing::message_of<UserError>([&] {
    (void)boxes_of_regions({50, 1, 60, 2}, object, {-2, 1}, 0.5);
  });
  EXPECT_TRUE(testing::says(said, {"object.vacuum", "[50, 1, 60, 2]", "(-2, 1) to (12.5, 20.5)"}))
      << said;
  EXPECT_FALSE(fault_of_regions({}));
  EXPECT_FALSE(fault_of_regions({0, 0, 1, 1}));
  for (const std::vector<double>& wrong :
       std::vector<std::vector<double>>{{1}, {0, 0, 1, 1, 2}, {1, 0, 0, 1}, {0, 1, 1, NAN}})
    EXPECT_TRUE(fault_of_regions(wrong));
}

TEST(RecentreAlongZ, FindsTheMiddle) {
  EXPECT_EQ(slices_to_middle({}), 0);
  EXPECT_EQ(slices_to_middle({3, 3, 3}), 0);
  EXPECT_EQ(slices_to_middle({1, 5, 1}), 0);
  EXPECT_EQ(slices_to_middle({5, 1, 1, 1, 1}), 2);
  EXPECT_EQ(slices_to_middle({1, 1, 1, 9, 9}), -2);  // 1.5, away from 0
  EXPECT_EQ(slices_to_middle({0, 1, 1, 0}), 0);
  EXPECT_EQ(slices_to_middle({1, 1, 0, 0}), 1);
  EXPECT_EQ(slices_to_middle({0, 1, 0, 0}), 0);  // by half a slice it stays
}

/// Slices move and the probe with them: no pattern changes.
TEST(RecentreAlongZ, ChangesNoPattern) {
  constexpr i64 w = 32, slices = 6;
  constexpr double pixel = 0.4, wavelength = 0.025, dz = 8;
  const Tilt tilt{0.004, -0.003};
  OperatorSetup setup;
  setup.window = w;
  setup.slices = slices;
  setup.propagator = propagator(w, pixel, wavelength, dz, tilt);
  const auto op = make_cpu_operator<double>(setup, 1);
  const auto arithmetic = make_cpu_arithmetic<double>(1);
  Array<double, 3> phase({slices, w, w});
  Philox random(4, 0, 0);
  for (i64 i = 2 * w * w; i < 4 * w * w; ++i) phase.data()[i] = random.uniform();
  const auto wave = form_probe({wavelength, 0.025, {.C10 = -80}}, w, pixel);
  for (const i64 n : {2, -2, 1, 0}) {
    Array<Complex<double>, 3> probe({1, w, w}), before({1, w, w}), after({1, w, w});
    std::copy(wave.begin(), wave.end(), probe.begin());
    const auto forward = [&](const Array<double, 3>& object, Array<Complex<double>, 3>& to) {
      op->set_object({object.view(), {}});
      op->set_probe(probe.view());
      op->forward({0, 0, 0, 0}, to);
    };
    forward(phase, before);
    auto moved = converted<double, double, 3>(phase.view());
    move_slices<double>(moved.view(), n, *arithmetic);
    propagate<double>(probe, pixel, wavelength, -double(n) * dz, tilt);
    forward(moved, after);
    EXPECT_EQ(moved(2 + n, 3, 4), phase(2, 3, 4));
    double most = 0, apart = 0;
    for (i64 k = 0; k < w * w; ++k) {
      const double I = std::norm(before.data()[k]);
      most = std::max(most, I);
      apart = std::max(apart, std::abs(std::norm(after.data()[k]) - I));
    }
    EXPECT_LT(apart, 1e-12 * most) << n;  // rounding of a dozen transforms
  }
}

TEST(RecentreAlongZ, IsRefusedWhereRanksStepBetweenSums) {
  FitOptions o = test::options(5);
  o.parts.of<RecentreOptions>().every = 1;
  o.local_positions = 2;
  const auto said =
      testing::message_of<UserError>([&] { (void)test::fitted(o, {test::mesh_of(2)}); });
  EXPECT_TRUE(testing::says(said, {"object.recentre_z", "summed over the ranks"})) << said;
}

TEST(RecentreAlongZ, MovesSlicesOnAGpuAsOnTheHost) {
  emulated::Gpu gpu({.backwards = false});
  Ledger ledger;
  const auto here = make_cpu_arithmetic<double>(1),
             there = make_emulated_arithmetic<double>(gpu, &ledger);
  for (const i64 n : {1, -2, 3}) {
    Array<double, 3> given({5, 7, 6});
    for (i64 i = 0; i < given.size(); ++i) given.data()[i] = double(i + 1);
    auto on_gpu = there->brought(converted<double, double, 3>(given.view()), "object");
    move_slices<double>(given.view(), n, *here);
    move_slices<double>(on_gpu.view(), n, *there);
    const auto back = there->on_host(std::as_const(on_gpu).view());
    EXPECT_TRUE(std::equal(given.begin(), given.end(), back.view.begin())) << n;
    EXPECT_EQ(given(n > 0 ? 0 : 4, 3, 3), 0);
  }
}

}  // namespace
}  // namespace ptyle
