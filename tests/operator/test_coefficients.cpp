// Positions that mix their modes from those of the probe, on every backend: the same as a probe of
// each position's own.

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <vector>

#include "backends.hpp"
#include "scene.hpp"
#include "sums.hpp"

namespace ptyle::test {
namespace {

template <class Backend>
class MixedModes : public BackendTest<Backend> {};
TYPED_TEST_SUITE(MixedModes, AllBackends, BackendName);

constexpr Wanted all_parts = everything.with(Part::shift).with(Part::coefficients);

/// One to three modes of which each position mixes one or two.
std::vector<Case> mixing_cases() {
  std::vector<Case> all;
  for (const i64 basis : {1, 2, 3})
    for (const i64 modes : {1, 2}) {
      Case c{.window = 11 + basis, .slices = 1 + modes, .modes = modes, .basis = basis};
      c.absorption = basis == 2;
      c.loss = losses[static_cast<std::size_t>(basis) % losses.size()].loss;
      all.push_back(c);
    }
  return all;
}

/// Σ_q a_mq of[q], the modes of position p.
template <class T>
Array<Complex<T>, 3> mixed(const Scene<T>& scene, i64 p, const Array<Complex<T>, 3>& of) {
  Array<Complex<T>, 3> modes(scene.waves());
  const i64 n = modes.shape()[1] * modes.shape()[2];
  for (i64 m = 0; m < modes.shape()[0]; ++m)
    for (i64 q = 0; q < of.shape()[0]; ++q)
      for (i64 i = 0; i < n; ++i)
        modes.data()[m * n + i] +=
            Complex<T>((*scene.coefficients)(p, m, q)) * of.data()[q * n + i];
  return modes;
}

/// The part of ∂f/∂mode* of position p that belongs to the modes that are mixed and to its
/// coefficients.
template <class T>
void add_mixed_back(const Scene<T>& scene, i64 p, const Array<Complex<T>, 3>& g, Sums<T>& to) {
  const i64 n = g.shape()[1] * g.shape()[2];
  for (i64 m = 0; m < g.shape()[0]; ++m)
    for (i64 q = 0; q < scene.probe.shape()[0]; ++q)
      for (i64 i = 0; i < n; ++i) {
        const Complex<T> value = g.data()[m * n + i], mode = scene.probe.data()[q * n + i];
        to.probe.data()[q * n + i] += std::conj(Complex<T>((*scene.coefficients)(p, m, q))) * value;
        to.coefficients(p, m, q) += std::conj(Complex<double>(mode)) * Complex<double>(value);
      }
}

/// The scene at position p alone, with the modes that it mixes as the probe.
template <class T>
struct Alone {
  Alone(const Scene<T>& s, i64 p)
      : scene(s),
        number(p),
        at(s.places[static_cast<std::size_t>(p)]),
        probe(mixed(s, p, s.probe)) {
    at.coefficients = nullptr;
  }
  static OperatorSetup setup(const Scene<T>& s) {
    OperatorSetup setup = s.setup;
    setup.basis = 0;
    return setup;
  }
  [[nodiscard]] Measured<T> source() const {
    return [this](i64, T* to) { scene.source().load(number, to); };
  }
  const Scene<T>& scene;
  i64 number;
  Placement at;
  Array<Complex<T>, 3> probe;
};

TYPED_TEST(MixedModes, WavesAreThoseOfAProbeOfItsOwn) {
  using T = typename TypeParam::T;
  for (const Case& c : fitting<TypeParam>(mixing_cases())) {
    SCOPED_TRACE(testing::Message() << "K = " << c.basis << ", M = " << c.modes);
    const auto scene = in_precision<T>(make_scene(c, 121));
    const auto op = TypeParam::make(scene.setup), plain = TypeParam::make(Alone<T>::setup(scene));
    scene.load(*op), plain->set_object(scene.object());
    const auto d = make_direction(scene, 122);
    const double allowed = tolerance<T>(scene.setup);
    for (i64 p = 0; p < c.positions; ++p) {
      const Placement& at = scene.places[static_cast<std::size_t>(p)];
      const Alone<T> alone(scene, p);
      plain->set_probe(alone.probe);
      Array<Complex<T>, 3> wave(scene.waves()), expected(scene.waves());
      op->forward(at, wave);
      plain->forward(alone.at, expected);
      EXPECT_LT(relative_difference(wave, expected), allowed);
      const auto d_probe = mixed(scene, p, d.probe);
      op->tangent(at, d.object(), d.probe, wave);
      plain->tangent(alone.at, d.object(), d_probe, expected);
      EXPECT_LT(relative_difference(wave, expected), allowed);
      Sums<T> sums(scene), right(scene);
      Array<Complex<T>, 3> g(scene.waves());
      op->adjoint(at, d_probe, {sums.phase, sums.absorption, {}, sums.probe});
      plain->adjoint(alone.at, d_probe, {right.phase, right.absorption, {}, g});
      add_mixed_back(scene, p, g, right);
      EXPECT_LT(relative_difference(sums.phase, right.phase), allowed);
      EXPECT_LT(relative_difference(sums.absorption, right.absorption), allowed);
      EXPECT_LT(relative_difference(sums.probe, right.probe), allowed);
    }
  }
}

TYPED_TEST(MixedModes, SumsAreThoseOfProbesOfTheirOwn) {
  using T = typename TypeParam::T;
  for (const Case& c : fitting<TypeParam>(mixing_cases())) {
    SCOPED_TRACE(testing::Message() << "K = " << c.basis << ", M = " << c.modes);
    const auto scene = in_precision<T>(make_scene(c, 123));
    const auto op = TypeParam::make(scene.setup, 2),
               plain = TypeParam::make(Alone<T>::setup(scene));
    scene.load(*op), plain->set_object(scene.object());
    const auto d = make_direction(scene, 124);
    Sums<T> sums(scene), right(scene);
    const Misfit fit = op->gradient(scene.places, scene.source(), all_parts, sums.view());
    std::vector<double> each(scene.places.size());
    const double bend = op->curvature(scene.places, d.object(), d.probe, each);
    Misfit expected;
    double all_bend = 0;
    const double allowed = tolerance<T>(scene.setup);
    for (i64 p = 0; p < c.positions; ++p) {
      const Alone<T> alone(scene, p);
      plain->set_probe(alone.probe);
      Array<Complex<T>, 3> g(scene.waves());
      Gradient<T> to = right.view();
      to.probe = g;
      to.shift = {&right.shift(p, 0), {1, 2}};
      expected += plain->gradient({&alone.at, 1}, alone.source(), everything.with(Part::shift), to);
      add_mixed_back(scene, p, g, right);
      const double own = plain->curvature({&alone.at, 1}, d.object(), mixed(scene, p, d.probe));
      EXPECT_NEAR(each[static_cast<std::size_t>(p)] / own, 1, allowed);
      all_bend += own;
    }
    EXPECT_NEAR(fit.cost / expected.cost, 1, allowed);
    EXPECT_NEAR(bend / all_bend, 1, allowed);
    EXPECT_NEAR(op->misfit(scene.places, scene.source()).cost / fit.cost, 1, allowed);
    expect_close(sums, right, allowed);
    EXPECT_LT(relative_difference(sums.shift, right.shift), allowed);
    EXPECT_LT(relative_difference(sums.coefficients, right.coefficients), allowed);
  }
}

// Coefficients that are the identity leave all bits as they are without any; and asking for their
// gradient changes none of what is asked for beside it.
TYPED_TEST(MixedModes, IdentityChangesNothing) {
  using T = typename TypeParam::T;
  Case c{.window = TypeParam::window(12), .slices = 3, .modes = 2, .absorption = true};
  const auto plain_scene = in_precision<T>(make_scene(c, 125));
  auto scene = in_precision<T>(make_scene(c, 125));
  scene.setup.basis = 2;
  Array<Complex<double>, 3> identity({c.positions, 2, 2});
  for (i64 p = 0; p < c.positions; ++p) identity(p, 0, 0) = identity(p, 1, 1) = 1;
  mix_by(scene.places, identity);
  const auto op = TypeParam::make(scene.setup), plain = TypeParam::make(plain_scene.setup);
  scene.load(*op), plain_scene.load(*plain);
  const auto d = make_direction(scene, 126);
  Sums<T> mixed(scene), with(scene), without(scene);
  const auto source = scene.source();
  const Misfit f = op->gradient(scene.places, source, all_parts, mixed.view()),
               g = plain->gradient(plain_scene.places, source, all_parts, with.view()),
               h = plain->gradient(plain_scene.places, source, everything, without.view());
  EXPECT_EQ(f.cost, h.cost);
  EXPECT_EQ(g.cost, h.cost);
  for (const Sums<T>* sums : {&mixed, &with}) {
    EXPECT_EQ(relative_difference(sums->phase, without.phase), 0);
    EXPECT_EQ(relative_difference(sums->absorption, without.absorption), 0);
    EXPECT_EQ(relative_difference(sums->illumination, without.illumination), 0);
    EXPECT_EQ(relative_difference(sums->probe, without.probe), 0);
  }
  EXPECT_EQ(relative_difference(mixed.shift, with.shift), 0);
  EXPECT_EQ(relative_difference(mixed.coefficients, with.coefficients), 0);
  EXPECT_EQ(dot(without.coefficients, without.coefficients), 0);
  EXPECT_EQ(op->curvature(scene.places, d.object(), d.probe),
            plain->curvature(plain_scene.places, d.object(), d.probe));
}

// Parts of a gradient are what they are beside all others.
TYPED_TEST(MixedModes, OnlyWhatIsWantedIsComputed) {
  using T = typename TypeParam::T;
  const Case c{.window = TypeParam::window(13), .slices = 2, .modes = 2, .basis = 3};
  const auto scene = in_precision<T>(make_scene(c, 127));
  const auto op = TypeParam::make(scene.setup);
  scene.load(*op);
  Sums<T> all(scene), probe(scene), object(scene), coefficients(scene);
  op->gradient(scene.places, scene.source(), all_parts, all.view());
  op->gradient(scene.places, scene.source(), {Part::probe}, {{}, {}, {}, probe.probe});
  op->gradient(scene.places, scene.source(), {Part::object}, {object.phase, {}, {}, {}});
  Gradient<T> to;
  to.coefficients = coefficients.coefficients;
  op->gradient(scene.places, scene.source(), {Part::coefficients}, to);
  EXPECT_EQ(relative_difference(probe.probe, all.probe), 0);
  EXPECT_EQ(relative_difference(object.phase, all.phase), 0);
  EXPECT_EQ(relative_difference(coefficients.coefficients, all.coefficients), 0);
}

// ⟨Jδ, d⟩ = ⟨δ, Jᴴd⟩ along object and probe; and Ψ is linear in coefficients.
TYPED_TEST(MixedModes, TangentAndAdjointAgree) {
  using T = typename TypeParam::T;
  const Case c{.window = TypeParam::window(14), .slices = 3, .modes = 2, .basis = 3};
  const auto scene = in_precision<T>(make_scene(c, 128));
  const auto op = TypeParam::make(scene.setup);
  scene.load(*op);
  const auto delta = make_direction(scene, 129);
  const Placement& at = scene.places[1];
  Array<Complex<T>, 3> changed(scene.waves()), before(scene.waves()), after(scene.waves());
  op->tangent(at, delta.object(), delta.probe, changed);
  Sums<T> sums(scene);
  op->adjoint(at, changed, {sums.phase, sums.absorption, {}, sums.probe});
  EXPECT_NEAR(dot(delta, sums) / dot(changed, changed), 1,
              (std::is_same_v<T, double> ? 1e-12 : 1e-5));
  Array<Complex<double>, 2> d({2, 3}), moved({2, 3});
  Draw(130).fill_normal(d, 1);
  for (i64 i = 0; i < d.size(); ++i) moved.data()[i] = at.coefficients[i] + d.data()[i];
  Placement there = at, along = at;
  there.coefficients = moved.data();
  along.coefficients = d.data();
  op->forward(at, before);
  op->forward(there, after);
  op->forward(along, changed);
  for (i64 i = 0; i < after.size(); ++i) after.data()[i] -= before.data()[i];
  EXPECT_LT(relative_difference(after, changed), tolerance<T>(scene.setup));
}

TYPED_TEST(MixedModes, NeedCoefficientsAndNoOthersDo) {
  using T = typename TypeParam::T;
  Case c{.window = TypeParam::window(12), .slices = 1, .modes = 1, .basis = 2};
  auto scene = in_precision<T>(make_scene(c, 131));
  const auto op = TypeParam::make(scene.setup), plain = TypeParam::make(Alone<T>::setup(scene));
  scene.load(*op), plain->set_object(scene.object());
  Array<Complex<T>, 3> wave(scene.waves());
  EXPECT_THROW(plain->forward(scene.places[0], wave), std::invalid_argument);
  scene.places[1].coefficients = nullptr;
  Sums<T> sums(scene);
  EXPECT_THROW(op->gradient(scene.places, scene.source(), everything, sums.view()),
               std::invalid_argument);
  EXPECT_THROW((void)op->misfit(scene.places, scene.source()), std::invalid_argument);
  EXPECT_THROW((void)op->curvature(scene.places, {}, scene.probe), std::invalid_argument);
  EXPECT_THROW(op->tangent(scene.places[1], {}, scene.probe, wave), std::invalid_argument);
  EXPECT_THROW(op->adjoint(scene.places[1], wave, sums.view()), std::invalid_argument);
}

}  // namespace
}  // namespace ptyle::test
