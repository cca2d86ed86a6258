#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <span>

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
  const auto bytes_of = [](const auto& array) {
    return std::as_bytes(std::span(array.data(), static_cast<std::size_t>(array.size())));
  };
  disk.looks_at(bytes_of(a));
  disk.looks_at(bytes_of(b));
  Array<std::uint8_t, 1> large({2 * static_cast<i64>(Scratch::resident)}, nullptr, {}, &disk);
  disk.looks_at(bytes_of(large));  // all other pages are given back
  for (i64 i = 0; i < a.size(); ++i) ASSERT_EQ(a.data()[i], i);
  EXPECT_EQ(std::count(b.begin(), b.end(), 7), b.size());
}

/// Four times what may be resident, written in order and read in order, then in one that jumps, by
/// pieces as large as a pattern, of which the system brings many along. Besides, the process may
/// take some pages for the test's own needs.
TEST(Scratch, IsInMemoryOnlyAsFarAsItIsLookedAt) {
  Scratch disk(std::filesystem::temp_directory_path());
  constexpr i64 resident = Scratch::resident, bytes = 32 << 10, pieces = 4 * resident / bytes;
  static_assert(pieces % 599 != 0);  // a prime: multiples of it reach every piece
  Array<std::uint8_t, 2> large({pieces, bytes}, nullptr, {}, &disk);
  const auto piece_at = [&](i64 piece) {
    return std::as_bytes(std::span(&large(piece, 0), std::size_t{bytes}));
  };
  const std::size_t before = resident_bytes();
  std::size_t most = 0;
  for (const i64 stride : {1, 1, 599})
    for (i64 k = 0; k < pieces; ++k) {
      const i64 piece = k * stride % pieces;
      std::uint8_t* const at = &large(piece, 0);
      if (*at == 0) std::fill_n(at, bytes, static_cast<std::uint8_t>(piece % 255 + 1));
      ASSERT_EQ(std::count(at, at + bytes, static_cast<std::uint8_t>(piece % 255 + 1)), bytes);
      disk.looks_at(piece_at(piece));
      Scratch::will_look_at(piece_at((piece + stride) % pieces));
      // Seldom, as an address sanitizer keeps for a while what it takes to ask.
      if (k % 64 == 0) most = std::max(most, resident_bytes());
    }
  EXPECT_LT(most, before + static_cast<std::size_t>(resident + mib));
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
