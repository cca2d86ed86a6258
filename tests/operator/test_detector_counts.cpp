// Counts of the waves at the detector, and the stiffness of the cost there.

#include <gtest/gtest.h>

#include <vector>

#include "core/random.hpp"
#include "operator/detector_counts.hpp"

namespace ptyle {
namespace {

constexpr i64 modes = 3, window = 4, pixels = window * window;

Array<Complex<double>, 3> some_waves() {
  Array<Complex<double>, 3> waves({modes, window, window});
  Philox random(3, 0, 0);
  for (auto& v : waves) v = {random.uniform() - 0.5, random.uniform() - 0.5};
  return waves;
}

TEST(DetectorCounts, AreTheBackgroundAndAllModes) {
  const auto waves = some_waves();
  std::vector<float> counts(pixels, -1);
  detector_counts(waves.view(), 7, counts.data());
  for (i64 k = 0; k < pixels; ++k) {
    double expected = 7;
    for (i64 m = 0; m < modes; ++m) expected += std::norm(waves.data()[m * pixels + k]);
    // Each of the three additions rounds to 24 bits of a number below 16.
    EXPECT_NEAR(counts[static_cast<std::size_t>(k)], expected, 3 * 16 * 0x1p-25) << k;
  }
}

/// f" by the second difference of the cost about y = I.
TEST(CurvatureWeights, AreThoseOfTheCostAtAPerfectFit) {
  const auto waves = some_waves();
  Array<double, 2> weight({window, window}), valid({window, window});
  for (i64 k = 0; k < pixels; ++k) {
    weight.data()[k] = 0.5 + 0.1 * static_cast<double>(k);
    valid.data()[k] = k % 5 == 0 ? 0 : 1;
  }
  for (const Loss of : {Loss::amplitude, Loss::poisson, Loss::intensity})
    for (const double background : {0.0, 3.0}) {
      OperatorSetup setup;
      setup.loss = of;
      setup.epsilon = of == Loss::poisson ? 0 : 0.1;
      setup.background = background;
      std::vector<double> counts(pixels);
      detector_counts(waves.view(), background, counts.data());
      const auto all = curvature_weights<double>(setup, waves.view(), weight.view(), valid.view());
      with_loss(of, [&](auto loss) {
        for (i64 k = 0; k < pixels; ++k) {
          const double y = counts[static_cast<std::size_t>(k)], h = 1e-3 * (y + setup.epsilon);
          const auto cost = [&](double at) {
            return loss.cost(at, y, weight.data()[k] * valid.data()[k], setup.epsilon);
          };
          const double bend = (cost(y + h) - 2 * cost(y) + cost(y - h)) / (h * h);
          // The fourth derivative is of the order of f" / (I+ε)², and costs are rounded to 1e-16.
          EXPECT_NEAR(all[static_cast<std::size_t>(k)], bend, 1e-5 * bend + 1e-12) << k;
        }
      });
    }
}

}  // namespace
}  // namespace ptyle
