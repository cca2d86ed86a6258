// Kernels on the emulated GPU, and what it refuses.

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "device/emulated/gpu.hpp"

namespace ptyle {
namespace {

struct Doubled {
  static constexpr int threads = 64;
  float* values;
  i64 n;
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    block.threads([&](int t) {
      const i64 i = i64(block.x) * threads + t;
      if (i < n) values[i] *= 2;
    });
  }
};

TEST(Kernel, RunsEveryThreadOfEveryBlock) {
  emulated::Gpu gpu;
  const i64 n = 1000;
  Array<float, 1> there({n}, nullptr, "", &gpu), here({n});
  for (i64 i = 0; i < n; ++i) here(i) = static_cast<float>(i);
  gpu.copy(there.data(), here.data(), n * sizeof(float));
  gpu.launch(Doubled{there.data(), n}, {blocks_for(n, Doubled::threads)});
  gpu.copy(here.data(), there.data(), n * sizeof(float));
  for (i64 i = 0; i < n; ++i) ASSERT_EQ(here(i), 2.0f * static_cast<float>(i));
}

/// Σ i and Σ i² of the threads' numbers, by one block.
struct Summed {
  static constexpr int threads = 128;
  double* to;
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    double* const out = to;
    sum_over_block<2, threads>(
        block,
        [](int t) {
          return Sums<2>{{double(t), double(t) * t}};
        },
        [out](const Sums<2>& sums) {
          out[0] = sums.value[0];
          out[1] = sums.value[1];
        });
  }
};

TEST(Kernel, SumsOverABlock) {
  for (const bool backwards : {false, true}) {
    emulated::Gpu gpu({.backwards = backwards});
    double sums[2]{};
    gpu.launch(Summed{sums}, {}, 2 * Summed::threads * sizeof(double));
    EXPECT_EQ(sums[0], 127.0 * 128 / 2);
    EXPECT_EQ(sums[1], 127.0 * 128 * 255 / 6);
  }
}

/// Reads in a phase what another thread writes in it.
struct Racing {
  static constexpr int threads = 2;
  double* to;
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    auto* shared = reinterpret_cast<double*>(block.shared());
    block.threads([&](int t) { shared[t] = t; });
    block.threads([&](int t) { shared[t] = 10 + shared[1 - t]; });
    block.threads([&](int t) { to[t] = shared[t]; });
  }
};

TEST(Kernel, ARaceShowsInTheOrderOfThreads) {
  double forwards[2]{}, backwards[2]{};
  emulated::Gpu().launch(Racing{forwards}, {}, 16);
  emulated::Gpu({.backwards = true}).launch(Racing{backwards}, {}, 16);
  EXPECT_NE(forwards[0], backwards[0]);
}

/// Copies out what nobody has written.
struct Unwritten {
  static constexpr int threads = 1;
  double* to;
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    block.threads([&](int) { *to = *reinterpret_cast<double*>(block.shared()); });
  }
};

TEST(Kernel, SharedMemoryIsNoNumberAtFirst) {
  double value = 0;
  emulated::Gpu().launch(Unwritten{&value}, {}, sizeof(double));
  EXPECT_TRUE(std::isnan(value));
}

/// A first ticket that may forget to signal, and a second one that waits for it.
struct Waits {
  static constexpr int threads = 1;
  int* counter;
  int* flag;
  Alarm* alarm;
  bool forgets;
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    for (int ticket = block.next(counter); ticket < 2; ticket = block.next(counter))
      if (ticket == 1)
        block.await(flag, 1, alarm);
      else if (!forgets)
        block.signal(flag);
  }
};

TEST(Kernel, AWaitInVainRaisesTheAlarm) {
  for (const bool forgets : {false, true}) {
    emulated::Gpu gpu;
    int counter = 0, flag = 0;
    const auto launch = [&] { gpu.launch(Waits{&counter, &flag, gpu.alarm(), forgets}, {2}); };
    if (!forgets) {
      EXPECT_NO_THROW(launch());
      EXPECT_EQ(gpu.alarm()->raised, 0);
      continue;
    }
    try {
      launch();
      ADD_FAILURE() << "waited for ever, or not at all";
    } catch (const std::logic_error& e) {
      EXPECT_STREQ(e.what(), "a block waited for a flag to reach 1 in vain: it stayed at 0");
    }
    EXPECT_EQ(gpu.alarm()->raised, 1);
  }
}

/// Each of four blocks sends its rank to the next one, which may expect more than that.
struct Sends {
  static constexpr int threads = 1, cluster = 4;
  i64* to;
  int expected;
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    auto* const box = reinterpret_cast<i64*>(block.shared());
    block.threads(
        [&](int) { block.send(box, (block.rank() + 1) % cluster, 0, i64(block.rank())); });
    block.received(expected);
    block.threads([&](int) { to[block.rank()] = *box; });
  }
};

TEST(Kernel, WhatBlocksSendIsCounted) {
  i64 reported[4]{};
  emulated::Gpu().launch(Sends{reported, 8}, {}, sizeof(i64));
  for (int rank = 0; rank < 4; ++rank) EXPECT_EQ(reported[rank], (rank + 3) % 4);
  for (const int wrong : {0, 16})
    EXPECT_THROW(emulated::Gpu().launch(Sends{reported, wrong}, {}, sizeof(i64)), std::logic_error);
}

TEST(EmulatedGpu, RefusesMoreSharedMemoryThanABlockHas) {
  emulated::Gpu gpu({.shared_limit = 64});
  double value = 0;
  EXPECT_THROW(gpu.launch(Unwritten{&value}, {}, 65), std::logic_error);
}

TEST(EmulatedGpu, GuardedItCrashesAHostThatTouchesItsMemory) {
  emulated::Gpu gpu({.guarded = true});
  Array<float, 1> there({10}, nullptr, "", &gpu);
  gpu.launch(Doubled{there.data(), 10}, {1});
  float value = 1;
  gpu.copy(&value, there.data() + 9, sizeof value);
  EXPECT_EQ(value, 0);
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(there(9) = 1, "");
}

TEST(EmulatedGpu, KnowsItsMemory) {
  emulated::Gpu gpu({.memory = 1000});
  {
    const Array<char, 1> some({600}, nullptr, "", &gpu);
    EXPECT_EQ(gpu.free_bytes(), 400u);
    EXPECT_TRUE(gpu.holds(some.data()));
    EXPECT_TRUE(gpu.holds(some.data() + 599));
    EXPECT_FALSE(gpu.holds(&gpu));
    EXPECT_THROW((Array<char, 1>({401}, nullptr, "", &gpu)), UserError);
  }
  EXPECT_EQ(gpu.free_bytes(), 1000u);
}

// Done late, in an order as bad as events allow, what is wrong shows.

constexpr emulated::Order orders[] = {emulated::Order::at_once, emulated::Order::as_needed,
                                      emulated::Order::others_first};

/// A buffer of the device that is fetched into twice, 3 and 5, with a kernel after each that makes
/// 6 and 10 of them. The values reported to the host of both, with or without the events it takes.
std::vector<float> fetched_and_doubled(emulated::Order order, bool marked, bool awaited) {
  emulated::Gpu gpu({.order = order});
  Array<float, 1> there({1}, nullptr, "", &gpu);
  auto* const pinned = static_cast<float*>(gpu.allocate_pinned(2 * sizeof(float)));
  pinned[0] = 3;
  pinned[1] = 5;
  std::vector<float> reported(2);
  for (std::size_t i = 0; i < reported.size(); ++i) {
    if (marked) gpu.mark_computed();
    gpu.fetch(there.data(), pinned + i, sizeof(float));
    if (awaited) gpu.await_fetched();
    gpu.launch(Doubled{there.data(), 1}, {});
    gpu.copy_later(&reported[i], there.data(), sizeof(float));
  }
  gpu.wait();
  gpu.release_pinned(pinned);
  return reported;
}

TEST(EmulatedGpu, LateItIsRightWithAllEventsAndWrongWithout) {
  const std::vector<float> right{6, 10};
  for (const auto order : orders) EXPECT_EQ(fetched_and_doubled(order, true, true), right);
  EXPECT_NE(fetched_and_doubled(emulated::Order::as_needed, true, false), right);
  EXPECT_NE(fetched_and_doubled(emulated::Order::others_first, false, true), right);
}

/// 3 is computed, doubled by an exchange, and reported, with or without the lanes following each
/// other.
float doubled_beside(emulated::Order order, bool begun, bool ended) {
  emulated::Gpu gpu({.order = order});
  Array<float, 1> there({1}, nullptr, "", &gpu);
  const float three = 3;
  float reported = 0;
  gpu.copy_later(there.data(), &three, sizeof three);
  if (begun) gpu.follow(Lane::exchanging, Lane::computing);
  gpu.launch(Doubled{there.data(), 1}, {}, 0, Lane::exchanging);
  EXPECT_EQ(gpu.idle(Lane::exchanging), order == emulated::Order::at_once);
  if (ended) gpu.follow(Lane::computing, Lane::exchanging);
  gpu.copy(&reported, there.data(), sizeof reported);
  gpu.wait(Lane::exchanging);
  EXPECT_TRUE(gpu.idle(Lane::exchanging));
  return reported;
}

TEST(EmulatedGpu, LateItsLanesGoOnBesideEachOther) {
  for (const auto order : orders) EXPECT_EQ(doubled_beside(order, true, true), 6);
  EXPECT_EQ(doubled_beside(emulated::Order::as_needed, true, false), 3);
  EXPECT_NE(doubled_beside(emulated::Order::others_first, false, true), 6);
}

TEST(EmulatedGpu, LateItReadsAndWritesTheHostWhenSomebodyWaits) {
  for (const auto order : {emulated::Order::as_needed, emulated::Order::others_first}) {
    emulated::Gpu gpu({.order = order});
    Array<float, 1> there({1}, nullptr, "", &gpu);
    float source = 3, reported = 0;
    gpu.copy_later(there.data(), &source, sizeof source);
    gpu.launch(Doubled{there.data(), 1}, {});
    gpu.copy_later(&reported, there.data(), sizeof reported);
    source = 7;  // too early
    EXPECT_EQ(reported, 0);
    gpu.wait();
    EXPECT_EQ(reported, 14);
  }
}

TEST(EmulatedGpu, LateItWaitsForWhatWasFetchedAlone) {
  emulated::Gpu gpu({.order = emulated::Order::as_needed});
  Array<float, 1> there({1}, nullptr, "", &gpu);
  gpu.mark_computed();
  const float source = 3;
  float reported = 0;
  gpu.copy_later(&reported, there.data(), sizeof reported);
  gpu.fetch(there.data(), &source, sizeof source);
  reported = 1;
  gpu.wait_fetched();
  EXPECT_EQ(reported, 1);
  gpu.wait();
  EXPECT_EQ(reported, 3);
}

TEST(EmulatedGpu, LateItsMemoryIsNoNumberUntilZeroed) {
  emulated::Gpu gpu({.order = emulated::Order::as_needed});
  Array<float, 1> there({1}, nullptr, "", &gpu);
  EXPECT_TRUE(std::isnan(there(0)));
  const float source = 3;
  gpu.fetch(there.data(), &source, sizeof source);  // nothing says that it was zeroed
  gpu.wait_fetched();
  EXPECT_EQ(there(0), 3);
  gpu.wait();
  EXPECT_EQ(there(0), 0);
}

TEST(EmulatedFft, IsThatOfTheHost) {
  emulated::Gpu gpu;
  const i64 w = 7, n = w * w, count = 3;
  const emulated::Fft<double> fft(gpu, w);
  std::vector<Z<double>> in(static_cast<std::size_t>(count * n)), out(in.size()), back(in.size());
  for (std::size_t i = 0; i < in.size(); ++i) in[i] = {std::sin(double(i)), std::cos(3.0 * i)};
  fft.forward(in.data(), out.data(), count);
  fft.inverse(out.data(), back.data(), count);
  for (std::size_t i = 0; i < in.size(); ++i)
    ASSERT_NEAR(back[i].re, double(n) * in[i].re, 1e-12 * double(n));
  double sum = 0;  // DC is the sum
  for (i64 i = 0; i < n; ++i) sum += in[static_cast<std::size_t>(n + i)].re;
  EXPECT_NEAR(out[static_cast<std::size_t>(n)].re, sum, 1e-12 * double(n));
}

}  // namespace
}  // namespace ptyle
