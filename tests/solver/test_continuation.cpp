#include <gtest/gtest.h>

#include "solver/continuation.hpp"

namespace ptyle {
namespace {

const Continuation::Scale scale{.aperture_k = 1.2, .nyquist_k = 5, .slices = 20};

TEST(Continuation, IsNeededWhereTheDepthOfFocusIsShort) {
  // 200 kV, 30 mrad: λ/α² = 27.9 Å
  EXPECT_FALSE(Continuation::thick(5, 0.03, 0.02508));
  EXPECT_TRUE(Continuation::thick(12.5, 0.03, 0.02508));
}

TEST(Continuation, StartsCoarseWithAllSlicesTied) {
  const Continuation c(scale);
  EXPECT_GT(c.k_c(), 0);
  EXPECT_LT(c.k_c(), scale.aperture_k);
  EXPECT_EQ(c.block(), 20);
  EXPECT_FALSE(c.finished());
  EXPECT_NE(c.describe(), "");
}

TEST(Continuation, WaitsWhileTheErrorFalls) {
  Continuation c(scale);
  double r = 0.5;
  for (int i = 0; i < 50; ++i, r *= 0.5) EXPECT_FALSE(c.advance(r));
  EXPECT_EQ(c.block(), 20);
}

TEST(Continuation, EndsWithEverythingFreeOnceTheErrorStalls) {
  Continuation c(scale);
  double k = c.k_c();
  i64 block = c.block();
  int iterations = 0;
  for (; !c.finished() && iterations < 1000; ++iterations) {
    c.advance(0.1);
    EXPECT_TRUE(c.k_c() == 0 || c.k_c() >= k);
    EXPECT_LE(c.block(), block);
    k = c.k_c();
    block = c.block();
  }
  EXPECT_TRUE(c.finished());
  EXPECT_EQ(c.k_c(), 0);
  EXPECT_EQ(c.block(), 1);
  EXPECT_EQ(c.describe(), "");
  EXPECT_FALSE(c.advance(0.1));
}

TEST(Continuation, NoneIsFinishedFromTheStart) { EXPECT_TRUE(Continuation().finished()); }

}  // namespace
}  // namespace ptyle
