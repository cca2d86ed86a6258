#include <gtest/gtest.h>

#include "analysis/images.hpp"
#include "analysis/seams.hpp"

namespace ptyle {
namespace {

using Mask = Array<unsigned char, 2>;

Mask whole(i64 rows, i64 cols) {
  Mask mask({rows, cols});
  mask.fill(1);
  return mask;
}

/// Slopes of 1 a row and 2 a column, and a jump of 5 before each cut.
Array<double, 3> slope(i64 slices, i64 rows, i64 cols, const std::vector<i64>& row_cuts,
                       const std::vector<i64>& col_cuts) {
  Array<double, 3> phase({slices, rows, cols});
  for (i64 z = 0; z < slices; ++z)
    for (i64 y = 0; y < rows; ++y)
      for (i64 x = 0; x < cols; ++x) {
        double jump = 0;
        for (const i64 cut : row_cuts) jump += y >= cut ? 5 : 0;
        for (const i64 cut : col_cuts) jump += x >= cut ? 5 : 0;
        phase(z, y, x) = static_cast<double>(y + 2 * x + z) + jump;
      }
  return phase;
}

TEST(Seams, OfASlopeWithJumpsByHand) {
  const std::vector<i64> row_cuts{2}, col_cuts{3};
  // 4 x 6 pixels: 3 · 6 steps of 1 along columns, 6 of them across the cut and of 6; 4 · 5 of 2
  // along rows, 4 of them across and of 7. All values are small integers, so sums are exact.
  const Seams found =
      find_seams(slope(2, 4, 6, row_cuts, col_cuts), row_cuts, col_cuts, whole(4, 6));
  EXPECT_EQ(found.across, (6 * 6.0 + 4 * 7.0) / 10);
  EXPECT_EQ(found.elsewhere, (12 * 1.0 + 16 * 2.0) / 28);
  EXPECT_EQ(found.figure(), found.across / found.elsewhere);
}

TEST(Seams, AJumpBesideTheCutIsNone) {
  const std::vector<i64> cuts{2}, beside{3};
  const auto area = whole(6, 6);
  EXPECT_GT(find_seams(slope(1, 6, 6, cuts, {}), cuts, {}, area).figure(), 1);
  EXPECT_LT(find_seams(slope(1, 6, 6, beside, {}), cuts, {}, area).figure(), 1);
}

TEST(Seams, StepsThatLeaveTheAreaDoNotCount) {
  auto phase = slope(1, 5, 5, {}, {});
  Mask area = whole(5, 5);
  const std::vector<i64> cuts{2};
  const Seams before = find_seams(phase, cuts, {}, area);
  phase(0, 0, 0) = 1000;
  phase(0, 2, 2) = -1000;
  area(0, 0) = area(2, 2) = 0;
  const Seams found = find_seams(phase, cuts, {}, area);
  EXPECT_EQ(found.across, before.across);  // 1, of one column fewer
  // Columns: 20 steps of 1, 5 across; 1 is lost at the corner, and 1 after the other pixel. Rows:
  // 20 of 2, less 1 and 2.
  EXPECT_EQ(found.elsewhere, (13 * 1.0 + 17 * 2.0) / 30);
}

TEST(Seams, WithoutBordersOrStepsTheFigureIsZero) {
  EXPECT_EQ(find_seams(slope(1, 5, 5, {}, {}), {}, {}, whole(5, 5)).figure(), 0);
  const std::vector<i64> cuts{2};
  EXPECT_EQ(find_seams(Array<double, 3>({1, 5, 5}), cuts, cuts, whole(5, 5)).figure(), 0);
}

TEST(Seams, OfNoiseIsNearOne) {
  const auto image = test::noise(3, {200, 200});
  Array<double, 3> phase({1, 200, 200});
  std::copy(image.begin(), image.end(), phase.begin());
  const std::vector<i64> cuts{50, 100, 150};
  // |Difference| of two uniform deviates of range r: mean r/3, standard deviation r √(1/6 − 1/9),
  // 0.71 of it. Of 1200 steps across, hardly two share a pixel, so their mean has 0.71/√1200 = 2 %,
  // and that of the 78400 others a tenth of it: 6 σ.
  EXPECT_NEAR(find_seams(phase, cuts, cuts, whole(200, 200)).figure(), 1, 0.12);
}

}  // namespace
}  // namespace ptyle
