#include <gtest/gtest.h>

#include <cmath>

#include "core/random.hpp"
#include "device/arithmetic.hpp"
#include "solver/blur.hpp"

namespace ptyle {
namespace {

void blur_lateral(View<double, 3> volume, double sigma) {
  make_cpu_arithmetic<double>(2)->blur_lateral(volume, gaussian_weights(sigma), 1);
}
void blur_along_z(View<double, 3> volume, double sigma) {
  make_cpu_arithmetic<double>(2)->blur_along_z(volume, gaussian_weights(sigma));
}

Array<double, 3> noise(std::array<i64, 3> shape) {
  Array<double, 3> a(shape);
  Philox random(1, 2, 3);
  for (double& v : a) v = random.uniform() - 0.5;
  return a;
}

TEST(Blur, WeightsSumToOne) {
  for (const double sigma : {0.3, 1.0, 5.7}) {
    const auto w = gaussian_weights(sigma);
    double sum = w[0];
    for (std::size_t i = 1; i < w.size(); ++i) sum += 2 * w[i];
    EXPECT_NEAR(sum, 1, 1e-15 * double(w.size()));
  }
}

TEST(Blur, LateralIsTheDirectSumWithZerosOutside) {
  for (const double sigma : {0.4, 1.3, 4.0}) {  // the last reaches across the whole slice
    auto a = noise({1, 9, 12});
    const auto before = noise({1, 9, 12});
    blur_lateral(a, sigma);
    const auto w = gaussian_weights(sigma);
    const i64 reach = i64(w.size()) - 1;
    for (i64 y = 0; y < 9; ++y)
      for (i64 x = 0; x < 12; ++x) {
        double sum = 0;
        for (i64 v = 0; v < 9; ++v)
          for (i64 u = 0; u < 12; ++u)
            if (std::abs(v - y) <= reach && std::abs(u - x) <= reach)
              sum += w[std::abs(v - y)] * w[std::abs(u - x)] * before(0, v, u);
        EXPECT_NEAR(a(0, y, x), sum, 1e-14);  // values below 1, at most 9 · 12 terms
      }
  }
}

TEST(Blur, AlongZKeepsWhatIsConstantAndTheMeanOfAMiddleSlice) {
  Array<double, 3> a({7, 3, 4});
  a.fill(2.5);
  blur_along_z(a, 1.1);
  for (const double v : a) EXPECT_NEAR(v, 2.5, 1e-14);

  Array<double, 3> b({11, 1, 1});
  b(5, 0, 0) = 1;
  blur_along_z(b, 1.0);
  const auto w = gaussian_weights(1.0);
  for (i64 z = 0; z < 11; ++z) {
    const i64 d = std::abs(z - 5);
    EXPECT_NEAR(b(z, 0, 0), d < i64(w.size()) ? w[d] : 0, 1e-15);
  }
}

}  // namespace
}  // namespace ptyle
