#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <utility>

#include "io/reduced_image.hpp"

namespace ptyle {
namespace {

Array<float, 2> some_image(i64 rows, i64 cols) {
  Array<float, 2> image({rows, cols});
  for (i64 i = 0; i < image.size(); ++i)
    image.data()[i] = static_cast<float>((i * 7919) % 1009) / 100;
  return image;
}

/// The mean over an output pixel's area, pixel by pixel of the input.
double area_mean(View<const float, 2> image, const std::array<i64, 2>& out, i64 r, i64 c) {
  const auto [rows, cols] = image.shape;
  const double tall = double(rows) / double(out[0]), wide = double(cols) / double(out[1]);
  double sum = 0;
  for (i64 y = 0; y < rows; ++y)
    for (i64 x = 0; x < cols; ++x) {
      const double h = std::min(double(r + 1) * tall, double(y + 1)) -
                       std::max(double(r) * tall, double(y)),
                   w = std::min(double(c + 1) * wide, double(x + 1)) -
                       std::max(double(c) * wide, double(x));
      if (h > 0 && w > 0) sum += h * w * double(image(y, x));
    }
  return sum / (tall * wide);
}

TEST(ReducedImage, IsTheSumOfAreaMeansHoweverManyRowsComeAtATime) {
  const auto image = some_image(61, 70);
  for (const std::array<i64, 2> out :
       {std::array<i64, 2>{61, 70}, {60, 69}, {31, 35}, {7, 8}, {1, 1}})
    for (const i64 at_a_time : {61, 10, 1}) {
      ReducedImage<double> reduced({61, 70}, out);
      for (int i = 0; i < 2; ++i)
        for (i64 first = 0; first < 61; first += at_a_time)
          reduced.add<float>(first,
                             {image.data() + first * 70, {std::min(at_a_time, 61 - first), 70}});
      // 61 * 70 terms of at most 10 in double, twice
      for (i64 r = 0; r < out[0]; ++r)
        for (i64 c = 0; c < out[1]; ++c)
          EXPECT_NEAR(reduced.values()(r, c), 2 * area_mean(image, out, r, c), 1e-9);
      EXPECT_DOUBLE_EQ(reduced.scale()[0], 61.0 / double(out[0]));
    }
}

TEST(ReducedImage, HoldsNoMoreThanAPictureShows) {
  EXPECT_EQ(reduced_shape({60000, 30000}, 800), (std::array<i64, 2>{800, 400}));
  EXPECT_EQ(reduced_shape({30, 40}, 800), (std::array<i64, 2>{30, 40}));
  EXPECT_EQ(shown_shape({30, 40}, 800), (std::array<int, 2>{600, 800}));
  EXPECT_EQ(shown_shape({1, 5000}, 800), (std::array<int, 2>{1, 800}));
  // An image that was reduced to a picture's size is shown as it is.
  for (const i64 rows : {801, 1999, 2346}) {
    const auto reduced = reduced_shape({rows, 1746}, 800), shown = reduced_shape(reduced, 800);
    EXPECT_EQ(reduced, shown);
  }
  Ledger ledger;
  const ReducedImage<double> image({6000, 3000}, reduced_shape({6000, 3000}, 80), &ledger, "image");
  EXPECT_EQ(ledger.peak(), 80U * 40U * sizeof(double));
}

TEST(ReducedImage, AWaveKeepsItsPhase) {
  Array<Complex<float>, 2> wave({6, 9});
  for (auto& v : wave) v = std::polar(2.0F, 0.5F);
  ReducedImage<Complex<double>> reduced({6, 9}, {2, 3});
  reduced.add(0, std::as_const(wave).view());
  for (const auto& v : reduced.values()) EXPECT_LT(std::abs(v - std::polar(2.0, 0.5)), 1e-6);
}

}  // namespace
}  // namespace ptyle
