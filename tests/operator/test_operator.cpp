// Every backend of the operator must do this, whatever its precision.

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "backends.hpp"
#include "core/parallel.hpp"
#include "scene.hpp"

namespace ptyle::test {
namespace {

const std::vector<Case> cases = over_losses({
    {.window = 16, .slices = 3},
    {.window = 15, .slices = 1, .modes = 2, .absorption = true, .background = 50},
    {.window = 14, .slices = 4, .modes = 3, .weights = true, .background = 30},
    {.window = 11, .slices = 2, .absorption = true, .weights = true, .band_limit = 2.0 / 3},
});

template <class Backend>
class AnyBackend : public BackendTest<Backend> {
 protected:
  using T = typename Backend::T;
  static constexpr double eps = std::numeric_limits<T>::epsilon();
};
TYPED_TEST_SUITE(AnyBackend, AllBackends, BackendName);

// ⟨Jδ, d⟩ = ⟨δ, Jᴴd⟩. d is Jδ plus noise of its size, so that neither side cancels.
TYPED_TEST(AnyBackend, TangentAndAdjointAgree) {
  using T = typename TypeParam::T;
  for (const Case& c : fitting<TypeParam>(cases)) {
    const auto scene = in_precision<T>(make_scene(c, 1));
    const auto op = TypeParam::make(scene.setup);
    scene.load(*op);
    const auto delta = make_direction(scene, 2);
    for (const Placement& at : scene.places) {
      Array<Complex<T>, 3> changed(scene.probe.shape()), d(scene.probe.shape());
      op->tangent(at, delta.object(), delta.probe, changed);
      Draw draw(3);
      draw.fill_normal(d, std::sqrt(dot(changed, changed) / static_cast<double>(d.size())));
      for (i64 i = 0; i < d.size(); ++i) d.data()[i] += changed.data()[i];
      Sums<T> sums(scene);
      op->adjoint(at, d, sums.view());
      const double left = dot(changed, d), right = dot(delta, sums);
      EXPECT_NEAR(right / left, 1, (std::is_same_v<T, double> ? 1e-12 : 1e-5))
          << "W = " << c.window << ", S = " << c.slices;
    }
  }
}

// Empty parts of a direction are zero, and the parts add up.
TYPED_TEST(AnyBackend, TangentIsLinear) {
  using T = typename TypeParam::T;
  const auto scene = in_precision<T>(make_scene(fitting<TypeParam>(cases[1]), 4));
  const auto op = TypeParam::make(scene.setup);
  scene.load(*op);
  const auto delta = make_direction(scene, 5);
  const auto& shape = scene.probe.shape();
  Array<Complex<T>, 3> both(shape), object(shape), probe(shape);
  op->tangent(scene.places[1], delta.object(), delta.probe, both);
  op->tangent(scene.places[1], delta.object(), {}, object);
  op->tangent(scene.places[1], {}, delta.probe, probe);
  for (i64 i = 0; i < object.size(); ++i) object.data()[i] += probe.data()[i];
  EXPECT_LT(relative_difference(object, both), tolerance<T>(scene.setup));
}

// Phase objects and |P| = 1: every step is unitary and the last FFT is unnormalised, so
// ΣI = W² Σ|probe|².
TYPED_TEST(AnyBackend, CountsAreConserved) {
  using T = typename TypeParam::T;
  for (const i64 small : {15, 16, 22}) {
    const i64 window = TypeParam::window(small);
    const auto scene = in_precision<T>(make_scene({.window = window, .slices = 5, .modes = 2}, 6));
    const auto op = TypeParam::make(scene.setup);
    scene.load(*op);
    Array<Complex<T>, 3> wave(scene.probe.shape());
    for (const Placement& at : scene.places) {
      op->forward(at, wave);
      const double expected = static_cast<double>(window * window) * dot(scene.probe, scene.probe);
      EXPECT_NEAR(dot(wave, wave) / expected, 1, tolerance<T>(scene.setup));
    }
  }
}

// Absorption μ in one slice takes exp(−2μ) of the counts.
TYPED_TEST(AnyBackend, AbsorptionTakesItsShare) {
  using T = typename TypeParam::T;
  auto scene = in_precision<T>(make_scene(
      {.window = TypeParam::window(12), .slices = 2, .absorption = true, .positions = 1}, 7));
  scene.absorption.fill(0);
  std::fill_n(scene.absorption.data(), scene.absorption.size() / 2, T(0.25));
  scene.places[0].row = scene.places[0].col = 2;  // all of the window on the object
  const auto op = TypeParam::make(scene.setup);
  scene.load(*op);
  Array<Complex<T>, 3> wave(scene.probe.shape());
  op->forward(scene.places[0], wave);
  const auto w2 = std::pow(double(scene.setup.window), 2);
  EXPECT_NEAR(dot(wave, wave) / (w2 * dot(scene.probe, scene.probe)), std::exp(-0.5),
              tolerance<T>(scene.setup));
}

// S slices of vacuum are one propagation over (S−1) Δz.
TYPED_TEST(AnyBackend, VacuumIsOneLongPropagation) {
  using T = typename TypeParam::T;
  for (const i64 small : {15, 16}) {
    const i64 window = TypeParam::window(small);
    auto many = in_precision<T>(make_scene({.window = window, .slices = 6}, 8));
    auto once = in_precision<T>(make_scene({.window = window, .slices = 2}, 8));
    many.setup.propagator = propagator(window, 0.3, 0.02, 10);
    once.setup.propagator = propagator(window, 0.3, 0.02, 50);
    many.phase.fill(0);
    once.phase.fill(0);
    std::copy(many.probe.begin(), many.probe.end(), once.probe.begin());
    const auto a = TypeParam::make(many.setup), b = TypeParam::make(once.setup);
    many.load(*a);
    once.load(*b);
    Array<Complex<T>, 3> wave_a(many.probe.shape()), wave_b(many.probe.shape());
    a->forward(many.places[1], wave_a);
    b->forward(many.places[1], wave_b);
    EXPECT_LT(relative_difference(wave_a, wave_b), tolerance<T>(many.setup));
  }
}

/// Gradients and misfits of a scene's patterns as they are.
template <class T>
struct Fitted {
  Fitted(Operator<T>& op, const Scene<T>& scene)
      : sums(scene),
        summed(op.gradient(scene.places, scene.source(),
                           everything.with(Part::shift).with(Part::coefficients), sums.view())),
        alone(op.misfit(scene.places, scene.source())) {}
  Sums<T> sums;
  Misfit summed, alone;
};

template <class T>
void expect_same(const Fitted<T>& a, const Fitted<T>& b) {
  EXPECT_EQ(relative_difference(a.sums.phase, b.sums.phase), 0);
  EXPECT_EQ(relative_difference(a.sums.absorption, b.sums.absorption), 0);
  EXPECT_EQ(relative_difference(a.sums.illumination, b.sums.illumination), 0);
  EXPECT_EQ(relative_difference(a.sums.probe, b.sums.probe), 0);
  EXPECT_EQ(relative_difference(a.sums.shift, b.sums.shift), 0);
  EXPECT_EQ(relative_difference(a.sums.coefficients, b.sums.coefficients), 0);
  for (const auto& [x, y] : {std::pair(a.summed, b.summed), std::pair(a.alone, b.alone)}) {
    EXPECT_EQ(x.cost, y.cost);
    EXPECT_EQ(x.r_numerator, y.r_numerator);
    EXPECT_EQ(x.r_denominator, y.r_denominator);
  }
}

// A pixel with a count below 0 is not measured: whatever the count, the same bits, which are those
// of a pixel that is masked.
TYPED_TEST(AnyBackend, PixelsThatAreNotMeasuredAreMaskedOnes) {
  using T = typename TypeParam::T;
  for (const Case& c : fitting<TypeParam>(cases)) {
    const auto measured = in_precision<T>(make_scene(c, 24));
    const auto with = [&](T count) {
      auto scene = in_precision<T>(make_scene(c, 24));
      for (auto& pattern : scene.measured)
        for (i64 i = 0; i < pattern.size(); i += 3) pattern.data()[i] = count;
      return scene;
    };
    auto masked = in_precision<T>(make_scene(c, 24));
    if (masked.valid.empty()) {
      masked.valid = Array<T, 2>({c.window, c.window});
      masked.valid.fill(1);
    }
    for (i64 i = 0; i < masked.valid.size(); i += 3) masked.valid.data()[i] = 0;
    const auto op = TypeParam::make(measured.setup);
    measured.load(*op);
    const Fitted<T> a(*op, with(-1)), b(*op, with(-1000)), all(*op, measured);
    expect_same(a, b);
    EXPECT_GT(relative_difference(a.sums.phase, all.sums.phase), 1e-3);
    masked.load(*op);
    expect_same(a, Fitted<T>(*op, masked));
  }
}

// A window over the object's edge reads vacuum: the same as an object with a margin of vacuum,
// whose gradient inside is the same too.
TYPED_TEST(AnyBackend, BeyondTheEdgeIsVacuum) {
  using T = typename TypeParam::T;
  const i64 margin = TypeParam::window(16);
  const auto scene = in_precision<T>(make_scene(
      {.window = TypeParam::window(16), .slices = 3, .absorption = true, .positions = 8}, 9));
  auto wide = in_precision<T>(make_scene(
      {.window = TypeParam::window(16), .slices = 3, .absorption = true, .positions = 8}, 9));
  const auto [slices, ny, nx] = scene.phase.shape();
  wide.phase = Array<T, 3>({slices, ny + 2 * margin, nx + 2 * margin});
  wide.absorption = Array<T, 3>(wide.phase.shape());
  for (i64 s = 0; s < slices; ++s)
    for (i64 y = 0; y < ny; ++y)
      for (i64 x = 0; x < nx; ++x) {
        wide.phase(s, y + margin, x + margin) = scene.phase(s, y, x);
        wide.absorption(s, y + margin, x + margin) = scene.absorption(s, y, x);
      }
  for (Placement& at : wide.places) at.row += margin, at.col += margin;
  const auto op = TypeParam::make(scene.setup), wide_op = TypeParam::make(wide.setup);
  scene.load(*op);
  wide.load(*wide_op);
  Sums<T> sums(scene), wide_sums(wide), inner(scene);
  const Misfit a = op->gradient(scene.places, scene.source(), everything, sums.view());
  const Misfit b = wide_op->gradient(wide.places, wide.source(), everything, wide_sums.view());
  for (i64 s = 0; s < slices; ++s)
    for (i64 y = 0; y < ny; ++y)
      for (i64 x = 0; x < nx; ++x)
        inner.phase(s, y, x) = wide_sums.phase(s, y + margin, x + margin);
  EXPECT_NEAR(a.cost, b.cost, tolerance<T>(scene.setup) * a.cost);
  EXPECT_LT(relative_difference(sums.phase, inner.phase), tolerance<T>(scene.setup));
  EXPECT_LT(relative_difference(sums.probe, wide_sums.probe), tolerance<T>(scene.setup));
}

// A window that misses the object altogether adds nothing to it, and is a probe in vacuum.
TYPED_TEST(AnyBackend, WindowBesideTheObject) {
  using T = typename TypeParam::T;
  const auto scene = in_precision<T>(
      make_scene({.window = TypeParam::window(12), .slices = 2, .positions = 1}, 10));
  const auto op = TypeParam::make(scene.setup);
  scene.load(*op);
  const i64 w = scene.setup.window;
  const std::vector<Placement> away = {{-4 * w, 3, 0.1, 0.2}, {500, 500, 0, 0}, {2, -w - 1, 0, 0}};
  const auto source = [&](i64, T* to) { scene.source().load(0, to); };
  Sums<T> sums(scene);
  const Misfit fit = op->gradient(away, source, everything, sums.view());
  EXPECT_GT(fit.cost, 0);
  EXPECT_EQ(dot(sums.phase, sums.phase), 0);
  EXPECT_EQ(dot(sums.illumination, sums.illumination), 0);
  EXPECT_GT(dot(sums.probe, sums.probe), 0);
}

/// Kernels of a real GPU that keep waves are others than those that do not, and nvcc may fuse other
/// products in them: gradient's and misfit's costs are the same to rounding alone.
template <class Backend>
bool own_kernels() {
  return Backend::name().starts_with("Cuda");
}

// gradient and misfit tell the same cost, and a batch is the sum of its positions.
TYPED_TEST(AnyBackend, GradientAndMisfitAgree) {
  using T = typename TypeParam::T;
  for (const Case& c : fitting<TypeParam>(cases)) {
    const auto scene = in_precision<T>(make_scene(c, 11));
    const auto op = TypeParam::make(scene.setup);
    scene.load(*op);
    Sums<T> sums(scene), one_by_one(scene);
    const Misfit g = op->gradient(scene.places, scene.source(), everything, sums.view());
    const Misfit f = op->misfit(scene.places, scene.source());
    const double allowed = tolerance<T>(scene.setup);
    if (own_kernels<TypeParam>()) {
      EXPECT_NEAR(g.cost, f.cost, allowed * f.cost);
      EXPECT_NEAR(g.r_numerator, f.r_numerator, allowed * f.r_numerator);
    } else {
      EXPECT_DOUBLE_EQ(g.cost, f.cost);
      EXPECT_DOUBLE_EQ(g.r_numerator, f.r_numerator);
    }
    EXPECT_DOUBLE_EQ(g.r_denominator, f.r_denominator);
    Misfit singles;
    for (std::size_t i = 0; i < scene.places.size(); ++i) {
      const auto source = [&](i64, T* to) { scene.source().load(static_cast<i64>(i), to); };
      singles +=
          op->gradient(std::span(&scene.places[i], 1), source, everything, one_by_one.view());
    }
    EXPECT_NEAR(singles.cost, g.cost, allowed * g.cost);
    EXPECT_LT(relative_difference(one_by_one.phase, sums.phase), allowed);
    EXPECT_LT(relative_difference(one_by_one.probe, sums.probe), allowed);
  }
}

// Outputs that nobody asks for are not touched, and may be empty.
TYPED_TEST(AnyBackend, OnlyWhatIsWantedIsComputed) {
  using T = typename TypeParam::T;
  const auto scene = in_precision<T>(make_scene(fitting<TypeParam>(cases[1]), 12));
  const auto op = TypeParam::make(scene.setup);
  scene.load(*op);
  Sums<T> all(scene), probe(scene), object(scene);
  op->gradient(scene.places, scene.source(), everything, all.view());
  op->gradient(scene.places, scene.source(), {Part::probe}, {{}, {}, {}, probe.probe.view()});
  op->gradient(scene.places, scene.source(), {Part::object},
               {object.phase.view(), object.absorption.view(), {}, {}});
  EXPECT_EQ(relative_difference(probe.probe, all.probe), 0);
  EXPECT_EQ(relative_difference(object.phase, all.phase), 0);
  EXPECT_EQ(relative_difference(object.absorption, all.absorption), 0);
}

// Shifts beside all else change nothing of it, and are added to as sums are; a batch has the bits
// of its positions one by one.
TYPED_TEST(AnyBackend, ShiftsAreWantedBesideTheRest) {
  using T = typename TypeParam::T;
  for (const Case& c : fitting<TypeParam>(cases)) {
    const auto scene = in_precision<T>(make_scene(c, 14));
    const auto op = TypeParam::make(scene.setup, 2);
    scene.load(*op);
    Sums<T> without(scene), with(scene);
    op->gradient(scene.places, scene.source(), everything, without.view());
    Array<double, 2> slopes({c.positions, 2}), again({1, 2});
    Gradient<T> to = with.view();
    to.shift = slopes.view();
    op->gradient(scene.places, scene.source(), everything.with(Part::shift), to);
    EXPECT_EQ(relative_difference(with.probe, without.probe), 0);
    EXPECT_EQ(relative_difference(with.phase, without.phase), 0);
    EXPECT_EQ(relative_difference(with.illumination, without.illumination), 0);
    const auto last = static_cast<i64>(scene.places.size()) - 1;
    const auto source = [&](i64, T* y) { scene.source().load(last, y); };
    Gradient<T> one;
    one.shift = again.view();
    for (int twice = 0; twice < 2; ++twice)
      op->gradient({&scene.places.back(), 1}, source, {Part::shift}, one);
    for (i64 axis = 0; axis < 2; ++axis)
      EXPECT_NEAR(again(0, axis), 2 * slopes(last, axis), 1e-12 * std::abs(again(0, axis)));
  }
}

// Cost and R-factor as the formulas say, from the waves that `forward` gives.
TYPED_TEST(AnyBackend, CostIsWhatTheFormulaSays) {
  using T = typename TypeParam::T;
  for (const Case& c : fitting<TypeParam>(cases)) {
    const auto scene = in_precision<T>(make_scene(c, 13));
    const auto op = TypeParam::make(scene.setup);
    scene.load(*op);
    double cost = 0, numerator = 0, denominator = 0;
    const double e = scene.setup.epsilon;
    for (std::size_t p = 0; p < scene.places.size(); ++p) {
      Array<Complex<T>, 3> wave(scene.probe.shape());
      op->forward(scene.places[p], wave);
      for (i64 k = 0; k < c.window * c.window; ++k) {
        double model = c.background;
        for (i64 m = 0; m < c.modes; ++m)
          model += std::norm(Complex<double>(wave.view()[m].data[k]));
        const double y = scene.measured[p].data()[k];
        const double v = c.weights ? scene.valid.data()[k] : 1;
        const double w = c.weights ? v * scene.weight.data()[k] : 1;
        cost += with_loss(c.loss, [&](auto loss) { return loss.cost(model, y, w, e); });
        numerator += v * std::pow(std::sqrt(model) - std::sqrt(y), 2);
        denominator += v * y;
      }
    }
    const Misfit f = op->misfit(scene.places, scene.source());
    EXPECT_NEAR(f.cost, cost, tolerance<T>(scene.setup) * cost);
    EXPECT_NEAR(f.r_numerator, numerator, tolerance<T>(scene.setup) * numerator);
    EXPECT_NEAR(f.r_denominator, denominator, tolerance<T>(scene.setup) * denominator);
  }
}

TYPED_TEST(AnyBackend, OwnIntensitiesFitPerfectly) {
  using T = typename TypeParam::T;
  for (const Case& c : fitting<TypeParam>(cases)) {
    auto scene = in_precision<T>(make_scene(c, 14));
    const auto op = TypeParam::make(scene.setup);
    scene.load(*op);
    for (std::size_t p = 0; p < scene.places.size(); ++p) {
      Array<Complex<T>, 3> wave(scene.probe.shape());
      op->forward(scene.places[p], wave);
      scene.measured[p].fill(static_cast<T>(c.background));
      for (i64 m = 0; m < c.modes; ++m)
        for (i64 k = 0; k < c.window * c.window; ++k)
          scene.measured[p].data()[k] += std::norm(wave.view()[m].data[k]);
    }
    // R and costs are quadratic in the rounding of the amplitudes, a few ε of each; but Poisson's,
    // a difference of terms as large as the counts, is linear in it.
    const Misfit f = op->misfit(scene.places, scene.source());
    const double rounding = tolerance<T>(scene.setup);
    EXPECT_LT(f.r_factor(), rounding * rounding);
    EXPECT_LT(std::abs(f.cost),
              (c.loss == Loss::poisson ? rounding : rounding * rounding) * f.r_denominator);
  }
}

// A background that is set later is that of a setup which had it from the start, bit by bit.
TYPED_TEST(AnyBackend, TakesAnotherBackground) {
  using T = typename TypeParam::T;
  for (const Case& c : fitting<TypeParam>(cases)) {
    if (c.background == 0) continue;
    const auto scene = in_precision<T>(make_scene(c, 14));
    auto dark = scene.setup;
    dark.background = 0;
    const auto from_start = TypeParam::make(scene.setup), later = TypeParam::make(dark);
    for (auto* op : {from_start.get(), later.get()}) scene.load(*op);
    Sums<T> expected(scene), sums(scene), before(scene);
    const Misfit f =
        from_start->gradient(scene.places, scene.source(), everything, expected.view());
    EXPECT_NE(later->gradient(scene.places, scene.source(), everything, before.view()).cost,
              f.cost);
    later->set_background(c.background);
    EXPECT_EQ(later->setup().background, c.background);
    EXPECT_EQ(later->gradient(scene.places, scene.source(), everything, sums.view()).cost, f.cost);
    EXPECT_EQ(relative_difference(sums.phase, expected.phase), 0);
    EXPECT_EQ(relative_difference(sums.probe, expected.probe), 0);
    const auto delta = make_direction(scene, 15);
    EXPECT_EQ(later->curvature(scene.places, delta.object(), delta.probe),
              from_start->curvature(scene.places, delta.object(), delta.probe));
    EXPECT_THROW(later->set_background(-1), std::invalid_argument);
  }
}

// Invalid pixels say nothing, whatever stands there.
TYPED_TEST(AnyBackend, InvalidPixelsAreIgnored) {
  using T = typename TypeParam::T;
  auto scene = in_precision<T>(make_scene(fitting<TypeParam>(cases[2]), 15));
  const auto op = TypeParam::make(scene.setup);
  scene.load(*op);
  Sums<T> before(scene), after(scene);
  const Misfit a = op->gradient(scene.places, scene.source(), everything, before.view());
  int spoilt = 0;
  for (auto& y : scene.measured)
    for (i64 k = 0; k < y.size(); ++k)
      if (scene.valid.data()[k] == 0) y.data()[k] = 65535, ++spoilt;
  ASSERT_GT(spoilt, 0);
  const Misfit b = op->gradient(scene.places, scene.source(), everything, after.view());
  EXPECT_EQ(a.cost, b.cost);
  EXPECT_EQ(a.r_factor(), b.r_factor());
  EXPECT_EQ(relative_difference(after.phase, before.phase), 0);
  EXPECT_EQ(relative_difference(after.probe, before.probe), 0);
}

// A spot placed at (row, col) lights the object there: sign and size of corner and sub-pixel shift.
TYPED_TEST(AnyBackend, ProbeLandsWhereItIsPlaced) {
  using T = typename TypeParam::T;
  for (const i64 small : {24, 25}) {
    const i64 w = TypeParam::window(small);
    Scene<T> scene;
    scene.setup.window = w;
    scene.phase = Array<T, 3>({1, w + 9, w + 5});
    scene.probe = Array<Complex<T>, 3>({1, w, w});
    // exp(−r²/4): at the window's edge 1e-16, at the Nyquist frequency exp(−π²) = 5e-5. The centre
    // of mass sees the square of the latter.
    for (i64 y = 0; y < w; ++y)
      for (i64 x = 0; x < w; ++x)
        scene.probe(0, y, x) =
            static_cast<T>(std::exp(-(std::pow(y - w / 2, 2) + std::pow(x - w / 2, 2)) / 4.0));
    scene.measured.emplace_back(std::array<i64, 2>{w, w});
    const auto op = TypeParam::make(scene.setup);
    scene.load(*op);
    for (const Position at : {Position{16, 14}, Position{15.3, 14.8}, Position{14.75, 13.4}}) {
      const Placement placed = place(at, w);
      Sums<T> sums(scene);
      op->gradient(std::span(&placed, 1), scene.source(), {Part::illumination}, sums.view());
      double total = 0, row = 0, col = 0;
      for (i64 y = 0; y < w + 9; ++y)
        for (i64 x = 0; x < w + 5; ++x) {
          const double light = sums.illumination(y, x);
          total += light, row += light * y, col += light * x;
        }
      EXPECT_NEAR(row / total, at.row, 1e-7 + 30 * this->eps * w);
      EXPECT_NEAR(col / total, at.col, 1e-7 + 30 * this->eps * w);
    }
  }
}

// 1, 2 and 3 threads: the same to the last bit.
TYPED_TEST(AnyBackend, SameBitsForAnyNumberOfThreads) {
  using T = typename TypeParam::T;
  for (const LossFacts& each : losses) {
    const auto scene = in_precision<T>(make_scene({.window = TypeParam::window(16),
                                                   .slices = 3,
                                                   .modes = 2,
                                                   .absorption = true,
                                                   .loss = each.loss,
                                                   .weights = true,
                                                   .positions = 11},
                                                  16));
    const auto delta = make_direction(scene, 17);
    Sums<T> single(scene);
    Misfit fit;
    double bend = 0;
    for (const int threads : {1, 2, 3}) {
      const auto op = TypeParam::make(scene.setup, threads);
      scene.load(*op);
      Sums<T> sums(scene);
      const Misfit f = op->gradient(scene.places, scene.source(), everything, sums.view());
      const double c = op->curvature(scene.places, delta.object(), delta.probe);
      if (threads == 1) {
        single = std::move(sums), fit = f, bend = c;
        continue;
      }
      EXPECT_TRUE(std::equal(sums.phase.begin(), sums.phase.end(), single.phase.begin()));
      EXPECT_TRUE(
          std::equal(sums.absorption.begin(), sums.absorption.end(), single.absorption.begin()));
      EXPECT_TRUE(std::equal(sums.probe.begin(), sums.probe.end(), single.probe.begin()));
      EXPECT_TRUE(std::equal(sums.illumination.begin(), sums.illumination.end(),
                             single.illumination.begin()));
      EXPECT_EQ(f.cost, fit.cost);
      EXPECT_EQ(f.r_numerator, fit.r_numerator);
      EXPECT_EQ(c, bend);
      const double cost = op->misfit(scene.places, scene.source()).cost;
      if (own_kernels<TypeParam>())
        EXPECT_NEAR(cost, fit.cost, tolerance<T>(scene.setup) * fit.cost);
      else
        EXPECT_EQ(cost, fit.cost);
    }
  }
}

TYPED_TEST(AnyBackend, ForwardServesSeveralThreads) {
  using T = typename TypeParam::T;
  const auto scene =
      in_precision<T>(make_scene({.window = TypeParam::window(16), .slices = 3, .modes = 2}, 18));
  const auto op = TypeParam::make(scene.setup);
  scene.load(*op);
  std::vector<Array<Complex<T>, 3>> expected;
  for (const Placement& at : scene.places)
    op->forward(at, expected.emplace_back(scene.probe.shape()));
  parallel_for(48, 4, [&](i64 i, int) {
    const auto p = static_cast<std::size_t>(i) % scene.places.size();
    Array<Complex<T>, 3> wave(scene.probe.shape());
    op->forward(scene.places[p], wave);
    if (!std::equal(wave.begin(), wave.end(), expected[p].begin()))
      throw std::runtime_error("a thread saw another's wave");
  });
}

TYPED_TEST(AnyBackend, WrongPropagatorIsRefused) {
  OperatorSetup setup;
  setup.window = TypeParam::window(8);
  setup.slices = 2;
  setup.propagator.resize(63);
  EXPECT_THROW(TypeParam::make(setup), std::invalid_argument);
  // An operator that refuses one goes on with the former.
  using T = typename TypeParam::T;
  const auto scene = in_precision<T>(make_scene(fitting<TypeParam>(cases[0]), 45));
  const auto op = TypeParam::make(scene.setup);
  scene.load(*op);
  Array<Complex<T>, 3> before(scene.probe.shape()), after(scene.probe.shape());
  op->forward(scene.places[1], before);
  EXPECT_THROW(op->set_propagator(setup.propagator), std::invalid_argument);
  op->forward(scene.places[1], after);
  EXPECT_TRUE(std::equal(before.begin(), before.end(), after.begin()));
}

// Another propagator, to and from a band limit (whose columns the sweeps leave out) and to and from
// one that is the same at −ky (which blocks of a GPU may hold): as in an operator made with it.
TYPED_TEST(AnyBackend, PropagatorIsSetAgain) {
  using T = typename TypeParam::T;
  const auto scene_with = [&](bool tilted, double band_limit) {
    return in_precision<T>(make_scene({.window = TypeParam::window(16),
                                       .slices = 3,
                                       .modes = 2,
                                       .band_limit = band_limit,
                                       .tilted = tilted},
                                      46));
  };
  const auto first = scene_with(true, 0);
  const auto used = TypeParam::make(first.setup);
  first.load(*used);
  for (const auto& [tilted, band_limit] :
       {std::pair(false, 0.0), std::pair(true, 2.0 / 3), std::pair(true, 0.0)}) {
    const auto scene = scene_with(tilted, band_limit);
    const auto fresh = TypeParam::make(scene.setup);
    scene.load(*fresh);
    used->set_propagator(scene.setup.propagator);
    Sums<T> a(scene), b(scene);
    const Misfit f = used->gradient(scene.places, scene.source(), everything, a.view());
    const Misfit g = fresh->gradient(scene.places, scene.source(), everything, b.view());
    EXPECT_EQ(f.cost, g.cost);
    EXPECT_TRUE(std::equal(a.phase.begin(), a.phase.end(), b.phase.begin()));
    EXPECT_TRUE(std::equal(a.probe.begin(), a.probe.end(), b.probe.begin()));
    const auto d = make_direction(scene, 47);
    EXPECT_EQ(used->curvature(scene.places, d.object(), d.probe),
              fresh->curvature(scene.places, d.object(), d.probe));
  }
}

TYPED_TEST(AnyBackend, OneSliceNeedsNoPropagator) {
  using T = typename TypeParam::T;
  const auto scene =
      in_precision<T>(make_scene({.window = TypeParam::window(16), .slices = 1}, 48));
  const auto op = TypeParam::make(scene.setup);
  scene.load(*op);
  Array<Complex<T>, 3> before(scene.probe.shape()), after(scene.probe.shape());
  op->forward(scene.places[1], before);
  op->set_propagator({});
  op->forward(scene.places[1], after);
  EXPECT_TRUE(std::equal(before.begin(), before.end(), after.begin()));
}

TEST(Place, RoundsToTheNearestPixel) {
  for (const i64 w : {16, 17}) {
    for (const double at : {-3.2, -0.5, 0.0, 0.49, 0.5, 7.75, 101.0}) {
      const Placement p = place({at, 2 * at}, w);
      EXPECT_EQ(static_cast<double>(p.row + w / 2) + p.shift_row, at);
      EXPECT_EQ(static_cast<double>(p.col + w / 2) + p.shift_col, 2 * at);
      EXPECT_GE(p.shift_row, -0.5);
      EXPECT_LT(p.shift_row, 0.5);
    }
  }
}

}  // namespace
}  // namespace ptyle::test
