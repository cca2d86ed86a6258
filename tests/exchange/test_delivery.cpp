// Records that change hands among ranks in one process.

#include <gtest/gtest.h>

#include <numeric>
#include <stdexcept>

#include "exchange/local/team.hpp"
#include "exchange/ranks.hpp"
#include "exchange/records.hpp"

namespace ptyle {
namespace {

using test::Records;

TEST(LocalDelivery, EveryRankGetsWhatIsSentToItAndNothingElse) {
  i64 came = 0;
  for (const auto& [rows, cols] : {std::pair{1, 1}, {1, 2}, {3, 1}, {2, 3}, {3, 3}, {5, 7}}) {
    const auto team = make_local_team(rows * cols);
    const auto delivery = team->make_delivery();
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
      const Records records(test::random_mesh(rows, cols, 3, 8, Halo::of(2), seed),
                            seed == 4 ? 0 : 60, seed);
      const auto come = test::delivered(*delivery, records, team->here(), 1);
      std::size_t next = 0;
      for (int rank = 0; rank < rows * cols; ++rank)
        for (const Parcel& parcel : test::expected(records, rank, 1)) {
          ASSERT_LT(next, come.size());
          EXPECT_EQ(come[next].first, parcel);
          EXPECT_EQ(test::wrong_in(parcel, come[next].second), 0);
          came += std::ssize(parcel.records);
          ++next;
        }
      EXPECT_EQ(next, come.size());
    }
  }
  EXPECT_GT(came, 100);
}

TEST(LocalDelivery, RefusesPiecesThatDoNotFit) {
  const auto team = make_local_team(2);
  std::array<std::byte, 8> here{}, there{};
  const auto sends = [&](std::size_t bytes, int to) {
    const auto delivery = team->make_delivery();
    delivery->expect({{0, 1, {std::span(there)}}});
    delivery->send({{0, to, {std::span(here).first(bytes)}}}).finish();
  };
  EXPECT_NO_THROW(sends(8, 1));
  EXPECT_THROW(sends(7, 1), std::logic_error);
  EXPECT_THROW(sends(8, 0), std::logic_error);
}

}  // namespace
}  // namespace ptyle
