#include <gtest/gtest.h>

#include "solver/continuation.hpp"

namespace ptyle {
namespace {

const Continuation::Scale scale{
    .aperture_k = 1.2, .nyquist_k = 5, .slices = 20, .depths_of_focus = 1};

TEST(Continuation, IsNeededWhereTheDepthOfFocusIsShort) {
  // 200 kV, 30 mrad: λ/α² = 27.9 Å
  EXPECT_NEAR(Continuation::depths_of_focus(27.87, 0.03, 0.02508), 1, 1e-3);
  EXPECT_FALSE(Continuation::thick(0.15));
  EXPECT_TRUE(Continuation::thick(0.45));
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

/// Laterally all becomes free meanwhile, and the slices as ever after it.
TEST(Continuation, KeepsSlicesBinnedWhileTheyAreHeld) {
  Continuation c(scale);
  for (int i = 0; i < 50; ++i) c.advance(0.1, true);
  EXPECT_EQ(c.k_c(), 0);
  EXPECT_EQ(c.block(), 20);
  EXPECT_FALSE(c.advance(0.1, true));
  EXPECT_FALSE(c.advance(0.1));  // the first of a stage, as it begins
  EXPECT_TRUE(c.advance(0.1));
  EXPECT_EQ(c.block(), 10);
  for (int i = 0; i < 50; ++i) c.advance(0.1);
  EXPECT_TRUE(c.finished());
}

TEST(Continuation, TakesMoreStagesForAThickerSpecimen) {
  const auto iterations = [](double depths) {
    Continuation c({.aperture_k = 1.2, .nyquist_k = 5, .slices = 1, .depths_of_focus = depths});
    int n = 0;
    for (; !c.finished(); ++n) c.advance(0.1);
    return n;
  };
  EXPECT_EQ(iterations(0.5), iterations(2));
  EXPECT_GT(iterations(4), iterations(2));
}

TEST(Continuation, GoesOnFromWhatWasSaved) {
  Continuation c(scale), resumed(scale);
  for (int i = 0; i < 5; ++i) c.advance(0.1);
  resumed.restore(c.state());
  for (int i = 0; i < 9; ++i) {
    EXPECT_EQ(c.describe(), resumed.describe());
    EXPECT_EQ(c.advance(0.1), resumed.advance(0.1));
  }
}

TEST(Continuation, NoneIsFinishedFromTheStart) { EXPECT_TRUE(Continuation().finished()); }

}  // namespace
}  // namespace ptyle
