#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "core/array.hpp"
#include "core/error.hpp"
#include "core/ledger.hpp"

namespace ptyle {
namespace {

std::size_t now(const Ledger& ledger, const std::string& name) {
  for (const auto& entry : ledger.entries())
    if (entry.name == name) return entry.now;
  return 0;
}

TEST(Ledger, CountsByName) {
  Ledger ledger;
  const auto a = ledger.book("object", 100), b = ledger.book("object", 20);
  const auto c = ledger.book("waves", 3);
  EXPECT_EQ(ledger.now(), 123u);
  EXPECT_EQ(now(ledger, "object"), 120u);
  EXPECT_EQ(now(ledger, "waves"), 3u);
}

TEST(Ledger, LeavingScopeTakesOut) {
  Ledger ledger;
  const auto kept = ledger.book("object", 10);
  { const auto gone = ledger.book("waves", 5); }
  EXPECT_EQ(ledger.now(), 10u);
  EXPECT_EQ(ledger.peak(), 15u);
  EXPECT_EQ(ledger.entries().size(), 2u);  // a name stays known
}

TEST(Ledger, RemembersWhatThePeakConsistedOf) {
  Ledger ledger;
  const auto object = ledger.book("object", 10);
  { const auto waves = ledger.book("waves", 50); }
  const auto patterns = ledger.book("patterns", 30);
  EXPECT_EQ(ledger.peak(), 60u);
  std::size_t sum = 0;
  std::map<std::string, std::size_t> at_peak;
  for (const auto& entry : ledger.entries()) sum += at_peak[entry.name] = entry.at_peak;
  EXPECT_EQ(at_peak["waves"], 50u);
  EXPECT_EQ(at_peak["patterns"], 0u);
  EXPECT_EQ(sum, ledger.peak());
}

TEST(Ledger, AMovedBookingIsTakenOutOnce) {
  Ledger ledger;
  {
    auto a = ledger.book("object", 8);
    auto b = std::move(a);
    EXPECT_EQ(ledger.now(), 8u);
    Ledger::Booking c = ledger.book("waves", 4);
    c = std::move(b);  // what c held is released
    EXPECT_EQ(ledger.now(), 8u);
    EXPECT_EQ(now(ledger, "waves"), 0u);
    auto& same = c;
    c = std::move(same);
    EXPECT_EQ(ledger.now(), 8u);
  }
  EXPECT_EQ(ledger.now(), 0u);
}

TEST(Ledger, IsThreadSafe) {
  Ledger ledger;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&ledger, t] {
      for (int i = 0; i < 1000; ++i) const auto b = ledger.book(t % 2 ? "odd" : "even", 16);
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(ledger.now(), 0u);
  EXPECT_GE(ledger.peak(), 16u);
  EXPECT_LE(ledger.peak(), 64u);
}

TEST(Ledger, BooksArrays) {
  Ledger ledger;
  {
    Array<double, 2> a({3, 4}, &ledger, "object");
    EXPECT_EQ(now(ledger, "object"), 96u);
    a = Array<double, 2>({2, 2}, &ledger, "object");
    EXPECT_EQ(now(ledger, "object"), 32u);
    const auto b = std::move(a);
    EXPECT_EQ(now(ledger, "object"), 32u);
  }
  EXPECT_EQ(ledger.now(), 0u);
}

TEST(Ledger, RefusesMoreThanThereIs) {
  Ledger ledger(100);
  const auto patterns = ledger.book("patterns", 60);
  try {
    const auto object = ledger.book("object", 41);
    FAIL() << "41 bytes beside 60 are more than 100";
  } catch (const UserError& e) {
    EXPECT_NE(std::string(e.what()).find("object"), std::string::npos) << e.what();
  }
  EXPECT_THROW((void)ledger.book("object", SIZE_MAX), UserError);  // no wrap around
  EXPECT_EQ(ledger.now(), 60u);
  EXPECT_EQ(now(ledger, "object"), 0u);
  const auto all = ledger.book("object", 40);
  EXPECT_EQ(ledger.now(), 100u);
}

TEST(Ledger, AProcessHasItsProgramAndItsPartOfTheMachine) {
  Ledger ledger(100, 60);
  EXPECT_EQ(ledger.program(), 60U);
  EXPECT_EQ(now(ledger, "program"), 60U);
  EXPECT_THROW((void)ledger.book("object", 41), UserError);
  EXPECT_EQ(ledger.peak(), 60U);

  const Ledger one = ledger_of_process(), half = ledger_of_process(2);
  EXPECT_GE(one.program(), std::size_t{1} << 20);
  EXPECT_LE(one.most(), machine_memory_bytes());
  // Two share what is free, but not what each has.
  EXPECT_LE(double(half.most()), 0.75 * double(one.most()));
  EXPECT_NEAR(free_memory_for(23e6, 4), 4 * 24e6, 1);
}

TEST(Ledger, AMachineHasMemory) { EXPECT_GE(machine_memory_bytes(), peak_resident_bytes()); }

TEST(Ledger, ResidentMemoryGrowsWithWhatIsTouched) {
  const std::size_t before = peak_resident_bytes();
  std::vector<char> touched(std::size_t{64} << 20, 1);
  EXPECT_GE(peak_resident_bytes() + touched[5], before);
  EXPECT_GT(peak_resident_bytes(), std::size_t{64} << 20);
}

}  // namespace
}  // namespace ptyle
