#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <set>

#include "core/random.hpp"

namespace ptyle {
namespace {

// Known answers published with Random123 (Salmon et al., SC11) for philox4x32 with 10 rounds.
TEST(Philox, GivesThePublishedNumbers) {
  using Block = Philox::Block;
  EXPECT_EQ(Philox::rounds({0, 0, 0, 0}, {0, 0}),
            (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(Philox::rounds({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}),
            (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(
      Philox::rounds({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
      (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, ReadsTheBlocksOfItsCounterInOrder) {
  const std::uint64_t seed = 0x123456789abcdef0, index = 0xfedcba9876543210;
  Philox random(seed, 7, index);
  for (std::uint32_t block = 0; block < 3; ++block)
    for (const std::uint32_t expected :
         Philox::rounds({block, 7, 0x76543210, 0xfedcba98}, {0x9abcdef0, 0x12345678}))
      EXPECT_EQ(random(), expected);
  Philox again(seed, 7, index);
  for (std::uint32_t k = 0; k < 12; ++k) EXPECT_EQ(again(), Philox::at(seed, 7, index, k));
}

TEST(Philox, DependsOnSeedStreamAndIndex) {
  std::set<std::uint32_t> first;
  for (std::uint64_t seed : {1, 2})
    for (std::uint32_t stream : {0, 1})
      for (std::uint64_t index : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 32})
        first.insert(Philox(seed, stream, index)());
  EXPECT_EQ(first.size(), 12u);
}

// Mean ½ and variance 1/12 of n numbers: standard errors 0.289/√n and 0.0745/√n; five of them
// allowed.
TEST(Philox, UniformIsUniform) {
  Philox random(3, 0, 0);
  constexpr int n = 100000;
  double sum = 0, squares = 0, least = 1, most = 0;
  for (int i = 0; i < n; ++i) {
    const double u = random.uniform();
    sum += u, squares += (u - 0.5) * (u - 0.5);
    least = std::min(least, u), most = std::max(most, u);
  }
  EXPECT_NEAR(sum / n, 0.5, 5 * 0.289 / std::sqrt(n));
  EXPECT_NEAR(squares / n, 1.0 / 12, 5 * 0.0745 / std::sqrt(n));
  EXPECT_GT(least, 0);
  EXPECT_LT(most, 1);
}

TEST(Philox, ServesTheStandardDistributions) {
  Philox random(4, 0, 0);
  std::poisson_distribution<int> poisson(5);
  double sum = 0;
  for (int i = 0; i < 20000; ++i) sum += poisson(random);
  EXPECT_NEAR(sum / 20000, 5, 5 * std::sqrt(5.0 / 20000));
}

}  // namespace
}  // namespace ptyle
