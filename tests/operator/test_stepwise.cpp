// The steps one by one make the waves of the reference, each with its adjoint; and every path of
// the host gives back the propagator that it was given.

#include <gtest/gtest.h>

#include <functional>

#include "backends.hpp"
#include "operator/stepwise.hpp"

namespace ptyle {
namespace {

using test::Case;

TEST(Stepwise, MakesTheWavesOfTheReference) {
  for (const Case& c : {Case{.window = 9, .slices = 3, .absorption = true},
                        Case{.window = 16, .slices = 2, .modes = 2, .band_limit = 0.6},
                        Case{.window = 13, .slices = 1}}) {
    const auto scene = test::make_scene(c, 3);
    const auto reference = make_reference_operator(scene.setup);
    scene.load(*reference);
    const Stepwise<double> steps(c.window);
    const i64 n = c.window * c.window;
    auto p = reference->propagator();
    for (auto& value : p) value /= double(n);
    std::vector<Complex<double>> t(static_cast<std::size_t>(n));
    Array<Complex<double>, 3> expected(scene.waves()), wave(scene.waves());
    for (const Placement& at : scene.places) {
      reference->forward(at, expected);
      std::copy(scene.probe.begin(), scene.probe.end(), wave.begin());
      for (i64 m = 0; m < c.modes; ++m) {
        Complex<double>* psi = wave.view()[m].data;
        steps.shift(at, psi);
        for (i64 s = 0; s < c.slices; ++s) {
          if (s > 0) steps.propagate(p.data(), psi);
          steps.transmission(scene.object(), s, at, t.data());
          for (i64 i = 0; i < n; ++i) psi[i] *= t[static_cast<std::size_t>(i)];
        }
        steps.to_detector(psi);
      }
      EXPECT_LT(test::relative_difference(wave, expected), test::tolerance<double>(scene.setup));
    }
  }
}

TEST(Stepwise, AdjointsStandBesideThem) {
  const i64 w = 10;
  test::Draw draw(4);
  Array<Complex<double>, 2> p({w, w}), a({w, w}), b({w, w});
  for (auto* array : {&p, &a, &b}) draw.fill_normal(*array, 1);
  const Stepwise<double> steps(w);
  const Placement at{0, 0, 0.3, -0.2};
  using Step = std::function<void(Complex<double>*)>;
  const std::vector<std::pair<Step, Step>> pairs{
      {[&](auto* wave) { steps.shift(at, wave); }, [&](auto* wave) { steps.shift_back(at, wave); }},
      {[&](auto* wave) { steps.propagate(p.data(), wave); },
       [&](auto* wave) { steps.propagate_back(p.data(), wave); }},
      {[&](auto* wave) { steps.to_detector(wave); },
       [&](auto* wave) {  // Fᴴ = W² IFFT
         steps.from_detector(wave);
         for (i64 i = 0; i < w * w; ++i) wave[i] *= double(w * w);
       }}};
  for (const auto& [forward, back] : pairs) {
    auto x = converted<Complex<double>, Complex<double>, 2>(a.view());
    auto y = converted<Complex<double>, Complex<double>, 2>(b.view());
    forward(x.data());
    back(y.data());
    // 1e-16 of the sum of a hundred products of order one, some transforms each.
    EXPECT_NEAR(test::dot(x, b), test::dot(a, y), 1e-12 * std::sqrt(test::dot(x, x)) * double(w));
  }
}

template <class Backend>
class GivesBack : public testing::Test {};
using OnHost = testing::Types<test::Reference, test::Cpu<double, CpuPath::fftw>,
                              test::Cpu<float, CpuPath::fftw>, test::Cpu<double, CpuPath::plain>,
                              test::Cpu<float, CpuPath::plain>, test::Cpu<double, CpuPath::avx2>,
                              test::Cpu<double, CpuPath::avx512>>;
TYPED_TEST_SUITE(GivesBack, OnHost);

TYPED_TEST(GivesBack, ItsPropagator) {
  using T = typename TypeParam::T;
  if (!TypeParam::available()) GTEST_SKIP() << "this processor has no such vectors";
  const auto scene = test::in_precision<T>(test::make_scene(
      {.window = TypeParam::window(12), .slices = 2, .modes = 2, .band_limit = 0.7}, 5));
  const auto op = TypeParam::make(scene.setup);
  scene.load(*op);
  const auto p = op->propagator();
  ASSERT_EQ(p.size(), scene.setup.propagator.size());
  for (std::size_t i = 0; i < p.size(); ++i)
    ASSERT_LT(std::abs(p[i] - scene.setup.propagator[i]), test::tolerance<T>(scene.setup)) << i;
  OperatorSetup one = scene.setup;
  one.slices = 1;
  EXPECT_TRUE(TypeParam::make(one)->propagator().empty());
}

}  // namespace
}  // namespace ptyle
