#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
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

TEST(ParallelFor, InsideAnotherRunsOnTheThreadThatMeetsIt) {
  std::vector<std::atomic<int>> done(6 * 7);
  parallel_for(6, 3, [&](i64 i, int) {
    const auto outer = std::this_thread::get_id();
    parallel_for(7, 3, [&](i64 k, int thread) {
      ++done[static_cast<std::size_t>(7 * i + k)];
      if (thread != 0 || std::this_thread::get_id() != outer)
        throw std::logic_error("another thread");
    });
  });
  for (const auto& n : done) EXPECT_EQ(n, 1);
}

TEST(ParallelFor, RunsFromSeveralThreadsAtOnce) {
  std::atomic<int> done = 0;
  std::vector<std::thread> callers;
  for (int c = 1; c <= 3; ++c)
    callers.emplace_back([&, c] {
      for (int loop = 0; loop < 50; ++loop)  // on fewer threads and on more
        parallel_for(8, 1 + (loop + c) % 4, [&](i64, int) { ++done; });
    });
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(done, 3 * 50 * 8);
}

/// Who looks on instead takes the processor from the thread that it waits for, where others keep
/// the processors busy. Of 0.15 s, two threads look for 0.1 ms each and loop.
TEST(ParallelFor, SleepsWhileItWaits) {
  const std::clock_t before = std::clock();  // of all threads
  for (int loop = 0; loop < 30; ++loop)
    parallel_for(2, 2, [](i64 i, int) {
      if (i == 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    });
  EXPECT_LT(double(std::clock() - before) / CLOCKS_PER_SEC, 0.05);
}

/// Ends the process with available_threads() as its status, once it may use one processor alone.
[[noreturn]] void end_with_threads_of_one_processor() {
  cpu_set_t may, one;
  CPU_ZERO(&may);
  CPU_ZERO(&one);
  if (sched_getaffinity(0, sizeof may, &may) != 0) std::_Exit(101);
  for (std::size_t cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++cpu)
    if (CPU_ISSET(cpu, &may)) CPU_SET(cpu, &one);
  if (sched_setaffinity(0, sizeof one, &one) != 0) std::_Exit(102);
  std::_Exit(available_threads());
}

TEST(ParallelFor, ThereAreAsManyThreadsAsProcessorsThatMayBeUsed) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) end_with_threads_of_one_processor();
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 1);
}

TEST(ParallelFor, TheEnvironmentLowersTheNumberOfThreads) {
  const char* before = std::getenv("OMP_NUM_THREADS");
  const std::string kept = before ? before : "";
  unsetenv("OMP_NUM_THREADS");
  const int all = available_threads();
  const auto with = [](const char* value) {
    setenv("OMP_NUM_THREADS", value, 1);
    return available_threads();
  };
  EXPECT_EQ(with("1"), 1);
  EXPECT_EQ(with(" 1,4"), 1);
  EXPECT_EQ(with("100000"), all);
  for (const char* nonsense : {"", "0", "-1", "many", "1x", "99999999999999999999999"})
    EXPECT_EQ(with(nonsense), all) << nonsense;
  unsetenv("OMP_NUM_THREADS");
  if (before) setenv("OMP_NUM_THREADS", kept.c_str(), 1);
}

}  // namespace
}  // namespace ptyle
