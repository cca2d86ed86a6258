// Derivatives against finite differences, in double precision: not only close, but with an error
// that falls with the square of the step, as that of central differences must.

#include <gtest/gtest.h>

#include <numeric>

#include "backends.hpp"
#include "scene.hpp"

namespace ptyle::test {
namespace {

template <class Backend>
class Derivatives : public BackendTest<Backend> {};
TYPED_TEST_SUITE(Derivatives, DoubleBackends, BackendName);

const std::vector<Case> cases = over_losses({
    {.window = 12, .slices = 3, .modes = 2, .absorption = true},
    {.window = 9, .slices = 1, .absorption = true, .weights = true, .background = 50},
    {.window = 10, .slices = 2, .modes = 2, .absorption = true, .weights = true, .background = 30},
    {.window = 8, .slices = 2, .modes = 2, .absorption = true, .basis = 3},
    {.window = 9, .slices = 2, .modes = 4, .absorption = true, .basis = 2, .states = 2},
});

enum class Along { phase, absorption, probe, all };

/// A direction along one part of the unknowns.
Direction<double> direction_along(const Scene<double>& scene, Along along, std::uint64_t seed) {
  auto d = make_direction(scene, seed);
  if (along != Along::phase && along != Along::all) d.phase.fill(0);
  if (along != Along::absorption && along != Along::all) d.absorption.fill(0);
  if (along != Along::probe && along != Along::all) d.probe.fill(0);
  return d;
}

/// Loads the scene moved by h along d.
void load_moved(Operator<double>& op, const Scene<double>& s, const Direction<double>& d,
                double h) {
  auto phase = converted<double>(s.phase.view());
  auto absorption = converted<double>(s.absorption.view());
  auto probe = converted<Complex<double>>(s.probe.view());
  for (i64 i = 0; i < phase.size(); ++i) phase.data()[i] += h * d.phase.data()[i];
  for (i64 i = 0; i < absorption.size(); ++i) absorption.data()[i] += h * d.absorption.data()[i];
  for (i64 i = 0; i < probe.size(); ++i) probe.data()[i] += h * d.probe.data()[i];
  op.set_object({phase.view(), absorption.view()});
  op.set_probe(probe.view());
  op.set_weights(s.weight.view(), s.valid.view());
}

// Errors at steps h, h/2, h/4, …, each a quarter of the one before but for the next term of the
// series, a relative c h² that halves of the first step make small: 4 ± 0.2 from the second pair
// on. Extrapolated (4 D(h/2) − D(h)) / 3 the difference quotient has an error ∝ h⁴.
void expect_square_law(const std::vector<double>& errors, const std::string& what) {
  ASSERT_GE(errors.size(), 3u);
  for (std::size_t i = 1; i + 1 < errors.size(); ++i)
    EXPECT_NEAR(errors[i] / errors[i + 1], 4, 0.2) << what << ", step " << i;
}

// df/dh along (δφ, δμ, δp) = ⟨δφ, ∂f/∂φ⟩ + ⟨δμ, ∂f/∂μ⟩ + 2 Re⟨δp, ∂f/∂p*⟩
TYPED_TEST(Derivatives, GradientIsThatOfTheCost) {
  for (const Case& c : fitting<TypeParam>(cases))
    for (const Along along : {Along::phase, Along::absorption, Along::probe, Along::all}) {
      const auto scene = make_scene(c, 21);
      const auto op = TypeParam::make(scene.setup);
      const auto d = direction_along(scene, along, 22);
      scene.load(*op);
      Sums<double> g(scene);
      op->gradient(scene.places, scene.source(), {Part::object, Part::probe}, g.view());
      const double slope = dot(d, g) + dot(d.probe, g.probe);
      std::vector<double> quotients, errors;
      for (double h = 0.01; h > 0.001; h /= 2) {
        load_moved(*op, scene, d, h);
        const double ahead = op->misfit(scene.places, scene.source()).cost;
        load_moved(*op, scene, d, -h);
        const double behind = op->misfit(scene.places, scene.source()).cost;
        quotients.push_back((ahead - behind) / (2 * h));
        errors.push_back(quotients.back() - slope);
      }
      expect_square_law(errors, "part " + std::to_string(static_cast<int>(along)));
      // h⁴ of the last pair, (0.0025)⁴ = 4e-11, times the higher derivatives' size, a few hundred
      const double best = (4 * quotients.back() - quotients[quotients.size() - 2]) / 3;
      EXPECT_NEAR(best / slope, 1, 1e-7) << "W = " << c.window;
    }
}

// df/ds of each position by itself, by a shift of its window alone.
TYPED_TEST(Derivatives, ShiftGradientIsThatOfTheCost) {
  for (const Case& c : fitting<TypeParam>(cases)) {
    const auto scene = make_scene(c, 29);
    const auto op = TypeParam::make(scene.setup);
    scene.load(*op);
    Array<double, 2> slopes({c.positions, 2});
    Gradient<double> to;
    to.shift = slopes.view();
    op->gradient(scene.places, scene.source(), {Part::shift}, to);
    // The costs of each position with its window moved by h along an axis.
    const auto costs_at = [&](i64 axis, double h) {
      std::vector<double> costs;
      for (i64 p = 0; p < c.positions; ++p) {
        Placement at = scene.places[static_cast<std::size_t>(p)];
        (axis == 0 ? at.shift_row : at.shift_col) += h;
        const auto measured = [&](i64, double* y) { scene.source().load(p, y); };
        costs.push_back(op->misfit({&at, 1}, measured).cost);
      }
      return costs;
    };
    std::vector<double> errors;
    for (double h = 0.01; h > 0.001; h /= 2) {
      Array<double, 2> quotients(slopes.shape());
      for (const i64 axis : {0, 1}) {
        const auto ahead = costs_at(axis, h), behind = costs_at(axis, -h);
        for (i64 p = 0; p < c.positions; ++p) {
          const auto i = static_cast<std::size_t>(p);
          quotients(p, axis) = (ahead[i] - behind[i]) / (2 * h);
        }
      }
      errors.push_back(relative_difference(quotients, slopes));
    }
    expect_square_law(errors, "shift, W = " + std::to_string(c.window));
  }
}

// 2 Re(conj(∂f/∂a*) δ) along the coefficients of all positions, and along a mode's own where
// nothing is mixed: the identity is then what moves, so that the probe does.
TYPED_TEST(Derivatives, CoefficientGradientIsThatOfTheCost) {
  for (const Case& c : fitting<TypeParam>(cases)) {
    const auto scene = make_scene(c, 30);
    const auto op = TypeParam::make(scene.setup);
    scene.load(*op);
    Sums<double> g(scene);
    op->gradient(scene.places, scene.source(), {Part::coefficients}, g.view());
    Array<Complex<double>, 3> d(g.coefficients.shape()), moved(d.shape());
    Draw(31).fill_normal(d, 1);
    const i64 first = scene.coefficients ? d.size() : d.shape()[1] * d.shape()[2];
    for (i64 p = 1; p * first < d.size(); ++p)  // the probe moves alike at all positions
      std::copy_n(d.data(), first, d.data() + p * first);
    std::vector<double> errors;
    const auto cost_at = [&](double h) {
      if (!scene.coefficients) {
        auto probe = converted<Complex<double>>(scene.probe.view());
        for (i64 m = 0; m < c.modes; ++m)
          for (i64 q = 0; q < c.modes; ++q)
            for (i64 i = 0; i < c.window * c.window; ++i)
              probe.view()[m].data[i] += h * d(0, m, q) * scene.probe.view()[q].data[i];
        op->set_probe(probe);
        return op->misfit(scene.places, scene.source()).cost;
      }
      for (i64 i = 0; i < d.size(); ++i)
        moved.data()[i] = scene.coefficients->data()[i] + h * d.data()[i];
      auto places = scene.places;
      mix_by(places, moved);
      return op->misfit(places, scene.source()).cost;
    };
    const double slope = 2 * dot(d, g.coefficients);
    for (double h = 0.01; h > 0.001; h /= 2)
      errors.push_back((cost_at(h) - cost_at(-h)) / (2 * h) - slope);
    expect_square_law(errors, "coefficients, W = " + std::to_string(c.window));
    EXPECT_LT(std::abs(errors.back()), 1e-3 * std::abs(slope));
  }
}

// 2 Re(conj(∂f/∂P*) dP) along any change of the propagator, |P| = 1 or not, also where it is 0.
TYPED_TEST(Derivatives, PropagatorGradientIsThatOfTheCost) {
  if (!TypeParam::every_part) GTEST_SKIP() << "the propagator is not fitted on this path";
  for (Case c : fitting<TypeParam>(cases)) {
    c.fits_propagator = true;
    c.band_limit = c.slices == 2 ? 2.0 / 3 : 0;
    const auto scene = make_scene(c, 32);
    const auto op = TypeParam::make(scene.setup);
    scene.load(*op);
    Sums<double> g(scene);
    Gradient<double> to;
    to.propagator = g.propagator;
    op->gradient(scene.places, scene.source(), {Part::propagator}, to);
    if (c.slices == 1) {
      EXPECT_EQ(dot(g.propagator, g.propagator), 0);
      continue;
    }
    Array<Complex<double>, 2> d(g.propagator.shape());
    Draw(33).fill_normal(d, 1);
    const double slope = 2 * dot(d, g.propagator);
    const auto cost_at = [&](double h) {
      auto moved = scene.setup.propagator;
      for (i64 k = 0; k < d.size(); ++k) moved[static_cast<std::size_t>(k)] += h * d.data()[k];
      op->set_propagator(moved);
      return op->misfit(scene.places, scene.source()).cost;
    };
    std::vector<double> errors;
    for (double h = 0.01; h > 0.001; h /= 2)
      errors.push_back((cost_at(h) - cost_at(-h)) / (2 * h) - slope);
    expect_square_law(errors, "propagator, W = " + std::to_string(c.window));
    const double best = (4 * errors.back() - errors[errors.size() - 2]) / 3;  // as above
    EXPECT_LT(std::abs(best), 1e-5 * std::abs(slope));
  }
}

TYPED_TEST(Derivatives, PropagatorGradientHasToBeAnnounced) {
  const auto scene = make_scene(fitting<TypeParam>(cases[0]), 34);
  const auto op = TypeParam::make(scene.setup);
  scene.load(*op);
  Sums<double> g(scene);
  EXPECT_THROW(op->gradient(scene.places, scene.source(), {Part::propagator}, g.view()),
               std::invalid_argument);
}

TYPED_TEST(Derivatives, TangentIsThatOfTheWave) {
  for (const Case& c : fitting<TypeParam>(cases))
    for (const Along along : {Along::phase, Along::absorption, Along::all}) {
      const auto scene = make_scene(c, 23);
      const auto op = TypeParam::make(scene.setup);
      const auto d = direction_along(scene, along, 24);
      const Placement& at = scene.places[1];
      const auto shape = scene.waves();
      Array<Complex<double>, 3> changed(shape), ahead(shape), behind(shape);
      scene.load(*op);
      op->tangent(at, d.object(), d.probe, changed);
      std::vector<double> errors;
      for (double h = 0.02; h > 0.001; h /= 2) {
        load_moved(*op, scene, d, h);
        op->forward(at, ahead);
        load_moved(*op, scene, d, -h);
        op->forward(at, behind);
        for (i64 i = 0; i < ahead.size(); ++i)
          ahead.data()[i] = (ahead.data()[i] - behind.data()[i]) / (2 * h);
        errors.push_back(relative_difference(ahead, changed));
      }
      expect_square_law(errors, "part " + std::to_string(static_cast<int>(along)));
    }
}

// The forward map is linear in the probe: no step is too large.
TYPED_TEST(Derivatives, TangentAlongTheProbeIsExact) {
  const auto scene = make_scene(fitting<TypeParam>(cases[0]), 25);
  const auto op = TypeParam::make(scene.setup);
  const auto d = direction_along(scene, Along::probe, 26);
  const auto& shape = scene.probe.shape();
  Array<Complex<double>, 3> changed(shape), before(shape), after(shape);
  scene.load(*op);
  op->tangent(scene.places[1], d.object(), d.probe, changed);
  op->forward(scene.places[1], before);
  load_moved(*op, scene, d, 1);
  op->forward(scene.places[1], after);
  for (i64 i = 0; i < after.size(); ++i) after.data()[i] -= before.data()[i];
  EXPECT_LT(relative_difference(after, changed), tolerance<double>(scene.setup));
}

// Where the data fit perfectly, (f(h) + f(−h)) / 2h² tends to the curvature. A cost is least at I =
// y or, as its factor tells, at I + ε = y.
TYPED_TEST(Derivatives, CurvatureIsThatOfTheCostAtAPerfectFit) {
  for (const Case& c : fitting<TypeParam>(cases))
    for (const Along along : {Along::phase, Along::absorption, Along::probe, Along::all}) {
      auto scene = make_scene(c, 27);
      const double factor =
          with_loss(c.loss, [&](auto l) { return l.factor(1.0, 1.0, scene.setup.epsilon); });
      const auto op = TypeParam::make(scene.setup);
      const auto d = direction_along(scene, along, 28);
      scene.load(*op);
      for (std::size_t p = 0; p < scene.places.size(); ++p) {
        Array<Complex<double>, 3> wave(scene.waves());
        op->forward(scene.places[p], wave);
        scene.measured[p].fill(scene.setup.background + (factor == 0 ? scene.setup.epsilon : 0));
        for (i64 m = 0; m < c.modes; ++m)
          for (i64 k = 0; k < c.window * c.window; ++k)
            scene.measured[p].data()[k] += std::norm(wave.view()[m].data[k]);
      }
      std::vector<double> each(scene.places.size());
      const double bend = op->curvature(scene.places, d.object(), d.probe, each);
      EXPECT_DOUBLE_EQ(std::accumulate(each.begin(), each.end(), 0.0), bend);
      EXPECT_NEAR(op->curvature({&scene.places[1], 1}, d.object(), d.probe), each[1],
                  1e-12 * each[1]);
      const double least = op->misfit(scene.places, scene.source()).cost;
      std::vector<double> quotients, errors;
      for (double h = 0.01; h > 0.001; h /= 2) {
        load_moved(*op, scene, d, h);
        const double ahead = op->misfit(scene.places, scene.source()).cost;
        load_moved(*op, scene, d, -h);
        const double behind = op->misfit(scene.places, scene.source()).cost;
        quotients.push_back((ahead - 2 * least + behind) / (2 * h * h));
        errors.push_back(quotients.back() - bend);
      }
      expect_square_law(errors, "part " + std::to_string(static_cast<int>(along)));
      const double best = (4 * quotients.back() - quotients[quotients.size() - 2]) / 3;
      EXPECT_NEAR(best / bend, 1, 1e-6) << "W = " << c.window;
    }
}

}  // namespace
}  // namespace ptyle::test
