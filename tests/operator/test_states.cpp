// Several states of the object, whose patterns add up. All backends are compared with the reference
// in test_backends.cpp.

#include <gtest/gtest.h>

#include <stdexcept>

#include "backends.hpp"
#include "scene.hpp"
#include "sums.hpp"

namespace ptyle::test {
namespace {

constexpr Wanted all_parts = everything.with(Part::shift);

const Case two_states{
    .window = 12, .slices = 3, .modes = 4, .absorption = true, .weights = true, .states = 2};

/// So many planes or waves from the k-th lot on, as an array of their own.
template <class T>
Array<T, 3> lot(const Array<T, 3>& of, i64 planes, i64 k) {
  Array<T, 3> some({planes, of.shape()[1], of.shape()[2]});
  std::copy_n(of.view()[k * planes].data, some.size(), some.data());
  return some;
}

/// A state's waves are those of an object of its own and of the modes that see it.
TEST(States, EachHasAnObjectOfItsOwn) {
  const auto scene = make_scene(two_states, 401);
  auto setup = scene.setup;
  setup.states = 1, setup.modes = 2;
  const auto both = make_reference_operator(scene.setup), one = make_reference_operator(setup);
  scene.load(*both), scene.load(*one);
  Array<Complex<double>, 3> all(scene.waves()), some({2, 12, 12});
  for (i64 k = 0; k < 2; ++k) {
    const auto phase = lot(scene.phase, 3, k), absorption = lot(scene.absorption, 3, k);
    one->set_object({phase.view(), absorption.view()});
    one->set_probe(lot(scene.probe, 2, k));
    for (const Placement& at : scene.places) {
      both->forward(at, all);
      one->forward(at, some);
      EXPECT_EQ(relative_difference(lot(all, 2, k), some), 0);
    }
  }
}

/// Two states that are alike are one with twice the modes: gradients of its slices are the sum of
/// theirs, and the illumination, a mean over states, is half.
TEST(States, ThatAreAlikeAreOne) {
  auto scene = make_scene(two_states, 402);
  for (auto* volume : {&scene.phase, &scene.absorption})
    std::copy_n(volume->data(), volume->size() / 2, volume->data() + volume->size() / 2);
  auto alike = make_scene(two_states, 402);
  alike.setup.states = 1;
  alike.phase = lot(scene.phase, 3, 0), alike.absorption = lot(scene.absorption, 3, 0);
  const auto op = make_reference_operator(scene.setup), one = make_reference_operator(alike.setup);
  scene.load(*op), alike.load(*one);
  Sums<double> sums(scene), expected(alike);
  const Misfit f = op->gradient(scene.places, scene.source(), all_parts, sums.view()),
               g = one->gradient(alike.places, alike.source(), all_parts, expected.view());
  EXPECT_EQ(f.cost, g.cost);
  Array<double, 3> both = lot(sums.phase, 3, 0);
  for (i64 i = 0; i < both.size(); ++i) both.data()[i] += lot(sums.phase, 3, 1).data()[i];
  const double allowed = tolerance<double>(scene.setup);
  EXPECT_LT(relative_difference(both, expected.phase), allowed);
  EXPECT_LT(relative_difference(sums.probe, expected.probe), allowed);
  EXPECT_LT(relative_difference(sums.shift, expected.shift), allowed);
  for (double& lit : expected.illumination) lit /= 2;
  EXPECT_LT(relative_difference(sums.illumination, expected.illumination), allowed);
}

/// Whatever is kept of the waves, with patches (more threads than slices) and without.
TEST(States, AreTheSameWithAllThatCanBeKept) {
  struct Kept {
    WaveStorage waves;
    i64 checkpoint;
    int threads;
  };
  for (const CpuPath path : {CpuPath::fftw, CpuPath::plain})
    for (const auto& [waves, checkpoint, threads] : {Kept{WaveStorage::store, 1, 1},
                                                     {WaveStorage::checkpoint, 2, 4},
                                                     {WaveStorage::recompute, 1, 2}}) {
      Case c = two_states;
      c.window = path == CpuPath::fftw ? 12 : 64;
      c.absorption = c.weights = false;
      SCOPED_TRACE(testing::Message() << "W = " << c.window << ", storage " << int(waves));
      CpuOptions options{waves, checkpoint};
      options.path = path;
      const auto scene = make_scene(c, 403);
      expect_reference(make_cpu_operator<double>(scene.setup, threads, nullptr, options), scene,
                       all_parts);
    }
}

TEST(States, AreTheSameOnAGpu) {
  for (const auto waves : {WaveStorage::store, WaveStorage::recompute})
    for (const auto sums : {GpuSums::ordered, GpuSums::atomic}) {
      Case c = two_states;
      c.absorption = waves == WaveStorage::store;
      c.modes = 6, c.basis = 2;
      const auto scene = make_scene(c, 405);
      const auto op = make_emulated_operator<double>(
          scene.setup, {.waves = waves, .path = GpuPath::fft, .sums = sums});
      expect_reference(op, scene, all_parts);
    }
}

TEST(States, HaveAsManyModesEach) {
  auto setup = make_scene(two_states, 406).setup;
  setup.modes = 3;
  EXPECT_THROW((void)make_cpu_operator<double>(setup, 1), std::invalid_argument);
  EXPECT_THROW((void)make_reference_operator(setup), std::invalid_argument);
  EXPECT_THROW((void)make_emulated_operator<double>(setup, {}), std::invalid_argument);
  setup.modes = 4;
  EXPECT_THROW((void)make_emulated_operator<double>(setup, {.path = GpuPath::fused}), UserError);
}

}  // namespace
}  // namespace ptyle::test
