#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "core/parallel.hpp"
#include "core/stop.hpp"

namespace ptyle {
namespace {

TEST(Stop, WorkIsCalledOffWhereItSaysSo) {
  int asked = 0;
  const StopGuard guard([&] { return ++asked == 3; });
  stop_point();
  stop_point();
  EXPECT_THROW(stop_point(), Stopped);
}

TEST(Stop, NobodyIsAskedWithoutAGuardOrOnAnotherThread) {
  stop_point();
  const StopGuard guard([] { return true; });
  std::thread([] { EXPECT_NO_THROW(stop_point()); }).join();
  {
    const StopGuard inner([] { return false; });
    EXPECT_NO_THROW(stop_point());
  }
  EXPECT_THROW(stop_point(), Stopped);
}

TEST(Stop, ALoopIsCalledOffAtItsEndAndNotWithin) {
  const StopGuard guard([] { return true; });
  for (const int threads : {2, 3}) {
    std::atomic<int> done{0};
    EXPECT_THROW(parallel_for(10, threads,
                              [&](i64, int) {
                                stop_point();
                                ++done;
                              }),
                 Stopped);
    EXPECT_EQ(done, 10);
  }
}

}  // namespace
}  // namespace ptyle
