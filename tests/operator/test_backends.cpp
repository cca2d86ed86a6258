// The fast backends against the reference, on random configurations.

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "backends.hpp"
#include "device/cpu/fft.hpp"
#include "scene.hpp"

namespace ptyle::test {
namespace {

/// 28 cases: every window below with random slices, modes, losses, weights, … and 28 seeds.
std::vector<Case> random_cases() {
  Draw draw(31);
  std::vector<Case> all;
  for (const i64 window : {5,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 20,
                           21, 22, 24, 25, 26, 27, 28, 30, 32, 33, 35, 36, 40, 42}) {
    Case c{.window = window, .slices = draw.integer(1, 6), .modes = draw.integer(1, 3)};
    c.absorption = draw.uniform(0, 1) < 0.5;
    c.weights = draw.uniform(0, 1) < 0.5;
    c.loss = losses[std::size_t(draw.integer(0, i64(losses.size()) - 1))].loss;
    c.band_limit = draw.uniform(0, 1) < 0.3 ? 2.0 / 3 : 0;
    c.background = draw.uniform(0, 1) < 0.3 ? 20 : 0;
    c.descan = i64(all.size()) % 3 == 0;
    c.states = i64(all.size()) % 5 == 0 ? 2 : 1;
    c.modes *= c.states;
    all.push_back(c);
  }
  return all;
}

/// As many as there is time for: a direct Fourier sum over 64² or 96² takes a while.
template <class Backend>
std::vector<Case> cases_for() {
  const auto all = random_cases();
  if (Backend::window(16) == 16) return all;
  std::vector<Case> some;
  for (std::size_t i = 0; i < all.size(); i += 5) some.push_back(fitting<Backend>(all[i]));
  return some;
}

template <class Cases, class Says>
bool any(const Cases& cases, Says says) {
  return std::any_of(cases.begin(), cases.end(), says);
}

TEST(RandomCases, CoverWhatMatters) {
  const auto all = random_cases();
  EXPECT_GE(all.size(), 20u);
  EXPECT_TRUE(any(all, [](const Case& c) { return c.window % 2 == 1 && c.slices > 1; }));
  EXPECT_TRUE(any(all, [](const Case& c) { return c.slices == 1; }));
  EXPECT_TRUE(any(all, [](const Case& c) { return c.modes > 1 && c.absorption; }));
  for (const LossFacts& each : losses)
    EXPECT_TRUE(any(all, [&](const Case& c) { return c.loss == each.loss && c.weights; }));
  EXPECT_TRUE(any(all, [](const Case& c) { return c.band_limit > 0 && c.slices > 1; }));
}

template <class Backend>
class AgainstReference : public BackendTest<Backend> {};
TYPED_TEST_SUITE(AgainstReference, FastBackends, BackendName);

template <class T>
void expect_same_waves(const Operator<T>& op, const Operator<double>& oracle, const Scene<T>& scene,
                       const Scene<double>& exact) {
  const double allowed = tolerance<T>(scene.setup);
  const auto d = make_direction(scene, 32);
  const auto d_exact = make_direction(exact, 32);
  const auto& shape = scene.probe.shape();
  for (const Placement& at : scene.places) {
    Array<Complex<T>, 3> wave(shape);
    Array<Complex<double>, 3> expected(shape);
    op.forward(at, wave);
    oracle.forward(at, expected);
    EXPECT_LT(relative_difference(wave, expected), allowed);
    op.tangent(at, d.object(), d.probe, wave);
    oracle.tangent(at, d_exact.object(), d_exact.probe, expected);
    EXPECT_LT(relative_difference(wave, expected), allowed);
    Sums<T> sums(scene);
    Sums<double> sums_expected(exact);
    op.adjoint(at, d.probe, sums.view());
    oracle.adjoint(at, d_exact.probe, sums_expected.view());
    EXPECT_LT(relative_difference(sums.phase, sums_expected.phase), allowed);
    EXPECT_LT(relative_difference(sums.absorption, sums_expected.absorption), allowed);
    EXPECT_LT(relative_difference(sums.probe, sums_expected.probe), allowed);
  }
}

template <class T>
void expect_same_sums(const Operator<T>& op, const Operator<double>& oracle, const Scene<T>& scene,
                      const Scene<double>& exact) {
  const double allowed = tolerance<T>(scene.setup);
  Sums<T> sums(scene);
  Sums<double> expected(exact);
  const Wanted wanted = everything.with(Part::descan, scene.setup.descan);
  const Misfit f = op.gradient(scene.places, scene.source(), wanted, sums.view());
  const Misfit g = oracle.gradient(exact.places, exact.source(), wanted, expected.view());
  EXPECT_LT(relative_difference(sums.phase, expected.phase), allowed);
  EXPECT_LT(relative_difference(sums.absorption, expected.absorption), allowed);
  EXPECT_LT(relative_difference(sums.probe, expected.probe), allowed);
  EXPECT_LT(relative_difference(sums.illumination, expected.illumination), allowed);
  if (scene.setup.descan) {
    EXPECT_LT(relative_difference(sums.descan, expected.descan), allowed);
  }
  EXPECT_NEAR(f.cost / g.cost, 1, allowed);
  EXPECT_NEAR(f.r_numerator / g.r_numerator, 1, allowed);
  EXPECT_NEAR(f.r_denominator / g.r_denominator, 1, allowed);
  const auto d = make_direction(scene, 33);
  const auto d_exact = make_direction(exact, 33);
  EXPECT_NEAR(op.curvature(scene.places, d.object(), d.probe) /
                  oracle.curvature(exact.places, d_exact.object(), d_exact.probe),
              1, allowed);
}

TYPED_TEST(AgainstReference, RandomConfigurations) {
  using T = typename TypeParam::T;
  std::uint64_t seed = 100;
  for (const Case& c : cases_for<TypeParam>()) {
    SCOPED_TRACE(testing::Message()
                 << "W = " << c.window << ", S = " << c.slices << ", M = " << c.modes
                 << ", absorption " << c.absorption << ", loss " << facts_of(c.loss).name
                 << ", weights " << c.weights << ", band limit " << c.band_limit << ", descan "
                 << c.descan << ", states " << c.states);
    const auto exact = make_scene(c, ++seed);
    const auto scene = in_precision<T>(exact);
    const auto op = TypeParam::make(scene.setup, 1 + static_cast<int>(seed % 3));
    const auto oracle = make_reference_operator(exact.setup);
    scene.load(*op);
    exact.load(*oracle);
    expect_same_waves<T>(*op, *oracle, scene, exact);
    expect_same_sums<T>(*op, *oracle, scene, exact);
  }
}

TYPED_TEST(AgainstReference, PropagatorGradient) {
  using T = typename TypeParam::T;
  if (!TypeParam::every_part) GTEST_SKIP() << "the propagator is not fitted on this path";
  std::uint64_t seed = 200;
  for (Case c : cases_for<TypeParam>()) {
    SCOPED_TRACE(testing::Message() << "W = " << c.window << ", S = " << c.slices);
    c.fits_propagator = true;
    const auto exact = make_scene(c, ++seed);
    const auto scene = in_precision<T>(exact);
    const auto op = TypeParam::make(scene.setup, 1 + static_cast<int>(seed % 3));
    const auto oracle = make_reference_operator(exact.setup);
    scene.load(*op);
    exact.load(*oracle);
    Sums<T> sums(scene), beside(scene);
    Sums<double> expected(exact);
    const Wanted all = everything.with(Part::propagator);
    op->gradient(scene.places, scene.source(), all, sums.view());
    op->gradient(scene.places, scene.source(), {Part::propagator}, beside.view());
    oracle->gradient(exact.places, exact.source(), all, expected.view());
    EXPECT_LT(relative_difference(sums.propagator, expected.propagator), tolerance<T>(scene.setup));
    EXPECT_LT(relative_difference(sums.phase, expected.phase), tolerance<T>(scene.setup));
    EXPECT_EQ(relative_difference(beside.propagator, sums.propagator), 0);
  }
}

// A count below 0 is that of a pixel that is not measured, another one in each pattern.
TYPED_TEST(AgainstReference, PixelsThatAreNotMeasured) {
  using T = typename TypeParam::T;
  for (const LossFacts& each : losses) {
    const auto exact = [&] {
      auto scene = make_scene({.window = TypeParam::window(15),
                               .slices = 2,
                               .modes = 2,
                               .loss = each.loss,
                               .weights = true},
                              44);
      for (std::size_t p = 0; p < scene.measured.size(); ++p)
        PixelChoice{PixelSet::fitted, 5, 45, p}.apply(scene.measured[p].data(),
                                                      scene.measured[p].size());
      return scene;
    }();
    const auto scene = in_precision<T>(exact);
    const auto op = TypeParam::make(scene.setup);
    const auto oracle = make_reference_operator(exact.setup);
    scene.load(*op);
    exact.load(*oracle);
    expect_same_sums<T>(*op, *oracle, scene, exact);
  }
}

// Setting an object, a probe or weights again replaces the former ones, in another shape too.
TYPED_TEST(AgainstReference, ReloadedOperatorForgetsWhatWasThere) {
  using T = typename TypeParam::T;
  const Case c{.window = TypeParam::window(12), .slices = 2, .weights = true};
  const auto first = in_precision<T>(make_scene(c, 41));
  auto second = in_precision<T>(make_scene({.window = TypeParam::window(12), .slices = 2}, 42));
  const i64 w = first.setup.window;
  second.phase = Array<T, 3>({2, w + 28, w + 21});
  Draw(43).fill(second.phase, -1, 1);
  const auto used = TypeParam::make(first.setup), fresh = TypeParam::make(second.setup);
  Sums<T> rest(first), a(second), b(second);
  first.load(*used);
  used->gradient(first.places, first.source(), everything, rest.view());
  second.load(*used);
  second.load(*fresh);
  used->gradient(second.places, second.source(), everything, a.view());
  fresh->gradient(second.places, second.source(), everything, b.view());
  EXPECT_EQ(relative_difference(a.phase, b.phase), 0);
  EXPECT_EQ(relative_difference(a.probe, b.probe), 0);
}

template <class Backend>
class Sweeps : public BackendTest<Backend> {};
TYPED_TEST_SUITE(Sweeps, SweepBackends, BackendName);

// Every window of the sweeps against the library of FFTs in double precision, which is tested
// against the reference.
TYPED_TEST(Sweeps, EveryWindowAgreesWithFftw) {
  using T = typename TypeParam::T;
  std::uint64_t seed = 50;
  for (const i64 window : {64, 96, 128, 192, 256, 384, 512}) {
    SCOPED_TRACE(testing::Message() << "W = " << window);
    const Case c{.window = window,
                 .slices = 3,
                 .modes = 1 + (window == 128),
                 .absorption = window % 3 == 0,
                 .weights = true,
                 .band_limit = window == 192 || window == 256 ? 2.0 / 3 : 0,
                 .positions = 2,
                 .background = window >= 256 ? 20.0 : 0};
    const auto exact = make_scene(c, ++seed);
    const auto scene = in_precision<T>(exact);
    const auto op = TypeParam::make(scene.setup);
    const auto oracle = FftwDouble::make(exact.setup);
    scene.load(*op);
    exact.load(*oracle);
    expect_same_waves<T>(*op, *oracle, scene, exact);
    expect_same_sums<T>(*op, *oracle, scene, exact);
  }
}

TEST(Paths, AreChosenByWindowAndProcessor) {
  EXPECT_EQ(describe_path(100), fft_library());
  EXPECT_EQ(describe_path(128, CpuPath::fftw), fft_library());
  EXPECT_EQ(describe_path(128, CpuPath::plain), "plain");
  const std::string widest = Avx512Float::available() ? "AVX-512"
                             : Avx2Float::available() ? "AVX2"
                                                      : "plain";
  for (const i64 window : {64, 96, 128, 192, 256, 384, 512})
    EXPECT_EQ(describe_path(window), widest);
  EXPECT_THROW(describe_path(100, CpuPath::plain), UserError);
}

TEST(Paths, EnvironmentForcesOne) {
  setenv("PTYLE_CPU_PATH", "plain", 1);
  EXPECT_EQ(describe_path(128), "plain");
  EXPECT_EQ(describe_path(100), fft_library());
  EXPECT_EQ(describe_path(128, CpuPath::fftw), fft_library());
  setenv("PTYLE_CPU_PATH", "fftw", 1);
  EXPECT_EQ(describe_path(128), fft_library());
  setenv("PTYLE_CPU_PATH", "mmx", 1);
  EXPECT_THROW(describe_path(128), UserError);
  unsetenv("PTYLE_CPU_PATH");
}

}  // namespace
}  // namespace ptyle::test
