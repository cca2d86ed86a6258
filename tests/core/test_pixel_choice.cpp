#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "core/pixel_choice.hpp"

namespace ptyle {
namespace {

constexpr i64 n = 33 * 33;  // not a multiple of any run below

std::vector<double> chosen(const PixelChoice& choice) {
  std::vector<double> counts(n, 7);
  choice.apply(counts.data(), n);
  return counts;
}

TEST(PixelChoice, HoldsOutOneOfEveryRun) {
  for (const std::uint32_t run : {2u, 7u, 50u}) {
    const auto fitted = chosen({PixelSet::fitted, run, 3, 11});
    for (i64 first = 0; first + run <= n; first += run)
      EXPECT_EQ(std::count(fitted.begin() + first, fitted.begin() + first + run, -1), 1);
  }
}

TEST(PixelChoice, FittedAndHeldOutPixelsAreAll) {
  const auto fitted = chosen({PixelSet::fitted, 50, 3, 11}),
             held_out = chosen({PixelSet::held_out, 50, 3, 11});
  for (std::size_t i = 0; i < n; ++i) EXPECT_EQ(fitted[i] + held_out[i], 6) << i;
  EXPECT_EQ(chosen({}), std::vector<double>(n, 7));
}

TEST(PixelChoice, APixelByItselfIsTheSame) {
  for (const PixelSet pixels : {PixelSet::all, PixelSet::fitted, PixelSet::held_out}) {
    const PixelChoice choice{pixels, 50, 0x123456789abcdef0, std::uint64_t{1} << 33};
    const auto counts = chosen(choice);
    for (std::uint32_t i = 0; i < n; ++i) EXPECT_EQ(choice.has(i), counts[i] == 7) << i;
  }
}

TEST(PixelChoice, DependsOnSeedAndPattern) {
  std::set<std::vector<double>> all;
  for (const std::uint64_t seed : {1, 2})
    for (const std::uint64_t pattern : {0, 1, 2})
      all.insert(chosen({PixelSet::fitted, 50, seed, pattern}));
  EXPECT_EQ(all.size(), 6u);
}

// Each place of a run as often as another: of 20000 runs of 10 each is drawn 2000 ± √1800 times,
// and five such errors are allowed.
TEST(PixelChoice, PrefersNoPlaceInARun) {
  const PixelChoice choice{PixelSet::held_out, 10, 5, 6};
  std::vector<double> counts(200000, 1);
  choice.apply(counts.data(), i64(counts.size()));
  std::vector<int> drawn(10);
  for (std::size_t i = 0; i < counts.size(); ++i) drawn[i % 10] += counts[i] == 1;
  for (const int times : drawn) EXPECT_NEAR(times, 2000, 5 * std::sqrt(1800));
}

}  // namespace
}  // namespace ptyle
