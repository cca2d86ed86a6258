#include <gtest/gtest.h>

#include <stdexcept>

#include "tiles/scans.hpp"
#include "tiles/steps.hpp"

namespace ptyle {
namespace {

TEST(Steps, OfTwoTilesByHand) {
  // Cores 10 × 10 side by side, halo 4: each tile sends the 4 columns that lie in the other's core.
  const auto steps = steps_of(sum_schedule(test::squares(1, 2, 4), SumKind::owner), 1);
  ASSERT_EQ(steps.size(), 1u);
  EXPECT_EQ(steps[0].action, Action::add);
  ASSERT_EQ(steps[0].sends.size(), 1u);
  EXPECT_EQ(steps[0].sends[0].partner, 0);
  EXPECT_EQ(steps[0].sends[0].box, (Box{{0, 10}, {6, 10}}));
  ASSERT_EQ(steps[0].receives.size(), 1u);
  EXPECT_EQ(steps[0].receives[0].box, (Box{{0, 10}, {10, 14}}));
  const LargestStep largest = largest_of(steps);
  EXPECT_EQ(largest.sent, 40);
  EXPECT_EQ(largest.received, 40);
}

TEST(Steps, PartsLieOneAfterTheOther) {
  const Schedule schedule = sum_schedule(test::squares(5, 5, 17), SumKind::separable);
  for (int rank = 0; rank < 25; ++rank)
    for (const Step& step : steps_of(schedule, rank)) {
      i64 next = 0;
      for (const StepPart& part : step.receives) {
        EXPECT_EQ(part.offset, next);
        next += part.box.area();
      }
      EXPECT_EQ(step.received_pixels, next);
    }
}

}  // namespace
}  // namespace ptyle
