// Run by mpirun on any number of ranks: every rank compares its own tile with what all ranks in one
// process give (exchange/local), and with the plain sum.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "core/error.hpp"
#include "device/emulated/arithmetic.hpp"
#include "exchange/local/exchange.hpp"
#include "exchange/mpi/exchange.hpp"
#include "exchange/mpi/team.hpp"
#include "exchange/mpi/watchdog.hpp"
#include "exchange/ranks.hpp"
#include "exchange/records.hpp"
#include "tiles/steps.hpp"

namespace ptyle {
namespace {

using test::all_ranks;
using test::payload;
using test::random_mesh;
using test::RankArrays;
using test::reaches_far;
using test::rough_numbers;
using test::same_bits;
using test::stacks_of;
using test::sum_in_order;
using test::text;
using test::Value;

MpiWorld* world = nullptr;

/// Meshes of as many tiles as there are ranks.
std::vector<Mesh> meshes() {
  std::vector<Mesh> all;
  for (int rows = 1; rows <= world->size(); ++rows)
    if (world->size() % rows == 0)
      for (const Halo halo : {Halo{0, 0}, Halo{2, 1}, Halo{9, 8}, Halo{100, 100}})
        all.push_back(random_mesh(rows, world->size() / rows, 4, 9, halo, 11));
  return all;
}

/// Runs a schedule on this rank's arrays by MPI, where they are said to live.
template <class T>
RankArrays<T> by_mpi(const Mesh& mesh, const Schedule& schedule, i64 slices, const Value<T>& value,
                     Arithmetic<T>* arithmetic = nullptr) {
  RankArrays<T> mine(mesh, world->rank(), slices, value);
  const auto exchange =
      make_mpi_exchange<T>(*world, {mesh, schedule, slices + 1, 1, nullptr}, arithmetic);
  const std::vector<Stack<T>> stacks{mine.stack()};
  exchange->start(stacks).finish();
  return mine;
}

/// The bits of this rank's tile are those of the same schedule in one process.
template <class T>
void expect_as_local(const Mesh& mesh, const Schedule& schedule, RankArrays<T>& mine,
                     const Value<T>& value, int rank = world->rank()) {
  auto ranks = all_ranks<T>(mesh, mine.planes() - 1, value);
  const auto stacks = stacks_of(ranks);
  make_local_exchange<T>({mesh, schedule, mine.planes(), 1, nullptr})->start(stacks).finish();
  i64 differ = 0;
  mine.for_pixels([&](i64 plane, Pixel p, T have) {
    differ += !same_bits(have, ranks[static_cast<std::size_t>(rank)].at(plane, p));
  });
  EXPECT_EQ(differ, 0);
}

template <class T>
void expect_same_bits_as_local() {
  for (const Mesh& mesh : meshes()) {
    for (const SumKind kind : all_sum_kinds) {
      if (kind == SumKind::neighbor && reaches_far(mesh)) continue;
      for (const auto& [chunk, in_flight] : {std::pair<i64, i64>{0, 0}, {1, 0}, {2, 1}, {1, 3}}) {
        SCOPED_TRACE(text(mesh, name_of(kind)));
        const auto value = rough_numbers<T>(3);
        const auto schedule = sum_schedule(mesh, kind, {.chunk = chunk, .in_flight = in_flight});
        auto mine = by_mpi<T>(mesh, schedule, 4, value);
        expect_as_local<T>(mesh, schedule, mine, value);
      }
    }
    auto filled = by_mpi<T>(mesh, fill_schedule(mesh, {.chunk = 2}), 4, rough_numbers<T>(3));
    expect_as_local<T>(mesh, fill_schedule(mesh), filled, rough_numbers<T>(3));
  }
}
TEST(MpiExchange, HasTheBitsOfOneProcessInFloat) { expect_same_bits_as_local<float>(); }
TEST(MpiExchange, HasTheBitsOfOneProcessInDouble) { expect_same_bits_as_local<double>(); }

/// Buffers on an emulated GPU, whose memory messages are sent from; or staged in the host's.
TEST(MpiExchange, HasTheSameBitsOnAGpu) {
  const bool before = world->takes_device_memory();
  for (const bool direct : {false, true})
    for (const Mesh& mesh : meshes())
      for (const SumKind kind : {SumKind::pipelined, SumKind::owner, SumKind::allreduce}) {
        SCOPED_TRACE(text(mesh, name_of(kind)));
        world->take_device_memory(direct);
        for (const auto order : {emulated::Order::at_once, emulated::Order::as_needed,
                                 emulated::Order::others_first}) {
          emulated::Gpu gpu({.order = order});
          Ledger there;
          const auto own_arithmetic = make_emulated_arithmetic<float>(gpu, &there);
          Arithmetic<float>& arithmetic = *own_arithmetic;
          const auto value = rough_numbers<float>(3);
          const auto schedule = sum_schedule(mesh, kind, {.chunk = 2, .in_flight = 2});
          auto mine = by_mpi<float>(mesh, schedule, 4, value, &arithmetic);
          expect_as_local<float>(mesh, schedule, mine, value);
          auto filled = by_mpi<float>(mesh, fill_schedule(mesh), 4, value, &arithmetic);
          expect_as_local<float>(mesh, fill_schedule(mesh), filled, value);
          const bool talks = mesh.ranks() > 1 && mesh.halo().after > 0;
          EXPECT_TRUE(!talks || there.peak() > 0);
        }
      }
  world->take_device_memory(before);
}

/// Messages that MPI cannot take from a GPU's memory go through the host's, which is accounted
/// there.
TEST(MpiExchange, StagesOnTheHostWhatMpiCannotTakeFromAGpu) {
  const Mesh mesh = random_mesh(1, world->size(), 6, 6, Halo::of(3), 6);
  const auto schedule = sum_schedule(mesh, SumKind::separable);
  const bool before = world->takes_device_memory();
  const double values = buffer_values(schedule, mesh.extended(world->rank()), world->rank(), 5);
  for (const bool direct : {false, true}) {
    world->take_device_memory(direct);
    emulated::Gpu gpu;
    Ledger here;
    const auto own_arithmetic = make_emulated_arithmetic<float>(gpu, nullptr);
    Arithmetic<float>& arithmetic = *own_arithmetic;
    const auto exchange =
        make_mpi_exchange<float>(*world, {mesh, schedule, 5, 1, &here}, &arithmetic);
    EXPECT_EQ(double(here.now()), direct ? 0 : sizeof(float) * values);
  }
  world->take_device_memory(before);
}

TEST(MpiExchange, PayloadsAreTheSumOverAllRanks) {
  for (const Mesh& mesh : meshes())
    for (const SumKind kind : all_sum_kinds) {
      if (kind == SumKind::neighbor && reaches_far(mesh)) continue;
      SCOPED_TRACE(text(mesh, name_of(kind)));
      const auto value = payload(mesh);
      auto mine = by_mpi<double>(mesh, sum_schedule(mesh, kind, {.chunk = 2}), 2, value);
      const Box valid =
          kind == SumKind::owner ? mesh.core(world->rank()) : mesh.extended(world->rank());
      i64 wrong = 0;
      mine.for_pixels([&](i64 plane, Pixel p, double have) {
        if (valid.contains(p)) wrong += have != sum_in_order(mesh, plane, p, value);
      });
      EXPECT_EQ(wrong, 0);
    }
}

TEST(MpiExchange, NeedsOnlyItsOwnPartOfTheSchedule) {
  for (const Mesh& mesh : meshes())
    for (const SumKind kind : {SumKind::pipelined, SumKind::owner, SumKind::allreduce}) {
      SCOPED_TRACE(text(mesh, name_of(kind)));
      const auto value = rough_numbers<float>(4);
      auto mine = by_mpi<float>(mesh, sum_schedule(mesh, kind, {.chunk = 1, .only = world->rank()}),
                                2, value);
      expect_as_local<float>(mesh, sum_schedule(mesh, kind), mine, value);
    }
}

TEST(MpiExchange, RanksMayComeLateAndWorkMeanwhile) {
  const Mesh mesh = random_mesh(1, world->size(), 4, 9, Halo::of(12), 5);
  const auto schedule = sum_schedule(mesh, SumKind::pipelined, {.chunk = 1});
  const auto exchange = make_mpi_exchange<float>(*world, {mesh, schedule, 6, 1, nullptr});
  for (std::uint32_t time = 0; time < 5; ++time) {
    Philox random(time, static_cast<std::uint32_t>(world->rank()), 0);
    const auto wait = [&] { std::this_thread::sleep_for(std::chrono::milliseconds(random() % 8)); };
    const auto value = rough_numbers<float>(time);
    RankArrays<float> mine(mesh, world->rank(), 5, value);
    const std::vector<Stack<float>> stacks{mine.stack()};
    wait();
    auto running = exchange->start(stacks);
    for (int i = 0; i < 3; ++i) {
      wait();
      running.progress();
    }
    running.finish();
    expect_as_local<float>(mesh, schedule, mine, value);
  }
}

TEST(MpiExchange, TwoRunAtTheSameTime) {
  const Mesh mesh = random_mesh(world->size(), 1, 4, 9, Halo::of(7), 6);
  const auto passes = sum_schedule(mesh, SumKind::passes), fill = fill_schedule(mesh);
  const auto first = make_mpi_exchange<float>(*world, {mesh, passes, 3, 1, nullptr});
  const auto second = make_mpi_exchange<float>(*world, {mesh, fill, 3, 1, nullptr});
  RankArrays<float> a(mesh, world->rank(), 2, rough_numbers<float>(1));
  RankArrays<float> b(mesh, world->rank(), 2, rough_numbers<float>(2));
  const std::vector<Stack<float>> of_a{a.stack()}, of_b{b.stack()};
  auto running_a = first->start(of_a);
  auto running_b = second->start(of_b);
  running_b.finish();
  running_a.finish();
  expect_as_local<float>(mesh, passes, a, rough_numbers<float>(1));
  expect_as_local<float>(mesh, fill, b, rough_numbers<float>(2));
}

TEST(MpiExchange, FewerChunksInFlightNeedLessMemory) {
  const Mesh mesh = random_mesh(1, world->size(), 6, 6, Halo::of(3), 6);
  const auto bytes = [&](i64 in_flight) {
    Ledger ledger;
    const auto schedule =
        sum_schedule(mesh, SumKind::separable, {.chunk = 1, .in_flight = in_flight});
    const auto exchange = make_mpi_exchange<float>(*world, {mesh, schedule, 20, 1, &ledger});
    return ledger.now();
  };
  // The bytes of a message of a plane.
  const std::size_t all = bytes(0), two = bytes(2), one = bytes(1);
  EXPECT_EQ(all, 20 * one);
  EXPECT_EQ(two, 2 * one);
  EXPECT_EQ(all == 0, world->size() == 1);
}

TEST(MpiExchange, BooksWhatThePlanCounts) {
  for (const Mesh& mesh : meshes())
    for (const auto& [chunk, in_flight] : {std::pair<i64, i64>{0, 0}, {2, 2}}) {
      const ScheduleOptions options{.chunk = chunk, .in_flight = in_flight};
      std::vector<Schedule> schedules{fill_schedule(mesh, options)};
      for (const SumKind kind : all_sum_kinds)
        if (kind != SumKind::neighbor || !reaches_far(mesh))
          schedules.push_back(sum_schedule(mesh, kind, options));
      for (const Schedule& schedule : schedules) {
        Ledger ledger;
        const auto exchange = make_mpi_exchange<float>(*world, {mesh, schedule, 5, 2, &ledger});
        const int rank = world->rank();
        EXPECT_EQ(double(ledger.now()),
                  sizeof(float) * buffer_values(schedule, mesh.extended(rank), rank, 5));
      }
    }
}

TEST(MpiExchange, RefusesAnotherNumberOfRanks) {
  const Mesh mesh = random_mesh(1, world->size() + 1, 6, 6, Halo::of(3), 6);
  try {
    (void)make_mpi_exchange<float>(*world, {mesh, fill_schedule(mesh), 1, 1, nullptr});
    FAIL() << "nothing was refused";
  } catch (const UserError& e) {
    EXPECT_NE(std::string(e.what()).find("MPI ranks, but"), std::string::npos) << e.what();
  }
}

TEST(MpiExchange, IsNotStartedTwice) {
  const Mesh mesh = random_mesh(1, world->size(), 6, 6, Halo::of(3), 6);
  const auto exchange =
      make_mpi_exchange<float>(*world, {mesh, fill_schedule(mesh), 2, 1, nullptr});
  RankArrays<float> mine(mesh, world->rank(), 1, rough_numbers<float>(1));
  const std::vector<Stack<float>> stacks{mine.stack()}, two{mine.stack(), mine.stack()};
  EXPECT_THROW((void)exchange->start(two), std::invalid_argument);
  auto running = exchange->start(stacks);
  EXPECT_THROW((void)exchange->start(stacks), std::logic_error);
  running.finish();
  EXPECT_NO_THROW(exchange->start(stacks).finish());
}

TEST(MpiExchange, GivenUpItWaitsForNobodyAndRunsNeverAgain) {
  const Mesh mesh = random_mesh(1, world->size(), 6, 6, Halo::of(3), 6);
  const auto schedule = sum_schedule(mesh, SumKind::pipelined, {.chunk = 1});
  const auto exchange = make_mpi_exchange<float>(*world, {mesh, schedule, 4, 1, nullptr});
  RankArrays<float> mine(mesh, world->rank(), 3, rough_numbers<float>(1));
  const std::vector<Stack<float>> stacks{mine.stack()};
  { auto running = exchange->start(stacks); }
  EXPECT_THROW((void)exchange->start(stacks), std::logic_error);
}

TEST(MpiDelivery, EveryRankGetsWhatIsSentToItAndNothingElse) {
  const auto team = make_mpi_team(*world);
  const auto delivery = team->make_delivery();
  const int n = team->size(), me = world->rank();
  const i64 before = team->costs().bytes;
  i64 went = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const test::Records records(
        random_mesh(n % 2 == 0 ? 2 : 1, n % 2 == 0 ? n / 2 : n, 4, 9, Halo::of(2), seed),
        seed % 5 == 4 ? 0 : 20 * n, seed);
    const auto come = test::delivered(*delivery, records, team->here(), 1);
    const auto expected = test::expected(records, me, 1);
    ASSERT_EQ(come.size(), expected.size());
    for (std::size_t i = 0; i < come.size(); ++i) {
      EXPECT_EQ(come[i].first, expected[i]);
      EXPECT_EQ(test::wrong_in(come[i].first, come[i].second), 0);
    }
    for (const Parcel& parcel : records.leaving(me, 1)) went += std::ssize(parcel.records);
  }
  // Three numbers of 8 bytes and a pattern of 37 of each.
  EXPECT_EQ(team->costs().bytes - before, (3 * 8 + 37) * went);
  EXPECT_EQ(went > 0, n > 1);
}

TEST(MpiDelivery, GivenUpItWaitsForNobodyAndRunsNeverAgain) {
  const auto team = make_mpi_team(*world);
  const auto delivery = team->make_delivery();
  const int n = team->size(), me = world->rank();
  static std::vector<std::byte> place(8);  // MPI may still write there
  delivery->expect({{(me + 1) % n, me, {std::span(place)}}});
  EXPECT_THROW((void)delivery->announce({}), std::logic_error);
  { auto running = delivery->send({}); }
  EXPECT_THROW(delivery->expect({}), std::logic_error);
}

/// Backwards but for rank 0: exchanges, deliveries, sums and gathered values go by the new ranks.
TEST(MpiTeam, InAnotherOrderRanksAreThoseOfTheOrder) {
  const auto team = make_mpi_team(*world);
  const int n = team->size();
  std::vector<int> rank_of{0};
  for (int i = 1; i < n; ++i) rank_of.push_back(n - i);
  const auto other = team->in_order(rank_of);
  const int me = rank_of[static_cast<std::size_t>(world->rank())];
  EXPECT_EQ(other->here(), std::vector<int>{me});
  EXPECT_EQ(other->leads(), team->leads());
  EXPECT_THROW((void)other->in_order(rank_of), std::logic_error);
  const std::vector<float> mine{float(me)};
  const auto all = other->gather(std::span<const float>(mine));
  for (int i = 0; i < n && world->rank() == 0; ++i)
    EXPECT_EQ(all[static_cast<std::size_t>(i)], float(i));
  std::vector<double> one{1};
  other->sum(one);
  EXPECT_EQ(one[0], n);

  const Mesh mesh = random_mesh(1, n, 4, 9, Halo::of(12), 5);
  const Schedule schedule = sum_schedule(mesh, SumKind::owner);
  const auto value = rough_numbers<float>(3);
  RankArrays<float> here(mesh, me, 5, value);
  const auto exchange = other->make_exchange<float>({mesh, schedule, 6, 1, nullptr});
  const std::vector<Stack<float>> stacks{here.stack()};
  exchange->start(stacks).finish();
  expect_as_local<float>(mesh, schedule, here, value, me);
  const test::Records records(mesh, 20 * n, 4);
  const auto delivery = other->make_delivery();
  const auto come = test::delivered(*delivery, records, other->here(), 1);
  const auto expected = test::expected(records, me, 1);
  ASSERT_EQ(come.size(), expected.size());
  for (std::size_t i = 0; i < come.size(); ++i) EXPECT_EQ(come[i].first, expected[i]);
}

TEST(MpiTeam, AgreesAndGathers) {
  const auto team = make_mpi_team(*world);
  const int n = team->size(), me = world->rank();
  EXPECT_EQ(team->here(), std::vector<int>{me});
  EXPECT_EQ(team->leads(), me == 0);
  std::vector<double> values{1.0, double(me)};
  team->sum(values);
  EXPECT_EQ(values, (std::vector<double>{double(n), double(n * (n - 1) / 2)}));
  values = {double(me), -double(me)};
  team->maximum(values);
  EXPECT_EQ(values, (std::vector<double>{double(n - 1), 0.0}));
  std::vector<float> later(1000, float(me + 1));
  auto running = team->start_sum(std::span<float>(later));
  values = {1.0};
  team->sum(values);  // in between
  while (!running.progress()) {
  }
  EXPECT_EQ(later, std::vector<float>(1000, float(n * (n + 1) / 2)));
  // as many values as the rank's number
  const std::vector<float> mine(static_cast<std::size_t>(me), float(me));
  const auto all = team->gather(std::span<const float>(mine));
  EXPECT_EQ(all.size(), me == 0 ? static_cast<std::size_t>(n * (n - 1) / 2) : 0U);
  std::size_t at = 0;
  for (int rank = 0; me == 0 && rank < n; ++rank)
    for (int i = 0; i < rank; ++i) EXPECT_EQ(all[at++], float(rank));
}

/// A world of this one's processes, which somebody else has started.
std::unique_ptr<MpiWorld> guest() {
  return std::make_unique<MpiWorld>(static_cast<const void*>(&world->handle()));  // begins with it
}

TEST(MpiGuest, IsATeamLikeAnother) {
  const auto mine = guest();
  EXPECT_EQ(mine->size(), world->size());
  EXPECT_EQ(mine->rank(), world->rank());
  EXPECT_EQ(mine->nodes(), world->nodes());
  const auto team = make_mpi_team(*mine);
  std::vector<double> values{1.0};
  team->sum(values);
  EXPECT_EQ(values[0], double(world->size()));
  EXPECT_FALSE(mine->broken());
}

TEST(MpiGuest, AllLearnOfAFailureWhereTheyWait) {
  if (world->size() == 1) GTEST_SKIP() << "there is nobody to learn of it";
  const auto mine = guest();
  const int failing = world->size() - 1;
  static std::vector<double> values{1.0};  // which MPI may still be about
  try {  // others may still be making the team when one has failed
    const auto team = make_mpi_team(*mine);
    if (world->rank() == failing)
      mine->tell_others(2, "no film in the camera");
    else
      for (;;) team->sum(values);
  } catch (const RankFailed& other) {
    EXPECT_EQ(other.rank(), failing);
    EXPECT_EQ(other.status(), 2);
    EXPECT_STREQ(other.what(), "no film in the camera");
  }
  EXPECT_TRUE(mine->broken());
}

// The watchdog ------------------------------------------------------------------------------------

/// A watchdog that only notes what it would end all for, first of all.
struct Noted {
  std::mutex mutex;
  int rank = -1;
  std::string sentence;
  [[nodiscard]] Watchdog::EndAll note() {
    return [this](int its_rank, const std::string& its_sentence) {
      const std::lock_guard lock(mutex);
      if (!sentence.empty()) return;
      rank = its_rank;
      sentence = its_sentence;
    };
  }
  [[nodiscard]] bool ended() {
    const std::lock_guard lock(mutex);
    return !sentence.empty();
  }
};

/// Does something every 10 ms, for so long or until it says true.
void keep_doing(double seconds, const std::function<bool()>& something) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (!something() && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
}

/// Waiting takes these tests their time: they run on 3 ranks alone.
class MpiWatchdog : public testing::Test {
 protected:
  void SetUp() override {
    if (world->size() != 3) GTEST_SKIP() << "looked at on 3 ranks";
  }
};

/// All ranks are here.
void meet() {
  std::vector<double> one{1};
  make_mpi_team(*world)->sum(one);
}

TEST_F(MpiWatchdog, WaitsForOneThatWorks) {
  Noted noted;
  Watchdog dog(world->rank(), world->size(), noted.note());
  dog.set_limit(2);
  const bool works = world->rank() == world->size() - 1;
  keep_doing(5, [&] {
    works ? beat() : dog.look();
    return false;
  });
  EXPECT_FALSE(noted.ended()) << noted.sentence;
  dog.set_limit(0);
  meet();
  dog.end();
}

TEST_F(MpiWatchdog, NamesTheOneThatDoesNothing) {
  for (const int still : {world->size() - 1, 0}) {
    Noted noted;
    Watchdog dog(world->rank(), world->size(), noted.note());
    dog.set_limit(1);
    dog.advise("advice");
    const int looks = still == 0 ? world->size() - 1 : 0;
    // The one that does nothing is back before its own thread would speak; the one that looks may
    // be kept waiting by a busy machine.
    const double most = world->rank() == still ? 2.5 : world->rank() == looks ? 20 : 4;
    keep_doing(most, [&] {
      if (world->rank() != still) dog.look();
      return world->rank() == looks && noted.ended();
    });
    if (world->rank() == looks) {
      EXPECT_EQ(noted.rank, still) << noted.sentence;
      EXPECT_TRUE(noted.sentence.starts_with("no sign of life")) << noted.sentence;
      EXPECT_TRUE(noted.sentence.ends_with("; advice")) << noted.sentence;
    }
    dog.set_limit(0);
    meet();
    dog.end();
  }
}

TEST_F(MpiWatchdog, FindsThatAllWaitForEachOther) {
  Noted noted;
  Watchdog dog(world->rank(), world->size(), noted.note());
  dog.set_limit(1);
  keep_doing(world->rank() == 0 ? 20 : 4, [&] {
    dog.look();
    return noted.ended();
  });
  if (world->rank() == 0) {
    EXPECT_TRUE(noted.sentence.starts_with("all ranks have waited for each other"))
        << noted.sentence;
  }
  dog.set_limit(0);
  meet();
  dog.end();
}

TEST_F(MpiWatchdog, AProcessThatNobodyLooksAtSpeaksItself) {
  Noted noted;
  Watchdog dog(world->rank(), world->size(), noted.note());
  dog.set_limit(1);
  if (world->rank() == 0) keep_doing(20, [&] { return noted.ended(); });
  if (world->rank() == 0) {
    EXPECT_TRUE(noted.sentence.starts_with("no sign of life on host")) << noted.sentence;
  }
  dog.set_limit(0);
  meet();
  dog.end();
}

}  // namespace
}  // namespace ptyle

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  ptyle::MpiWorld started(argc, argv);
  ptyle::world = &started;
  if (started.rank() != 0) testing::FLAGS_gtest_brief = true;  // failures alone
  return RUN_ALL_TESTS();
}
