// Gradients small enough for compute-sanitizer, whose tools make a launch take many times as long:
// three positions and two slices, at the largest window that a block holds on chip and the largest
// that a cluster does, on every path. Right is what the CPU operator says in double.

#include <gtest/gtest.h>

#include <functional>

#include "operator/emulated/operator.hpp"
#include "scene.hpp"

namespace ptyle::test {
namespace {

using Make =
    std::function<std::unique_ptr<Operator<float>>(const OperatorSetup&, const GpuOptions&)>;

template <class T>
Sums<T> gradient_of(Operator<T>& op, const Scene<T>& scene) {
  scene.load(op);
  Sums<T> sums(scene);
  op.gradient(scene.places, scene.source(), everything, sums.view());
  return sums;
}

void expect_right(const Make& make, GpuPath path) {
  // Without tilt, half of the propagator lies in shared memory too.
  for (const Case& c : {Case{.window = 128, .slices = 2, .modes = 2, .tilted = false},
                        Case{.window = 256, .slices = 2, .tilted = false}}) {
    const auto exact = make_scene(c, 103);
    const auto scene = in_precision<float>(exact);
    const auto expected = gradient_of(*make_cpu_operator<double>(exact.setup, 1), exact);
    for (const GpuSums sums : {GpuSums::ordered, GpuSums::atomic}) {
      const auto op = make(scene.setup, {.path = path, .sums = sums});
      const auto g = gradient_of(*op, scene);
      const double allowed = tolerance<float>(scene.setup);
      EXPECT_LT(relative_difference(g.phase, expected.phase), allowed) << c.window;
      EXPECT_LT(relative_difference(g.probe, expected.probe), allowed) << c.window;
      EXPECT_LT(relative_difference(g.illumination, expected.illumination), allowed) << c.window;
    }
  }
}

std::unique_ptr<Operator<float>> emulated_one(const OperatorSetup& setup,
                                              const GpuOptions& options) {
  return make_emulated_operator<float>(setup, options);
}

TEST(SmallGradients, AreRightByCufft) { expect_right(emulated_one, GpuPath::fft); }
TEST(SmallGradients, AreRightBySweeps) { expect_right(emulated_one, GpuPath::sweeps); }
TEST(SmallGradients, AreRightOnChip) { expect_right(emulated_one, GpuPath::fused); }

class SmallGradientsOnCuda : public testing::Test {
 protected:
  void SetUp() override {
    if (find_gpus().gpus.empty()) GTEST_SKIP() << "no GPU";
    gpu_ = open_gpu(0);
    make = [this](const OperatorSetup& setup, const GpuOptions& options) {
      return make_gpu_operator<float>(setup, *gpu_, nullptr, options);
    };
  }
  Make make;

 private:
  std::unique_ptr<Memory> gpu_;
};

TEST_F(SmallGradientsOnCuda, AreRightByCufft) { expect_right(make, GpuPath::fft); }
TEST_F(SmallGradientsOnCuda, AreRightBySweeps) { expect_right(make, GpuPath::sweeps); }
TEST_F(SmallGradientsOnCuda, AreRightOnChip) { expect_right(make, GpuPath::fused); }

}  // namespace
}  // namespace ptyle::test
