#include <gtest/gtest.h>

#include <cmath>

#include "solver/rules/transfer_kernel.hpp"

namespace ptyle {
namespace {

/// A kernel that fades laterally and along planes, whose transform is positive: a product of
/// triangles.
Kernel3 triangles(i64 planes, i64 reach) {
  Kernel3 kernel({2 * planes - 1, 2 * reach + 1, 2 * reach + 1});
  const auto triangle = [](i64 d, i64 end) { return 1 - std::abs(double(d)) / double(end); };
  for (i64 z = 1 - planes; z < planes; ++z)
    for (i64 y = -reach; y <= reach; ++y)
      for (i64 x = -reach; x <= reach; ++x)
        kernel(z + planes - 1, y + reach, x + reach) =
            7 * triangle(z, planes) * triangle(y, reach + 1) * triangle(x, reach + 1);
  return kernel;
}

TEST(InverseKernel, OfADeltaIsADelta) {
  for (const i64 planes : {1, 4}) {
    Kernel3 delta({2 * planes - 1, 7, 7});
    delta(planes - 1, 3, 3) = 5;
    const InverseKernel damped = inverse_of<double>(delta, 0.1, TransferInverse::damped, 3);
    const InverseKernel wiener = inverse_of<double>(delta, 0.1, TransferInverse::wiener, 3);
    EXPECT_NEAR(damped.largest_transfer, 5, 1e-12);
    EXPECT_LT(damped.lost, 1e-7);
    EXPECT_NEAR(damped.kernel(planes - 1, 3, 3), 1 / 5.5, 1e-12);
    EXPECT_NEAR(wiener.kernel(planes - 1, 3, 3), 5 / 25.25, 1e-12);
    EXPECT_NEAR(damped.kernel(planes - 1, 3, 2), 0, 1e-12);
  }
}

/// K ∗ inverse + μ h inverse = δ where nothing is cut off.
TEST(InverseKernel, UndoesTheKernel) {
  const i64 reach = 3, far = 24;
  const double damping = 0.2;
  const Kernel3 kernel = triangles(1, reach);
  const InverseKernel inverse = inverse_of<double>(kernel, damping, TransferInverse::damped, far);
  for (i64 y = -10; y <= 10; ++y)
    for (i64 x = -10; x <= 10; x += 2) {
      double sum = damping * inverse.largest_transfer * inverse.kernel(0, y + far, x + far);
      for (i64 v = -reach; v <= reach; ++v)
        for (i64 u = -reach; u <= reach; ++u)
          sum += kernel(0, v + reach, u + reach) * inverse.kernel(0, y - v + far, x - u + far);
      // The period is 98 px; the inverse has faded to 1e-8 of its middle at half of it.
      EXPECT_NEAR(sum, y == 0 && x == 0 ? 1 : 0, 1e-6) << y << ", " << x;
    }
}

TEST(InverseKernel, LosesLessTheFartherItReaches) {
  const Kernel3 kernel = triangles(5, 4);
  double before = 1;
  for (const i64 reach : {1, 4, 8, 16}) {
    const double lost = inverse_of<double>(kernel, 0.05, TransferInverse::wiener, reach).lost;
    EXPECT_LT(lost, before) << reach;
    before = lost;
  }
  EXPECT_LT(before, 0.05);
}

}  // namespace
}  // namespace ptyle
