#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>

#include "core/array.hpp"
#include "core/error.hpp"
#include "core/ledger.hpp"
#include "core/scratch.hpp"

namespace ptyle {
namespace {

constexpr i64 mib = i64{1} << 20;

TEST(Scratch, IsZeroedMemoryThatKeepsWhatIsWritten) {
  Scratch disk(std::filesystem::temp_directory_path());
  Array<std::uint16_t, 2> a({3, 1000}, nullptr, {}, &disk), b({2, 5}, nullptr, {}, &disk);
  EXPECT_EQ(std::count(a.begin(), a.end(), 0), a.size());
  for (i64 i = 0; i < a.size(); ++i) a.data()[i] = static_cast<std::uint16_t>(i);
  b.fill(7);
  disk.looks_at(2 * Scratch::resident);  // all pages are given back
  for (i64 i = 0; i < a.size(); ++i) ASSERT_EQ(a.data()[i], i);
  EXPECT_EQ(std::count(b.begin(), b.end(), 7), b.size());
}

/// Four times what may be resident, written and read twice, piece by piece of 1 MiB. Besides, the
/// process may take some pages for the test's own needs.
TEST(Scratch, IsInMemoryOnlyAsFarAsItIsLookedAt) {
  Scratch disk(std::filesystem::temp_directory_path());
  const auto resident = static_cast<i64>(Scratch::resident);
  Array<std::uint8_t, 2> large({4 * resident / mib, mib}, nullptr, {}, &disk);
  const std::size_t before = resident_bytes();
  std::size_t most = 0;
  for (int pass = 0; pass < 3; ++pass)
    for (i64 piece = 0; piece < large.shape()[0]; ++piece) {
      disk.looks_at(mib);
      std::uint8_t* const at = &large(piece, 0);
      if (pass == 0) std::fill_n(at, mib, static_cast<std::uint8_t>(piece));
      ASSERT_EQ(std::count(at, at + mib, static_cast<std::uint8_t>(piece)), mib);
      if (piece + 1 < large.shape()[0])
        Scratch::will_look_at(std::as_bytes(std::span(&large(piece + 1, 0), std::size_t{mib})));
      most = std::max(most, resident_bytes());
    }
  EXPECT_LT(most, before + static_cast<std::size_t>(resident + 4 * mib));
}

TEST(Scratch, LeavesNothingInItsFolder) {
  const auto folder = std::filesystem::temp_directory_path() / "ptyle-scratch-test";
  std::filesystem::create_directory(folder);
  {
    Scratch disk(folder);
    const Array<float, 1> array({1000}, nullptr, {}, &disk);
    EXPECT_TRUE(std::filesystem::is_empty(folder));
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder));
  std::filesystem::remove(folder);
}

TEST(Scratch, WithoutAFolderOrRoomIsRefused) {
  EXPECT_THROW(Scratch("/no/such/folder"), UserError);
  Scratch disk(std::filesystem::temp_directory_path());
  EXPECT_THROW(disk.allocate(std::size_t{1} << 60), UserError);
}

}  // namespace
}  // namespace ptyle
