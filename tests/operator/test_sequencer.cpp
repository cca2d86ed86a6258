// Positions add in their order, and a position that fails holds nobody up.

#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

#include "backends.hpp"
#include "core/parallel.hpp"
#include "operator/cpu/sequencer.hpp"
#include "scene.hpp"

namespace ptyle::test {
namespace {

TEST(Sequencer, AddsInOrder) {
  constexpr i64 slots = 3, positions = 200;
  cpu::Sequencer sequencer(slots);
  std::vector<std::vector<i64>> order(slots);  // each written to by whoever has the turn
  parallel_for(positions, 4, [&](i64 k, int) {
    for (i64 s = slots - 1; s >= 0; --s) {
      ASSERT_TRUE(sequencer.wait(s, k));
      order[static_cast<std::size_t>(s)].push_back(k);
      sequencer.done(s, k);
    }
  });
  for (const auto& taken : order) {
    ASSERT_EQ(taken.size(), std::size_t(positions));
    for (i64 k = 0; k < positions; ++k) EXPECT_EQ(taken[static_cast<std::size_t>(k)], k);
  }
}

TEST(Sequencer, NobodyWaitsForAPositionThatFailed) {
  cpu::Sequencer sequencer(2);
  sequencer.abandon();
  EXPECT_FALSE(sequencer.wait(0, 5));
  sequencer.done(1, 0);  // by one that had its turn meanwhile
  EXPECT_FALSE(sequencer.wait(1, 7));
}

// A pattern that cannot be read: its exception comes out, whatever the other threads are at.
TEST(Sequencer, FailedPositionEndsTheGradient) {
  const auto scene = make_scene({.window = 16, .slices = 3, .positions = 12}, 61);
  for (const int threads : {1, 2, 4}) {
    const auto op = make_cpu_operator<double>(scene.setup, threads);
    scene.load(*op);
    Sums<double> sums(scene);
    const Measured<double> unreadable = [&](i64 i, double* to) {
      if (i == 2) throw std::runtime_error("pattern 2 cannot be read");
      scene.source().load(i, to);
    };
    EXPECT_THROW(op->gradient(scene.places, unreadable, everything, sums.view()),
                 std::runtime_error);
    // And the operator is as good as before.
    Sums<double> after(scene), fresh(scene);
    op->gradient(scene.places, scene.source(), everything, after.view());
    const auto other = make_cpu_operator<double>(scene.setup, 1);
    scene.load(*other);
    other->gradient(scene.places, scene.source(), everything, fresh.view());
    EXPECT_EQ(relative_difference(after.phase, fresh.phase), 0);
  }
}

}  // namespace
}  // namespace ptyle::test
