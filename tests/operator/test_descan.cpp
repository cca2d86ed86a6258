// Patterns that are displaced, each by a d of its own. All backends are compared with the reference
// in test_backends.cpp.

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "backends.hpp"
#include "scene.hpp"
#include "sums.hpp"

namespace ptyle::test {
namespace {

const Case displaced{.window = 12, .slices = 3, .modes = 2, .weights = true, .descan = true};

/// By whole pixels a pattern is the same, elsewhere.
TEST(Descan, DisplacesThePattern) {
  for (const i64 w : {11, 12}) {
    Case c = displaced;
    c.window = w;
    const auto scene = make_scene(c, 301);
    const auto op = make_reference_operator(scene.setup);
    scene.load(*op);
    Placement at = scene.places[1];
    Array<Complex<double>, 3> still(scene.waves()), moved(scene.waves());
    at.descan_row = at.descan_col = 0;
    op->forward(at, still);
    at.descan_row = 2, at.descan_col = -3;
    op->forward(at, moved);
    for (i64 y = 0; y < w; ++y)
      for (i64 x = 0; x < w; ++x)
        EXPECT_NEAR(std::abs(moved(1, (y + 2) % w, (x + w - 3) % w)), std::abs(still(1, y, x)),
                    1e-10 * std::sqrt(mean_counts));
  }
}

TEST(Descan, GradientIsThatOfTheCost) {
  for (const LossFacts& loss : losses) {
    Case c = displaced;
    c.loss = loss.loss;
    auto scene = make_scene(c, 302);
    const auto op = make_reference_operator(scene.setup);
    scene.load(*op);
    Sums<double> sums(scene);
    op->gradient(scene.places, scene.source(), {Part::descan}, sums.view());
    for (std::size_t p = 0; p < scene.places.size(); ++p)
      for (int axis = 0; axis < 2; ++axis) {
        const auto cost_at = [&](double h) {
          auto places = scene.places;
          (axis == 0 ? places[p].descan_row : places[p].descan_col) += h;
          return op->misfit(places, scene.source()).cost;
        };
        const auto difference = [&](double h) { return (cost_at(h) - cost_at(-h)) / (2 * h); };
        // h⁴ times the fifth derivative by d, of phases up to π d at the window's rim.
        const double h = 1e-3, best = (4 * difference(h / 2) - difference(h)) / 3;
        EXPECT_NEAR(best / sums.descan(static_cast<i64>(p), axis), 1, 1e-6);
      }
  }
}

/// Whatever is kept of the waves, and however the window is computed, the gradients are those of
/// the reference.
TEST(Descan, IsTheSameWithAllThatCanBeKept) {
  struct Kept {
    WaveStorage waves;
    i64 checkpoint;
  };
  for (const CpuPath path : {CpuPath::fftw, CpuPath::plain}) {
    Case c = displaced;
    c.window = path == CpuPath::fftw ? 12 : 64;
    c.slices = 5;
    c.weights = false;
    const auto scene = make_scene(c, 303);
    for (const auto& [waves, checkpoint] :
         {Kept{WaveStorage::store, 1}, {WaveStorage::checkpoint, 2}, {WaveStorage::recompute, 1}}) {
      SCOPED_TRACE(testing::Message() << "W = " << c.window << ", storage " << int(waves));
      CpuOptions options{waves, checkpoint};
      options.path = path;
      expect_reference(make_cpu_operator<double>(scene.setup, 2, nullptr, options), scene,
                       everything.with(Part::descan));
    }
  }
}

TEST(Descan, IsRecomputedOnAGpuToo) {
  const auto scene = make_scene(displaced, 305);
  const auto oracle = make_reference_operator(scene.setup);
  const auto op = make_emulated_operator<double>(
      scene.setup, {.waves = WaveStorage::recompute, .path = GpuPath::fft});
  scene.load(*oracle), scene.load(*op);
  Sums<double> sums(scene), expected(scene);
  oracle->gradient(scene.places, scene.source(), {Part::descan}, expected.view());
  op->gradient(scene.places, scene.source(), {Part::descan}, sums.view());
  EXPECT_LT(relative_difference(sums.descan, expected.descan), 10 * tolerance<double>(scene.setup));
}

TEST(Descan, IsRefusedWhereTheSetupHasNone) {
  auto scene = make_scene(displaced, 306);
  auto setup = scene.setup;
  setup.descan = false;
  const auto op = make_cpu_operator<double>(setup, 1);
  scene.load(*op);
  EXPECT_THROW((void)op->misfit(scene.places, scene.source()), std::invalid_argument);
  for (Placement& at : scene.places) at.descan_row = at.descan_col = 0;
  Sums<double> sums(scene);
  EXPECT_NO_THROW((void)op->misfit(scene.places, scene.source()));
  EXPECT_THROW(op->gradient(scene.places, scene.source(), {Part::descan}, sums.view()),
               std::invalid_argument);
  EXPECT_THROW(make_emulated_operator<double>(scene.setup, {.path = GpuPath::fused}), UserError);
}

}  // namespace
}  // namespace ptyle::test
