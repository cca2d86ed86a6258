#include <gtest/gtest.h>

#include "analysis/comparison.hpp"
#include "analysis/images.hpp"
#include "analysis/registration.hpp"
#include "core/error.hpp"

namespace ptyle {
namespace {

using test::Waves;

constexpr double pixel = 0.2;  // Å

std::vector<Position> scan_at(double row, double col) {
  std::vector<Position> scan;
  for (int i = 0; i < 12; ++i)
    for (int j = 0; j < 14; ++j) scan.push_back({row + 1.5 * i, col + 1.5 * j});
  return scan;
}

/// Slice z of a specimen at (row, col) px, on an array of that shape.
Array<float, 3> specimen(std::array<i64, 3> shape, double row, double col, bool with_gauge) {
  Array<float, 3> phase(shape);
  for (i64 z = 0; z < shape[0]; ++z) {
    const auto slice =
        Waves(50 + static_cast<std::uint64_t>(z), 0.1).image({shape[1], shape[2]}, row, col);
    const double k = with_gauge ? static_cast<double>(z) - 0.7 : 0;
    const Plane gauge{0.3 * k, 2e-3 * k, -3e-3 * k};
    for (i64 y = 0; y < shape[1]; ++y)
      for (i64 x = 0; x < shape[2]; ++x)
        phase(z, y, x) = static_cast<float>(
            slice(y, x) + gauge.at(static_cast<double>(y), static_cast<double>(x), slice.shape()));
  }
  return phase;
}

TEST(Comparison, SameSpecimenOnAnotherArrayWithShiftAndGaugeAgrees) {
  const auto truth = specimen({3, 190, 200}, 0, 0, false);
  const auto truth_scan = scan_at(9, 8.5);
  // the result's array starts at pixel (10, −7) of the truth's; its content is shifted by 0.63,
  // −1.2
  const auto phase = specimen({3, 171, 213}, 10 - 0.63, -7 + 1.2, true);
  const auto scan = scan_at(9 - 10 * pixel, 8.5 + 7 * pixel);
  const Comparison c =
      compare_objects({phase, scan, pixel, 5, {}}, {truth, truth_scan, pixel, 5, {}}, 1);
  EXPECT_NEAR(c.shift.row, 0.63 * pixel, 1e-3 * pixel);
  EXPECT_NEAR(c.shift.col, -1.2 * pixel, 1e-3 * pixel);
  EXPECT_EQ(c.first_row, 45);
  // shift within 1e-3 px of waves up to 0.1 cycles a pixel: 2π · 0.1 · 1e-3 of their strength, √3
  // for the sum
  EXPECT_LT(c.summed.rmse, 1.1e-3);
  EXPECT_GT(c.summed.ssim, 0.9999);
  EXPECT_GT(c.summed.correlation, 0.99999);
  ASSERT_EQ(c.slices.size(), 3U);
  for (const Agreement& slice : c.slices) {
    EXPECT_LT(slice.rmse, 1e-3);
    EXPECT_GT(slice.correlation, 0.99999);
  }
}

TEST(Comparison, PartOfAScanIsLaidByItsOrigin) {
  const auto truth = specimen({1, 190, 200}, 0, 0, false);
  const auto truth_scan = scan_at(9, 8.5);
  const auto phase = specimen({1, 120, 110}, 20, 30, false);
  std::vector<Position> scan;  // every scan point whose row is below 8
  for (const Position& p : truth_scan)
    if (p.row < 18 && p.col < 20) scan.push_back({p.row - 20 * pixel, p.col - 30 * pixel});
  const ComparedObject reference{truth, truth_scan, pixel, 0, {}};
  EXPECT_THROW(compare_objects({phase, scan, pixel, 0, {}}, reference, 1), UserError);
  const Comparison c =
      compare_objects({phase, scan, pixel, 0, Position{20 * pixel, 30 * pixel}}, reference, 1);
  EXPECT_LT(c.summed.rmse, 1e-3);
  EXPECT_EQ(c.area.shape(), (std::array<i64, 2>{38, 53}));  // 9 … 16.5 and 8.5 … 19 Å
}

TEST(Comparison, BadReconstructionGivesBadFiguresAndNoFailure) {
  const auto truth = specimen({2, 150, 160}, 0, 0, false);
  const auto scan = scan_at(5, 5);
  const Array<float, 3> nothing({2, 150, 160});
  const Comparison c =
      compare_objects({nothing, scan, pixel, 5, {}}, {truth, scan, pixel, 5, {}}, 1);
  EXPECT_EQ(c.shift.row, 0);
  EXPECT_GT(c.summed.rmse, 0.5);
  EXPECT_LT(c.summed.correlation, 0.2);
  EXPECT_TRUE(std::isinf(c.summed.resolution.period));
  const auto other = specimen({2, 150, 160}, 1000, 1000, false);
  const Comparison d = compare_objects({other, scan, pixel, 5, {}}, {truth, scan, pixel, 5, {}}, 1);
  EXPECT_LT(d.summed.correlation, 0.9);
  EXPECT_GT(d.summed.rmse, 0.3);
}

TEST(Comparison, OtherSliceCountsCompareTheSumOnly) {
  const auto truth = specimen({4, 150, 160}, 0, 0, false);
  Array<float, 3> two({2, 150, 160});
  for (i64 z = 0; z < 4; ++z)
    for (i64 i = 0; i < truth.view()[z].size(); ++i)
      two.view()[z / 2].data[i] += truth.view()[z].data[i];
  const auto scan = scan_at(5, 5);
  const Comparison c = compare_objects({two, scan, pixel, 10, {}}, {truth, scan, pixel, 5, {}}, 1);
  EXPECT_TRUE(c.slices.empty());
  EXPECT_LT(c.summed.rmse, 1e-5);  // float sums of values of order one in another order
}

TEST(Comparison, DifferentPixelsOrScansAreRefused) {
  const auto truth = specimen({1, 150, 160}, 0, 0, false);
  const auto scan = scan_at(5, 5);
  const ComparedObject reference{truth, scan, pixel, 5, {}};
  EXPECT_THROW(compare_objects({truth, scan, 0.21, 5, {}}, reference, 1), UserError);
  const auto line = std::vector<Position>(5, Position{3, 3});
  EXPECT_THROW(compare_objects({truth, line, pixel, 5, Position{}}, reference, 1), UserError);
}

}  // namespace
}  // namespace ptyle
