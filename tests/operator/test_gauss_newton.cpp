// The Gauss-Newton matrix times a direction: that of the curvature, symmetric, the same on every
// backend, with any threads and however waves are kept.

#include <gtest/gtest.h>

#include <algorithm>

#include "backends.hpp"
#include "operator/cuda/plan.hpp"
#include "scene.hpp"
#include "sums.hpp"

namespace ptyle::test {
namespace {

const std::vector<Case> cases = over_losses({
    {.window = 16, .slices = 3},
    {.window = 15, .slices = 1, .modes = 2, .absorption = true, .background = 50},
    {.window = 14, .slices = 4, .modes = 3, .weights = true, .background = 30},
    {.window = 12, .slices = 2, .modes = 2, .absorption = true, .weights = true, .basis = 3},
});

template <class T>
Sums<T> product(const Operator<T>& op, const Scene<T>& scene, const Direction<T>& d) {
  Sums<T> sums(scene);
  op.gauss_newton_product(scene.places, d.object(), d.probe, sums.view());
  return sums;
}

/// Of the sums of a gradient, whose part by the probe counts twice.
template <class T>
double along(const Direction<T>& d, const Sums<T>& sums) {
  return dot(d, sums) + dot(d.probe, sums.probe);
}

template <class Backend>
class GaussNewtonProduct : public BackendTest<Backend> {};
TYPED_TEST_SUITE(GaussNewtonProduct, AllBackends, BackendName);

// ⟨d, H d⟩ is twice the curvature, ⟨e, H d⟩ = ⟨d, H e⟩ with e near d, so that neither side cancels.
// A sum of positive terms is as right as each of them: as TangentAndAdjointAgree.
TYPED_TEST(GaussNewtonProduct, IsThatOfTheCurvatureAndSymmetric) {
  using T = typename TypeParam::T;
  const double allowed = std::is_same_v<T, double> ? 1e-12 : 1e-5;
  for (const Case& c : fitting<TypeParam>(cases)) {
    const auto scene = in_precision<T>(make_scene(c, 1));
    const auto op = TypeParam::make(scene.setup);
    scene.load(*op);
    const auto d = make_direction(scene, 2);
    auto e = make_direction(scene, 3);
    for (i64 i = 0; i < e.phase.size(); ++i) e.phase.data()[i] += d.phase.data()[i];
    for (i64 i = 0; i < e.probe.size(); ++i) e.probe.data()[i] += d.probe.data()[i];
    const auto h_d = product(*op, scene, d), h_e = product(*op, scene, e);
    const double bend = op->curvature(scene.places, d.object(), d.probe);
    EXPECT_NEAR(along(d, h_d) / (2 * bend), 1, allowed) << "W = " << c.window;
    EXPECT_NEAR(along(e, h_d) / along(d, h_e), 1, allowed) << "W = " << c.window;
  }
}

// Parts that are not wanted, or not given, are as if they were not there; sums are added to.
TYPED_TEST(GaussNewtonProduct, HasThePartsThatAreAskedFor) {
  using T = typename TypeParam::T;
  const auto scene = in_precision<T>(make_scene(fitting<TypeParam>(cases[1]), 4));
  const auto op = TypeParam::make(scene.setup);
  scene.load(*op);
  auto d = make_direction(scene, 5);
  const auto both = product(*op, scene, d);
  Sums<T> object(scene);
  op->gauss_newton_product(scene.places, d.object(), d.probe,
                           {object.phase.view(), object.absorption.view(), {}, {}});
  EXPECT_TRUE(std::equal(object.phase.begin(), object.phase.end(), both.phase.begin()));
  Sums<T> parts(scene);
  op->gauss_newton_product(scene.places, d.object(), {}, parts.view());
  op->gauss_newton_product(scene.places, {}, d.probe, parts.view());
  expect_close(parts, both, 2 * tolerance<T>(scene.setup));
}

TYPED_TEST(GaussNewtonProduct, IsThatOfTheReferenceWithAnyThreads) {
  using T = typename TypeParam::T;
  std::uint64_t seed = 10;
  for (const Case& c : fitting<TypeParam>(cases)) {
    Case many = c;
    many.positions = 5;
    const auto exact = make_scene(many, ++seed);
    const auto scene = in_precision<T>(exact);
    const auto oracle = make_reference_operator(exact.setup);
    exact.load(*oracle);
    const auto expected = product(*oracle, exact, make_direction(exact, 7));
    const auto d = make_direction(scene, 7);
    const auto of_threads = [&](int threads) {
      const auto op = TypeParam::make(scene.setup, threads);
      scene.load(*op);
      return product(*op, scene, d);
    };
    const auto one = of_threads(1);
    const double allowed = tolerance<T>(scene.setup);
    EXPECT_LT(relative_difference(one.phase, expected.phase), allowed);
    EXPECT_LT(relative_difference(one.absorption, expected.absorption), allowed);
    EXPECT_LT(relative_difference(one.probe, expected.probe), allowed);
    for (const int threads : {2, 3}) EXPECT_TRUE(same_bits(of_threads(threads), one)) << threads;
  }
}

template <class Backend>
class ProductPolicies : public BackendTest<Backend> {};
TYPED_TEST_SUITE(ProductPolicies, CpuBackends, BackendName);

// Waves go forward beside the tangent in other vectors than those that make them again.
TYPED_TEST(ProductPolicies, WavesMadeAgainAreTheSameToRounding) {
  using T = typename TypeParam::T;
  for (const i64 slices : {1, 2, 7}) {
    const auto scene = in_precision<T>(
        make_scene({.window = TypeParam::window(16), .slices = slices, .modes = 2}, 71));
    const auto d = make_direction(scene, 72);
    const auto by = [&](const CpuOptions& options) {
      const auto op = make_cpu_operator<T>(scene.setup, 2, nullptr, TypeParam::options(options));
      scene.load(*op);
      return product(*op, scene, d);
    };
    const auto stored = by({});
    for (const i64 k : {1, 2, 3, 6})
      expect_close(by({.waves = WaveStorage::checkpoint, .checkpoint = k}), stored,
                   tolerance<T>(scene.setup));
    expect_close(by({.waves = WaveStorage::recompute}), stored, tolerance<T>(scene.setup));
  }
}

// Threads in either order, work as late as events allow, and batches of one position.
TEST(GaussNewtonProductOnGpu, DoesNotDependOnTheOrderOrOnBatches) {
  for (const auto& [path, window] :
       {std::pair(GpuPath::fft, 15), std::pair(GpuPath::sweeps, 64), std::pair(GpuPath::fused, 64)})
    for (const WaveStorage waves : {WaveStorage::store, WaveStorage::recompute}) {
      if (path == GpuPath::fused && waves == WaveStorage::recompute) continue;
      const auto scene = make_scene({.window = window, .slices = 3, .modes = 2}, 73);
      const auto d = make_direction(scene, 74);
      GpuOptions options{.waves = waves, .path = path};
      const gpu::BatchPlan plan(scene.setup, path, options);
      const auto oracle = make_reference_operator(scene.setup);
      scene.load(*oracle);
      const auto expected = product(*oracle, scene, d);
      for (const bool backwards : {false, true}) {
        options.memory = backwards ? (plan.bytes<double>() / 7 + 1) * 10 : 0;
        const auto op = make_emulated_operator<double>(
            scene.setup, options,
            {.shared_limit = 454 << 10,
             .backwards = backwards,
             .order = backwards ? emulated::Order::as_needed : emulated::Order::others_first});
        scene.load(*op);
        expect_close(product(*op, scene, d), expected, tolerance<double>(scene.setup));
      }
    }
}

}  // namespace
}  // namespace ptyle::test
