#include <gtest/gtest.h>

#include "core/ledger.hpp"
#include "session/rank_memory.hpp"

namespace ptyle {
namespace {

TEST(RankMemory, ARunMayNotNeedMoreThanIsFree) {
  ReconstructConfig config;
  const std::size_t machine = machine_memory_bytes();
  EXPECT_EQ(memory_budget(config, 1, machine / 10), double(machine / 10));
  EXPECT_EQ(memory_budget(config, 2, machine), memory_budget(config, 2));  // its 0.4 are free
  config.solver.memory = 3;
  EXPECT_EQ(memory_budget(config, 1, 2000000000), 2e9);
  EXPECT_EQ(memory_budget(config, 1, 4000000000), 3e9);
}

}  // namespace
}  // namespace ptyle
