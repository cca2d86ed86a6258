#include <gtest/gtest.h>

#include <stdexcept>

#include "tiles/scans.hpp"
#include "tiles/steps.hpp"

namespace ptyle {
namespace {

TEST(Steps, OfAllRanksAreThoseOfEach) {
  for (const i64 halo : {3, 14})
    for (const SumKind kind : {SumKind::passes, SumKind::separable, SumKind::owner}) {
      const Schedule schedule = sum_schedule(test::squares(3, 4, halo), kind);
      const auto all = steps_of_all(schedule);
      ASSERT_EQ(all.size(), 12u);
      for (int rank = 0; rank < 12; ++rank) {
        const auto one = steps_of(schedule, rank);
        const auto& same = all[static_cast<std::size_t>(rank)];
        ASSERT_EQ(same.size(), one.size());
        for (std::size_t i = 0; i < one.size(); ++i) {
          EXPECT_EQ(same[i].round, one[i].round);
          EXPECT_EQ(same[i].action, one[i].action);
          EXPECT_EQ(same[i].sent_pixels, one[i].sent_pixels);
          EXPECT_EQ(same[i].received_pixels, one[i].received_pixels);
          ASSERT_EQ(same[i].sends.size(), one[i].sends.size());
          for (std::size_t k = 0; k < one[i].sends.size(); ++k) {
            EXPECT_EQ(same[i].sends[k].partner, one[i].sends[k].partner);
            EXPECT_EQ(same[i].sends[k].box, one[i].sends[k].box);
            EXPECT_EQ(same[i].sends[k].offset, one[i].sends[k].offset);
          }
        }
      }
    }
}

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
  const StepSizes largest = largest_of(steps);
  EXPECT_EQ(largest.sent, 40);
  EXPECT_EQ(largest.received, 40);
}

TEST(Steps, PartsLieOneAfterTheOther) {
  for (const auto& steps : steps_of_all(sum_schedule(test::squares(5, 5, 17), SumKind::separable)))
    for (const Step& step : steps) {
      i64 next = 0;
      for (const Part& part : step.receives) {
        EXPECT_EQ(part.offset, next);
        next += part.box.area();
      }
      EXPECT_EQ(step.received_pixels, next);
    }
}

}  // namespace
}  // namespace ptyle
