#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <stdexcept>
#include <vector>

#include "core/error.hpp"
#include "core/parallel.hpp"

namespace ptyle {
namespace {

TEST(ParallelFor, DoesEachIndexOnce) {
  for (const int threads : {1, 2, 5}) {
    std::vector<std::atomic<int>> done(97);
    parallel_for(97, threads, [&](i64 i, int thread) {
      ++done[static_cast<std::size_t>(i)];
      if (thread < 0 || thread >= threads) throw std::logic_error("no such thread");
    });
    for (const auto& n : done) EXPECT_EQ(n, 1);
  }
}

TEST(ParallelFor, DoesNothingForNothing) {
  parallel_for(0, 4, [](i64, int) { FAIL(); });
}

TEST(ParallelFor, CarriesAnExceptionOut) {
  for (const int threads : {1, 3}) {
    try {
      parallel_for(50, threads, [](i64 i, int) {
        if (i == 17) throw UserError("pattern 17 is missing");
      });
      FAIL() << "nothing was thrown";
    } catch (const UserError& e) {
      EXPECT_STREQ(e.what(), "pattern 17 is missing");
    }
  }
}

TEST(ParallelFor, OneOfSeveralExceptionsIsEnough) {
  EXPECT_THROW(parallel_for(50, 4, [](i64, int) { throw std::runtime_error("all fail"); }),
               std::runtime_error);
}

TEST(ParallelFor, WorksAgainAfterAnException) {
  EXPECT_THROW(parallel_for(4, 2, [](i64, int) { throw std::runtime_error("once"); }),
               std::runtime_error);
  std::atomic<int> done = 0;
  parallel_for(10, 2, [&](i64, int) { ++done; });
  EXPECT_EQ(done, 10);
}

TEST(ParallelFor, ThereIsAtLeastOneThread) { EXPECT_GE(available_threads(), 1); }

}  // namespace
}  // namespace ptyle
