// Patterns that change hands: room for those that come, and for others once they have gone.

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <numeric>
#include <stdexcept>

#include "core/error.hpp"
#include "core/random.hpp"
#include "io/temporary_folder.hpp"
#include "prepare/pattern_store.hpp"

namespace ptyle {
namespace {

using testing::message_of;
using testing::says;

constexpr i64 window = 6, count = 60;
constexpr std::size_t pixels = window * window;

/// Pattern i of a store of this largest value: 0 for floats.
std::vector<double> pattern(i64 i, double largest) {
  std::vector<double> all(pixels);
  for (std::size_t k = 0; k < pixels; ++k)
    all[k] = double((7 * i + i64(k)) % 100) + (largest == 0 ? 0.25 : 0);
  return all;
}

std::unique_ptr<FillablePatternStore> filled(const std::vector<i64>& held, double largest,
                                             Ledger* ledger = nullptr,
                                             std::shared_ptr<Scratch> disk = nullptr) {
  auto store = make_pattern_store(held, count, window, largest, 0, ledger, std::move(disk));
  for (const i64 i : held) {
    const auto values = pattern(i, largest);
    if (largest > 0)
      store->put(i, std::span<const std::int64_t>(
                        std::vector<std::int64_t>(values.begin(), values.end())));
    else
      store->put(i, std::span<const float>(std::vector<float>(values.begin(), values.end())));
  }
  return store;
}

void expect_holds(const PatternStore& store, const std::vector<i64>& held, double largest) {
  EXPECT_EQ(std::vector<i64>(store.held().begin(), store.held().end()), held);
  std::vector<double> values(pixels);
  for (const i64 i : held) {
    store.load(i, values.data());
    EXPECT_EQ(values, pattern(i, largest)) << i;
  }
}

TEST(PatternStore, PatternsGoFromStoreToStoreAsTheyAreHeld) {
  for (const double largest : {200.0, 60000.0, 4e9, 0.0}) {
    std::vector<i64> here, there;
    for (i64 i = 0; i < count; ++i) (i % 3 == 0 ? here : there).push_back(i);
    const auto disk = std::make_shared<Scratch>(std::filesystem::temp_directory_path());
    const auto a = filled(here, largest), b = filled(there, largest, nullptr, disk);
    a->will_load(here);
    b->will_load(there);
    ASSERT_EQ(a->type(), b->type());
    const void* const stays = a->raw(3).data;
    Philox random(4, 0, 0);
    for (int time = 0; time < 200; ++time) {
      const bool back = random() % 2 == 0 && here.size() > 2;
      auto &from = back ? here : there, &to = back ? there : here;
      const auto at = from.begin() + random() % from.size();
      const i64 i = *at;
      if (i == 3) continue;
      PatternStore &giver = back ? *a : *b, &taker = back ? *b : *a;
      std::memcpy(taker.take(i), giver.raw(i).data, giver.bytes_a_pattern());
      giver.drop(i);
      from.erase(at);
      to.insert(std::lower_bound(to.begin(), to.end(), i), i);
      expect_holds(*a, here, largest);
      expect_holds(*b, there, largest);
    }
    EXPECT_EQ(a->raw(3).data, stays);
  }
}

TEST(PatternStore, BooksMoreOnlyWhereMoreComeThanHaveGone) {
  Ledger ledger;
  std::vector<i64> held(10);
  std::iota(held.begin(), held.end(), i64{0});
  const auto store = filled(held, 200, &ledger);
  EXPECT_EQ(ledger.now(), 10 * pixels);
  for (i64 i = 0; i < 5; ++i) store->drop(i);
  for (i64 i = 0; i < 5; ++i) (void)store->take(20 + i);
  EXPECT_EQ(ledger.peak(), 10 * pixels);
  for (i64 i = 0; i < 16; ++i) (void)store->take(30 + i);
  EXPECT_EQ(ledger.now(), 26 * pixels);
  (void)store->take(50);
  EXPECT_EQ(ledger.now(), 42 * pixels);
  EXPECT_EQ(ledger.entries().size(), 1U);
}

TEST(PatternStore, OnDiskBooksWhatIsInMemoryOfIt) {
  Ledger ledger;
  const auto disk = std::make_shared<Scratch>(std::filesystem::temp_directory_path());
  const auto store = filled({0, 1, 2}, 200, &ledger, disk);
  (void)store->take(7);
  store->drop(7);
  EXPECT_EQ(ledger.peak(), Scratch::resident);
  expect_holds(*store, {0, 1, 2}, 200);
}

TEST(PatternStore, SaysWhereThereIsNoMemoryForMore) {
  Ledger ledger(20 * pixels);
  const auto store = filled({0, 1, 2, 3, 4, 5}, 200, &ledger);
  EXPECT_TRUE(says(message_of<UserError>([&] { (void)store->take(7); }),
                   {"memory is not enough", "patterns"}));
  expect_holds(*store, {0, 1, 2, 3, 4, 5}, 200);
  store->drop(2);
  EXPECT_NO_THROW((void)store->take(7));
}

TEST(PatternStore, RefusesWhatItHoldsAlreadyOrNoLonger) {
  const auto store = filled({4}, 200);
  EXPECT_THROW((void)store->take(4), std::logic_error);
  EXPECT_THROW(store->drop(5), std::logic_error);
  store->drop(4);
  EXPECT_THROW((void)store->raw(4), std::logic_error);
  EXPECT_TRUE(store->held().empty());
  EXPECT_NE(filled({}, 200)->take(1), nullptr);
}

}  // namespace
}  // namespace ptyle
