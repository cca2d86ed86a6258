// Every gradient that a fit steps by, on every backend, of every loss of the table and of one that
// only tests know, and of every penalty; the curvature of penalties; the reach of every
// regulariser.

#include <gtest/gtest.h>

#include "device/emulated/arithmetic.hpp"
#include "operator/backends.hpp"
#include "solver/gradient_check.hpp"
#include "solver/penalties/quadratic.hpp"
#include "solver/regularisers/blur.hpp"
#include "solver/toy_loss.hpp"
#include "solver/toys.hpp"
#include "solver/variables/position_options.hpp"
#include "solver/variables/variable_probe_options.hpp"

namespace ptyle::test {
namespace {

// Gradients

template <class Backend>
class GradientCheck : public BackendTest<Backend> {};
TYPED_TEST_SUITE(GradientCheck, DoubleBackends, BackendName);

const std::vector<Case> cases = over_losses({
    {.window = 12, .slices = 3, .modes = 2, .absorption = true, .weights = true},
    {.window = 9, .slices = 1},
});

/// Gradients of positions that mix their modes, two of them variable.
const std::vector<Case> mixing = over_losses({
    {.window = 12, .slices = 3, .modes = 2, .absorption = true, .weights = true, .basis = 4},
    {.window = 9, .slices = 1, .basis = 3},
});

/// The scene's, of as many patterns; the patterns stay with the scene.
Inside inside(const Scene<double>& scene, std::unique_ptr<Operator<double>> op,
              Inside::Variables more = {}, Penalties<double> penalties = {}) {
  FitData<double> data;
  std::vector<Position> positions;
  const double middle = double(scene.setup.window / 2);
  for (const Placement& at : scene.places)
    positions.push_back(
        {double(at.row) + middle + at.shift_row, double(at.col) + middle + at.shift_col});
  data.load = scene.source().load;
  op->set_weights(scene.weight, scene.valid);
  return Inside(
      {std::move(op),
       nullptr,
       std::move(data),
       {},
       {converted<double>(scene.phase.view()), converted<double>(scene.absorption.view())},
       converted<Complex<double>>(scene.probe.view()),
       std::move(positions)},
      std::move(more), std::move(penalties));
}

template <class L>
std::unique_ptr<Operator<double>> by(std::unique_ptr<Operator<double>> waves) {
  return std::make_unique<OperatorOfLoss<L, double>>(std::move(waves));
}

/// All that are known, each of them asked for.
Inside::Variables every_variable() {
  FitOptions all;
  all.parts.of<PositionOptions>() = {.refine = Switch::on, .start = 1};
  all.parts.of<VariableProbeOptions>() = {.modes = 2, .intensity = true, .start = 1};
  return asked_parts<double>(all).variables;
}

TYPED_TEST(GradientCheck, EveryVariablePasses) {
  for (const Case& c : fitting<TypeParam>(mixing)) {
    const auto scene = make_scene(c, 31);
    const auto found = inside(scene, TypeParam::make(scene.setup), every_variable()).check();
    EXPECT_LT(found.largest, 1e-5);  // a cost of 1e5 rounded to 1e-16 of it, over h and a slope
    EXPECT_EQ(found.fields, c.absorption ? 6 : 5);  // phase, probe, shifts, mixtures, intensities
  }
}

/// All that are known and the tests' own, each of them asked for: with squares of differences, and
/// with their total variation.
Penalties<double> every_penalty() {
  FitOptions all;
  all.parts = toys();
  all.parts.of<PenaltyOptions>() = {.square = 400, .lateral = 900, .along_z = 600};
  auto penalties = asked_parts<double>(all).penalties;
  all.parts = known_parts();
  all.parts.of<PenaltyOptions>() = {.lateral = 900, .along_z = 600, .edge = 0.3};
  penalties.push_back(std::move(asked_parts<double>(all).penalties.front()));
  return penalties;
}

TYPED_TEST(GradientCheck, EveryPenaltyPasses) {
  ASSERT_EQ(every_penalty().size(), 3U);
  for (const Case& c : fitting<TypeParam>(cases)) {
    const auto scene = make_scene(c, 31);
    const auto found = inside(scene, TypeParam::make(scene.setup), {}, every_penalty()).check();
    EXPECT_LT(found.largest, 1e-5);
    EXPECT_EQ(found.fields, c.absorption ? 3 : 2);
  }
}

/// Its gradient is short of a thousandth.
class WrongPenalty final : public Penalty<double> {
 public:
  [[nodiscard]] std::string key() const override { return right_->key(); }
  [[nodiscard]] i64 reach() const override { return right_->reach(); }
  [[nodiscard]] double steepness() const override { return right_->steepness(); }
  void add_gradient(View<const double, 3> volume, const PenaltyPart& part, double share,
                    View<double, 3> gradient, Arithmetic<double>& arithmetic) const override {
    right_->add_gradient(volume, part, 0.999 * share, gradient, arithmetic);
  }
  [[nodiscard]] double cost(View<const double, 3> volume, const PenaltyPart& part,
                            Arithmetic<double>& arithmetic) const override {
    return right_->cost(volume, part, arithmetic);
  }
  [[nodiscard]] double curvature(View<const double, 3>, View<const double, 3>, const PenaltyPart&,
                                 Arithmetic<double>&) const override {
    return 0;
  }
  void add_product(View<const double, 3> volume, View<const double, 3> direction,
                   const PenaltyPart& part, double share, View<double, 3> product,
                   Arithmetic<double>& arithmetic) const override {
    right_->add_product(volume, direction, part, 0.999 * share, product, arithmetic);
  }

 private:
  std::unique_ptr<Penalty<double>> right_ = std::move(every_penalty().front());
};

TYPED_TEST(GradientCheck, AWrongPenaltyFails) {
  const auto scene = make_scene(fitting<TypeParam>(cases)[0], 31);
  Penalties<double> wrong;
  wrong.push_back(std::make_unique<WrongPenalty>());
  const auto found = inside(scene, TypeParam::make(scene.setup), {}, std::move(wrong)).check();
  EXPECT_GT(found.largest, 1e-5);
}

/// The largest relative difference from the second difference of the cost.
double curvature_error(const Penalties<double>& penalties) {
  const auto host = make_cpu_arithmetic<double>(2);
  const std::array<i64, 3> shape{3, 9, 11};
  const Box core{{1, 8}, {0, 10}};
  Draw draw(5);
  Array<double, 3> volume(shape), along(shape);
  draw.fill(volume, -1, 1);
  draw.fill(along, -1, 1);
  double largest = 0;
  for (const auto& one : penalties) {
    constexpr double h =
        1e-3;  // of the fourth derivative's h²/12, and rounding of the cost over h²
    const auto cost_at = [&](double step) {
      auto moved = converted<double>(std::as_const(volume).view());
      for (i64 i = 0; i < moved.size(); ++i) moved.data()[i] += step * along.data()[i];
      return one->cost(moved.view(), core, *host);
    };
    const double second = (cost_at(h) - 2 * cost_at(0) + cost_at(-h)) / (2 * h * h);
    const double said = one->curvature(volume.view(), along.view(), core, *host);
    largest = std::max(largest, std::abs(said / second - 1));
  }
  return largest;
}

/// The relative difference of the product along a direction from that of gradients.
double product_error(const Penalty<double>& penalty, const Penalty<double>& of_gradients) {
  constexpr double share = 0.3, h = 1e-3;  // of the third derivative's h²/6
  const auto host = make_cpu_arithmetic<double>(2);
  const Box core{{1, 8}, {0, 10}};
  Draw draw(6);
  Array<double, 3> volume({3, 9, 11}), along(volume.shape()), product(volume.shape());
  draw.fill(volume, -1, 1);
  draw.fill(along, -1, 1);
  const auto gradient_at = [&](double step) {
    auto moved = converted<double>(std::as_const(volume).view());
    for (i64 i = 0; i < moved.size(); ++i) moved.data()[i] += step * along.data()[i];
    Array<double, 3> gradient(volume.shape());
    of_gradients.add_gradient(moved.view(), core, share, gradient.view(), *host);
    return gradient;
  };
  auto change = gradient_at(h);
  const auto behind = gradient_at(-h);
  for (i64 i = 0; i < change.size(); ++i)
    change.data()[i] = (change.data()[i] - behind.data()[i]) / (2 * h);
  penalty.add_product(volume.view(), along.view(), core, share, product.view(), *host);
  return relative_difference(product, change);
}

TEST(PenaltyCheck, EveryProductPasses) {
  for (const auto& one : every_penalty()) EXPECT_LT(product_error(*one, *one), 1e-5) << one->key();
}

TEST(PenaltyCheck, AWrongProductFails) {
  EXPECT_GT(product_error(WrongPenalty(), *every_penalty().front()), 5e-4);
}

TEST(PenaltyCheck, EveryCurvaturePasses) { EXPECT_LT(curvature_error(every_penalty()), 1e-5); }

TEST(PenaltyCheck, AWrongCurvatureFails) {
  Penalties<double> wrong;
  wrong.push_back(std::make_unique<WrongPenalty>());
  EXPECT_GT(curvature_error(wrong), 0.5);
}

TYPED_TEST(GradientCheck, ALossFromOutsidePasses) {
  for (const Case& c : fitting<TypeParam>(cases)) {
    const auto scene = make_scene(c, 31);
    // It knows no gradient of shifts.
    const auto found = inside(scene, by<RobustLoss>(TypeParam::make(scene.setup))).check();
    EXPECT_LT(found.largest, 1e-5);
    EXPECT_EQ(found.fields, c.absorption ? 3 : 2);
  }
}

TYPED_TEST(GradientCheck, AWrongVariableFails) {
  const auto scene = make_scene(fitting<TypeParam>(cases)[0], 31);
  Inside::Variables wrong;
  wrong.push_back(std::make_unique<WrongVariable>());
  const auto found = inside(scene, TypeParam::make(scene.setup), std::move(wrong)).check();
  EXPECT_GT(found.largest, 0.1);
  EXPECT_EQ(found.fields, 4);
}

struct WrongLoss : RobustLoss {
  template <class T>
  static T factor(T lit, T measured, T epsilon) {
    return T(1.001) * RobustLoss::factor(lit, measured, epsilon);
  }
};

TYPED_TEST(GradientCheck, AWrongLossFails) {
  const auto scene = make_scene(fitting<TypeParam>(cases)[0], 31);
  const auto found = inside(scene, by<WrongLoss>(TypeParam::make(scene.setup))).check();
  EXPECT_GT(found.largest, 5e-4);
}

// Reaches: a voxel that changes changes no others that are farther away laterally.

/// How far they change, px, at most.
template <class T>
i64 reach_of(const Regulariser<T>& regulariser, Arithmetic<T>& arithmetic) {
  constexpr i64 slices = 3, side = 31, middle = side / 2;
  Draw draw(5);
  Array<T, 3> before({slices, side, side});
  draw.fill(before, -1, 1);
  auto after = converted<T>(std::as_const(before).view());
  for (i64 z = 0; z < slices; ++z) after(z, middle, middle) += T(1000);
  for (auto* volume : {&before, &after}) {
    auto there = arithmetic.template array<T, 3>(volume->shape(), "test");
    arithmetic.write(volume->data(), there.data(), there.size());
    const View<T, 3> all = there;
    regulariser.apply({&all, 1}, arithmetic);
    arithmetic.read(there.data(), volume->data(), there.size());
  }
  i64 farthest = 0;
  for (i64 z = 0; z < slices; ++z)
    for (i64 y = 0; y < side; ++y)
      for (i64 x = 0; x < side; ++x)
        if (before(z, y, x) != after(z, y, x))
          farthest = std::max({farthest, std::abs(y - middle), std::abs(x - middle)});
  return farthest;
}

template <class T>
class ReachCheck : public testing::Test {
 protected:
  /// By its key, whether it reaches as far as it says, on the host and on a GPU.
  std::map<std::string, bool> check(const PartOptions& options) {
    Parts<T> parts;
    options.add_to(parts);
    emulated::Gpu gpu({.guarded = true, .order = emulated::Order::others_first});
    std::map<std::string, bool> found;
    for (const auto& one : parts.regularisers) {
      const i64 here = reach_of(*one, *make_cpu_arithmetic<T>(2)),
                there = reach_of(*one, *make_emulated_arithmetic<T>(gpu));
      found[one->key()] = here == there && here <= one->reach();
    }
    return found;
  }
};
using Precisions = testing::Types<float, double>;
TYPED_TEST_SUITE(ReachCheck, Precisions);

TYPED_TEST(ReachCheck, EveryRegulariserPasses) {
  auto options = toys();
  options.of<BlurOptions>() = {.lateral = 1.5, .along_z = 0.7};
  EXPECT_EQ(this->check(options),
            (std::map<std::string, bool>{
                {"object.blur", true}, {"object.blur_z", true}, {"toy.shrink", true}}));
}

template <class T>
struct WrongRegulariser final : Regulariser<T> {
  [[nodiscard]] std::string key() const override { return "toy.wrong"; }
  [[nodiscard]] i64 reach() const override { return 1; }
  void apply(std::span<const View<T, 3>> volumes, Arithmetic<T>& arithmetic) const override {
    arithmetic.blur_lateral(volumes.front(), {0.6, 0.1, 0.1}, 1);
  }
};
struct WrongOptions {
  template <class T>
  void add_to(Parts<T>& parts) const {
    parts.regularisers.push_back(std::make_unique<WrongRegulariser<T>>());
  }
};
template <class V>
void keys(V&, WrongOptions&) {}

TYPED_TEST(ReachCheck, AWrongOneFails) {
  PartOptions options;
  options.add<WrongOptions>();
  EXPECT_EQ(this->check(options), (std::map<std::string, bool>{{"toy.wrong", false}}));
}

}  // namespace
}  // namespace ptyle::test
