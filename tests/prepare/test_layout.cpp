// Flips, transpose, DC, centre, crop, bin, pad: each against its definition, pixel by pixel.

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "io/temporary_folder.hpp"
#include "prepare/frames_in_memory.hpp"

namespace ptyle {
namespace {

using testing::FramesInMemory;
using testing::measurement;
using testing::message_of;
using testing::numbered;
using testing::pattern;
using testing::says;
using testing::valid;

/// The turned frame by definition: flip_rows, then flip_cols, then transpose.
Array<double, 2> turned(FramesInMemory& f, i64 n, const DataConfig& d) {
  Array<double, 2> a({f.rows, f.cols});
  for (i64 y = 0; y < f.rows; ++y)
    for (i64 x = 0; x < f.cols; ++x)
      a(y, x) = f.at(n, d.flip_rows ? f.rows - 1 - y : y, d.flip_cols ? f.cols - 1 - x : x);
  if (!d.transpose) return a;
  Array<double, 2> t({f.cols, f.rows});
  for (i64 y = 0; y < f.rows; ++y)
    for (i64 x = 0; x < f.cols; ++x) t(x, y) = a(y, x);
  return t;
}

struct Size {
  i64 rows, cols;
};

class EverySize : public ::testing::TestWithParam<Size> {};
INSTANTIATE_TEST_SUITE_P(OddEvenAndNotSquare, EverySize,
                         ::testing::Values(Size{6, 6}, Size{7, 7}, Size{6, 9}, Size{9, 6},
                                           Size{5, 8}));

TEST_P(EverySize, TurnsInTheOrderFlipRowsFlipColsTransposeAndPadsToTheLongerSide) {
  const auto [rows, cols] = GetParam();
  for (int turn = 0; turn < 8; ++turn) {
    FramesInMemory frames = numbered(3, rows, cols);
    Measurement m = measurement(frames);
    m.data.flip_rows = turn & 1;
    m.data.flip_cols = turn & 2;
    m.data.transpose = turn & 4;
    const Experiment e = prepare(m);
    const i64 w = std::max(rows, cols);
    ASSERT_EQ(e.patterns->window(), w);
    const auto ok = valid(e);
    for (i64 i = 0; i < 3; ++i) {
      const auto expected = turned(frames, i, m.data);
      const auto got = pattern(e, i);
      const auto [ny, nx] = expected.shape();
      // Pixel [N/2] of the frame is pixel [W/2] of the window.
      for (i64 y = 0; y < w; ++y)
        for (i64 x = 0; x < w; ++x) {
          const i64 r = y - w / 2 + ny / 2, c = x - w / 2 + nx / 2;
          const bool inside = r >= 0 && r < ny && c >= 0 && c < nx;
          ASSERT_EQ(ok(y, x), inside ? 1 : 0) << turn << ": " << y << ", " << x;
          if (inside) {
            ASSERT_EQ(got(y, x), expected(r, c)) << turn << ": " << y << ", " << x;
          }
        }
    }
  }
}

TEST_P(EverySize, DcAtTheCornerIsTheSameMeasurementAsDcInTheCentre) {
  const auto [rows, cols] = GetParam();
  FramesInMemory centre = numbered(2, rows, cols), corner = centre;
  for (i64 i = 0; i < 2; ++i)
    for (i64 y = 0; y < rows; ++y)
      for (i64 x = 0; x < cols; ++x)
        corner.at(i, to_corner(y, rows), to_corner(x, cols)) = centre.at(i, y, x);
  Measurement a = measurement(centre), b = measurement(corner);
  b.data.dc = DcPlace::corner;
  const Experiment from_centre = prepare(a), from_corner = prepare(b);
  for (i64 i = 0; i < 2; ++i) {
    const auto p = pattern(from_centre, i), q = pattern(from_corner, i);
    EXPECT_TRUE(std::equal(p.begin(), p.end(), q.begin()));
  }
  EXPECT_TRUE(
      std::equal(from_centre.valid.begin(), from_centre.valid.end(), from_corner.valid.begin()));
}

TEST(Layout, AFlipOfFramesWithDcAtTheCornerKeepsDcThere) {
  for (i64 n : {6, 7}) {
    FramesInMemory frames = numbered(1, n, n);
    Measurement m = measurement(frames);
    m.data.dc = DcPlace::corner;
    m.data.flip_rows = true;
    const Experiment e = prepare(m);
    std::vector<float> got(static_cast<std::size_t>(n * n));
    e.patterns->load(0, got.data());
    for (i64 y = 0; y < n; ++y)
      for (i64 x = 0; x < n; ++x) EXPECT_EQ(got[y * n + x], frames.at(0, (n - y) % n, x));
  }
}

TEST(Layout, AGivenCentreIsShiftedToTheMiddleOfTheWindow) {
  for (i64 n : {8, 9}) {
    FramesInMemory frames = numbered(1, n, n);
    Measurement m = measurement(frames);
    m.data.centre = {{3.3, 5.6}};
    const Experiment e = prepare(m);
    const auto got = pattern(e, 0);
    const auto ok = valid(e);
    // (3.3, 5.6) is nearest to pixel (3, 6).
    for (i64 y = 0; y < n; ++y)
      for (i64 x = 0; x < n; ++x) {
        const i64 r = y - n / 2 + 3, c = x - n / 2 + 6;
        const bool inside = r >= 0 && r < n && c >= 0 && c < n;
        ASSERT_EQ(ok(y, x), inside ? 1 : 0);
        if (inside) {
          ASSERT_EQ(got(y, x), frames.at(0, r, c));
        }
      }
    EXPECT_NEAR(e.residual_shift[0], 0.3, 1e-12);
    EXPECT_NEAR(e.residual_shift[1], -0.4, 1e-12);
  }
}

TEST(Layout, BinsSumFromTheFirstPixelWhereTheCentreIsNotGiven) {
  for (int bin : {2, 3}) {
    FramesInMemory frames = numbered(2, 12, 12);
    Measurement m = measurement(frames);
    m.data.bin = bin;
    const Experiment e = prepare(m);
    ASSERT_EQ(e.patterns->window(), 12 / bin);
    const auto got = pattern(e, 1);
    for (i64 y = 0; y < 12 / bin; ++y)
      for (i64 x = 0; x < 12 / bin; ++x) {
        double sum = 0;
        for (i64 k = 0; k < bin * bin; ++k)
          sum += frames.at(1, y * bin + k / bin, x * bin + k % bin);
        ASSERT_EQ(got(y, x), sum);
      }
    EXPECT_EQ(e.patterns->type(), "uint16");  // 255 · 4 does not fit uint8
  }
}

TEST(Layout, BinsAroundAGivenCentreHoldItInTheMiddleOne) {
  for (i64 n : {20, 21})
    for (int bin : {1, 2, 3, 4}) {
      FramesInMemory frames = numbered(1, n, n);
      Measurement m = measurement(frames);
      m.data.bin = bin;
      m.data.centre = {{8.2, 11.7}};
      const Experiment e = prepare(m);
      const i64 w = e.patterns->window();
      // Residual in bins: at most half a pixel of the detector.
      for (double r : e.residual_shift) EXPECT_LE(std::abs(r), 0.5 / bin + 1e-12);
      // The middle bin's first pixel, from the centre and what is left over.
      const auto first = [&](double centre, double left) {
        return std::llround(centre - left * bin - (bin - 1) / 2.0);
      };
      const i64 r = first(8.2, e.residual_shift[0]), c = first(11.7, e.residual_shift[1]);
      double sum = 0;
      for (i64 k = 0; k < bin * bin; ++k) sum += frames.at(0, r + k / bin, c + k % bin);
      EXPECT_EQ(pattern(e, 0)(w / 2, w / 2), sum);
    }
}

TEST(Layout, CropKeepsASquareAboutTheCentreAndThePaddingAroundItIsNotValid) {
  FramesInMemory frames = numbered(1, 15, 13);
  Measurement m = measurement(frames);
  m.data.crop = 6;
  m.data.window = 9;
  const Experiment e = prepare(m);
  const auto got = pattern(e, 0);
  const auto ok = valid(e);
  for (i64 y = 0; y < 9; ++y)
    for (i64 x = 0; x < 9; ++x) {
      // The box's pixel [3] is the frame's [N/2]; the window's [4] is the box's [3].
      const i64 r = y - 4 + 3, c = x - 4 + 3;
      const bool inside = r >= 0 && r < 6 && c >= 0 && c < 6;
      ASSERT_EQ(ok(y, x), inside ? 1 : 0);
      if (inside) {
        ASSERT_EQ(got(y, x), frames.at(0, 7 - 3 + r, 6 - 3 + c));
      }
    }
}

TEST(Layout, AWindowSmallerThanTheFrameCropsIt) {
  FramesInMemory frames = numbered(1, 10, 12);
  Measurement m = measurement(frames);
  m.data.window = 4;
  const Experiment e = prepare(m);
  const auto got = pattern(e, 0);
  for (i64 y = 0; y < 4; ++y)
    for (i64 x = 0; x < 4; ++x) EXPECT_EQ(got(y, x), frames.at(0, 5 - 2 + y, 6 - 2 + x));
  EXPECT_EQ(std::count(e.valid.begin(), e.valid.end(), 1.0F), 16);
}

TEST(Layout, WhatDoesNotFitIsRefused) {
  FramesInMemory frames = numbered(1, 8, 6);
  const auto fault = [&](auto&& change) {
    Measurement m = measurement(frames);
    change(m.data);
    return message_of<UserError>([&] { prepare(m); });
  };
  EXPECT_TRUE(says(fault([](DataConfig& d) { d.crop = 9; }), {"data.crop of 9", "8 x 6"}));
  EXPECT_TRUE(says(fault([](DataConfig& d) { d.bin = 7; }), {"data.bin of 7"}));
  EXPECT_TRUE(says(fault([](DataConfig& d) { d.bin = 0; }), {"data.bin: 0", "from 1 to 64"}));
  EXPECT_TRUE(says(fault([](DataConfig& d) { d.dc = static_cast<DcPlace>(2); }),
                   {"data.dc", "one of centre, corner"}));
  EXPECT_TRUE(says(fault([](DataConfig& d) { d.centre = {{4, 6}}; }), {"data.centre", "outside"}));
  EXPECT_TRUE(says(fault([](DataConfig& d) {
                     d.dc = DcPlace::corner;
                     d.find_centre = true;
                   }),
                   {"data.find_centre", "data.dc: centre"}));
}

}  // namespace
}  // namespace ptyle
