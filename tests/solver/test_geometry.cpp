// The geometry of the microscope that is told wrong, found by fits of a simulated set.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/units.hpp"
#include "operator/backends.hpp"
#include "operator/scene.hpp"
#include "solver/on_gpu.hpp"
#include "solver/penalties/quadratic.hpp"
#include "solver/shared_fit.hpp"
#include "solver/variables/geometry_slopes.hpp"
#include "solver/variables/variable_probe_options.hpp"

namespace ptyle {
namespace {

using test::end_of_fit;
using test::EndOfFit;
using test::FitScene;
using test::reader_of;

// Slopes, on every backend

template <class Backend>
class GeometrySlopes : public test::BackendTest<Backend> {};
TYPED_TEST_SUITE(GeometrySlopes, test::DoubleBackends, test::BackendName);

GeometryOptions all_of_it() {
  GeometryOptions o;
  o.refine = words_of<GeometryPart>();
  o.wavelength = 0.02;  // as the scenes of the operator's tests
  o.slice_thickness = 10;
  o.tilt = {0.005, -0.003};
  return o;
}

/// ∂f/∂p of each parameter against differences of the cost of a moved probe and propagator.
TYPED_TEST(GeometrySlopes, AreThoseOfTheCost) {
  if (!TypeParam::every_part) GTEST_SKIP() << "the propagator is not fitted on this path";
  const auto scene = test::make_scene({.window = TypeParam::window(12),
                                       .slices = 4,
                                       .modes = 2,
                                       .absorption = true,
                                       .fits_propagator = true},
                                      61);
  const auto op = TypeParam::make(scene.setup);
  scene.load(*op);
  const i64 w = scene.setup.window;
  const GeometryOptions options = all_of_it();
  const GeometryState at{w, 4, 0.3, options.wavelength, options.slice_thickness, 0, options.tilt};
  const auto parameters = geometry_parameters(options, 4, 0.8);
  ASSERT_EQ(parameters.size(), 11U);
  test::Sums<double> sums(scene);
  op->gradient(scene.places, scene.source(), {Part::probe, Part::propagator}, sums.view());
  auto probe = converted<Complex<double>>(scene.probe.view());
  const auto slopes =
      geometry_sums<double>(parameters, at, probe.view(), sums.probe.view(), sums.propagator)
          .slopes;
  for (std::size_t j = 0; j < parameters.size(); ++j) {
    const auto cost_at = [&](double h) {
      std::vector<double> by(parameters.size(), 0);
      by[j] = h * parameters[j].unit;
      auto moved_probe = converted<Complex<double>>(scene.probe.view());
      move_probe<double>(parameters, at, by, moved_probe.view());
      op->set_probe(moved_probe);
      op->set_propagator(moved(parameters, at, by).propagator());
      return op->misfit(scene.places, scene.source()).cost;
    };
    const auto difference = [&](double h) { return (cost_at(h) - cost_at(-h)) / (2 * h); };
    // h⁴ times the fifth derivative, of phases of up to ten units at the window's corners.
    const double h = 3e-4, best = (4 * difference(h / 2) - difference(h)) / 3;
    EXPECT_NEAR(best / (slopes[j] * parameters[j].unit), 1, 1e-6) << parameters[j].name;
  }
}

TEST(GeometryParameters, TermsAddUpToTheAberrations) {
  const Aberrations all{-80, 20, 0.4, 300, 1.1, 200, -0.3, 5000};
  const auto add = [](int order, int symmetry, double size, double azimuth, double ky, double kx) {
    const double angle = symmetry * azimuth;
    return size * std::cos(angle) * aberration_slope({order, symmetry, false}, ky, kx, 0.025) +
           size * std::sin(angle) * aberration_slope({order, symmetry, true}, ky, kx, 0.025);
  };
  for (const auto& [ky, kx] : {std::pair{0.3, -0.7}, {-0.9, 0.1}, {0.0, 0.5}}) {
    const double sum = add(1, 0, all.C10, 0, ky, kx) + add(1, 2, all.C12, all.phi12, ky, kx) +
                       add(2, 1, all.C21, all.phi21, ky, kx) +
                       add(2, 3, all.C23, all.phi23, ky, kx) + add(3, 0, all.C30, 0, ky, kx);
    EXPECT_NEAR(sum, aberration_phase(all, ky, kx, 0.025), 1e-12 * std::abs(sum));
  }
}

// Fits

constexpr double defocus = 80, thickness = 10;  // Å, of the scene

GeometryOptions geometry_of(std::vector<std::string> refine) {
  GeometryOptions o;
  o.refine = std::move(refine);
  o.wavelength = FitScene::wavelength;
  o.given.C10 = -defocus;
  o.slice_thickness = thickness;
  return o;
}

/// Slices that are as thick as the depth of focus, 40 Å.
constexpr double thick = 40;
GeometryOptions thick_geometry_of(std::vector<std::string> refine) {
  GeometryOptions o = geometry_of(std::move(refine));
  o.slice_thickness = thick;
  return o;
}

FitOptions options_of(const GeometryOptions& geometry) {
  FitOptions o;
  o.batches = 5;
  o.probe_from = 0;
  o.verify = true;
  o.parts.of<GeometryOptions>() = geometry;
  return o;
}

double change_of(const Fit<double>& fit, const std::string& name) {
  return fit.numbers().at("geometry." + name);
}

bool limited(const Fit<double>& fit) { return fit.numbers().at("stage.k_c") > 0; }
bool binned(const Fit<double>& fit) { return fit.numbers().at("stage.block") > 1; }

/// The patterns are of a probe with another defocus than the fit is told, 20 % off.
TEST(Geometry, FindsADefocusThatIsOff) {
  for (const double truth : {defocus / 1.2, defocus * 1.2}) {
    const FitScene scene(0, {.defocus = truth});
    // The scene's fits start from its own probe: with the change undone they start 20 % off.
    const auto team = make_local_team();
    const auto wrong = [&] {
      const auto wave = form_probe({FitScene::wavelength, 0.025, {.C10 = -defocus}},
                                   FitScene::window, FitScene::pixel);
      Array<Complex<double>, 3> probe({1, FitScene::window, FitScene::window});
      std::copy(wave.begin(), wave.end(), probe.begin());
      return probe;
    }();
    for (const int probe_from : {0, 2}) {
      auto options = options_of(geometry_of({"defocus"}));
      options.probe_from = probe_from;
      auto fit = scene.fit(options, *team, {scene.mesh(1)}, scene.vacuum(), wrong);
      for (int i = 0; i < 20; ++i) fit.iterate();
      EXPECT_NEAR(defocus + change_of(fit, "defocus"), truth, 0.1 * std::abs(truth - defocus))
          << probe_from;
    }
  }
}

TEST(Geometry, FindsAThicknessThatIsOff) {
  const FitScene scene(0, {.thickness = 1.1 * thick, .alike = true});
  auto options = options_of(thick_geometry_of({"thickness"}));
  const EndOfFit found = end_of_fit(scene, options, 30);
  EXPECT_NEAR(found.numbers.at("geometry.thickness"), 0.1 * thick, 0.02 * thick);
}

/// Slices that hold the same, and that are held alike.
TEST(Geometry, FindsATilt) {
  const FitScene scene(0, {.thickness = thick, .tilt = {3 * mrad, -2 * mrad}, .alike = true});
  auto options = options_of(thick_geometry_of({"tilt"}));
  options.parts.of<PenaltyOptions>().along_z = 1e3;
  const EndOfFit found = end_of_fit(scene, options, 30);
  EXPECT_NEAR(found.numbers.at("geometry.tilt_row"), 3 * mrad, 0.3 * mrad);
  EXPECT_NEAR(found.numbers.at("geometry.tilt_col"), -2 * mrad, 0.3 * mrad);
}

/// Twice a background b lowers f" = ½ / (I + b), and with it C, to (I + b) / (I + 2b).
TEST(Geometry, KnowsTheBackgroundOfItsPatterns) {
  const FitScene scene;
  const double b = 0.5 * scene.brightest();  // a larger one leaves too little of C to move by
  const auto curvature_with = [&](double background) {
    scene.background = background;
    const auto team = make_local_team();
    auto fit = scene.fit(options_of(geometry_of({"defocus"})), *team, {scene.mesh(1)}, true);
    fit.iterate();
    return fit.numbers().at("geometry.curvature.defocus.defocus");
  };
  const double ratio = curvature_with(2 * b) / curvature_with(b);
  EXPECT_GT(ratio, 0.5);   // of I = 0
  EXPECT_LT(ratio, 0.75);  // of I = 2b
}

TEST(Geometry, IsTheSameOnAnyNumberOfRanks) {
  const FitScene scene(0, {.defocus = 75, .thickness = 1.1 * thick, .tilt = {2 * mrad, 0}});
  auto options =
      options_of(thick_geometry_of({"defocus", "astigmatism", "coma", "thickness", "tilt"}));
  options.probe_from = 2;
  options.parts.of<PenaltyOptions>().along_z = 10;
  const EndOfFit alone = end_of_fit(scene, options, 5);
  EXPECT_NE(alone.numbers.at("geometry.defocus"), 0);
  EXPECT_NE(alone.numbers.at("geometry.thickness"), 0);
  EXPECT_NE(alone.numbers.at("geometry.tilt_row"), 0);
  for (const int ranks : {2, 4, 9}) {
    const EndOfFit together = end_of_fit(scene, options, 5, ranks);
    // As objects of the same fits (test_sharing), and their steps are of quotients of sums.
    EXPECT_LT(test::apart(together.object, alone.object), 100 * test::rounding_of_operators);
    for (const auto& [name, value] : alone.numbers)
      if (name.starts_with("geometry.") && !name.starts_with("geometry.curvature")) {
        EXPECT_NEAR(together.numbers.at(name), value, 1e-7 * std::max(std::abs(value), 1e-3))
            << name << " on " << ranks;
      }
  }
}

TEST(Geometry, OnAnEmulatedGpuIsThatOfTheHost) {
  const FitScene scene(0, {.defocus = 75, .thickness = 11});
  auto options = options_of(geometry_of({"defocus", "astigmatism", "thickness"}));
  options.probe_from = 2;
  const EndOfFit host = end_of_fit(scene, options, 3);
  for (const bool operator_too : {false, true}) {
    // The host's operator does not wait for what the device has yet to do.
    const auto order = operator_too ? emulated::Order::as_needed : emulated::Order::at_once;
    const test::OnGpu gpu(operator_too, {.guarded = operator_too, .order = order}, scene);
    const EndOfFit there = end_of_fit(scene, options, 3);
    EXPECT_LT(test::apart(there.object, host.object), 100 * test::rounding_of_operators);
    EXPECT_NEAR(there.numbers.at("geometry.defocus"), host.numbers.at("geometry.defocus"), 1e-6);
    EXPECT_NEAR(there.numbers.at("geometry.thickness"), host.numbers.at("geometry.thickness"),
                1e-6);
  }
}

/// All that a fit of the geometry goes by is in its numbers and its probe, also while slices are
/// held for it.
TEST(Geometry, GoesOnAsIfNothingHadBeen) {
  const FitScene scene(0, {.defocus = 75, .thickness = 11});
  for (const bool schedule : {false, true}) {
    auto options = options_of(geometry_of({"defocus", "astigmatism", "thickness"}));
    options.probe_from = 2;
    if (schedule) options.continuation = test::coarse_to_fine();
    const int end = schedule ? 14 : 5;
    const auto team = make_local_team();
    auto first = scene.fit(options, *team, {scene.mesh(1)});
    int done = 0;
    for (; done < 3 || (schedule && limited(first)); ++done) first.iterate();
    if (schedule) {
      first.iterate(), ++done;
      ASSERT_TRUE(binned(first) && done < end);
    }
    test::expect_goes_on(scene, options, first, done, end);
  }
}

// Together with the multi-resolution schedule

FitOptions scheduled(std::vector<std::string> refine) {
  FitOptions o = options_of(thick_geometry_of(std::move(refine)));
  o.probe_from = 2;
  o.continuation = test::coarse_to_fine();
  return o;
}

/// Iterations without the lateral limit in which slices are held, all of them binned.
int held_for(const FitScene& scene, const FitOptions& options) {
  const auto team = make_local_team();
  auto fit = scene.fit(options, *team, {scene.mesh(1)});
  int held = 0;
  for (int i = 0; i < 40; ++i) {
    if (fit.numbers().at("slices_held") != 0 && !limited(fit)) {
      ++held;
      EXPECT_TRUE(binned(fit));
    }
    fit.iterate();
  }
  EXPECT_FALSE(binned(fit));
  return held;
}

/// Free slices would take up what is to be found.
TEST(Geometry, HasSlicesBinnedUntilItIsFound) {
  const FitScene scene(0, {.thickness = 1.1 * thick, .alike = true});
  EXPECT_EQ(held_for(scene, scheduled({"defocus"})), 0);
  const int held = held_for(scene, scheduled({"thickness"}));
  EXPECT_GE(held, 3);
  EXPECT_LE(held, 16);
}

/// Other parts that are to move are to have moved beside it, and don't wait for free slices.
TEST(Geometry, HasSlicesBinnedUntilOthersMoveToo) {
  const FitScene scene(0, {.thickness = 1.1 * thick, .alike = true});
  auto options = scheduled({"thickness"});
  options.parts.of<VariableProbeOptions>().intensity = true;  // from the eighth free iteration on
  const int held = held_for(scene, options);
  EXPECT_GE(held, 7 + 3);
  EXPECT_LE(held, 16);
  options.parts.of<VariableProbeOptions>().start = 100;
  EXPECT_EQ(held_for(scene, options), 16);  // not for ever
}

/// The thickness would take up what is wrong with a probe that is held.
TEST(Geometry, HasTheThicknessWaitForTheProbe) {
  const FitScene scene(0, {.thickness = 1.1 * thick, .alike = true});
  for (const int probe_from : {0, 2}) {
    auto options = scheduled({"thickness"});
    options.probe_from = probe_from;
    const auto team = make_local_team();
    auto fit = scene.fit(options, *team, {scene.mesh(1)});
    double in_limit = 0;
    for (int i = 0; i < 20; ++i) {
      fit.iterate();
      if (limited(fit)) in_limit = change_of(fit, "thickness");
    }
    EXPECT_EQ(in_limit != 0, probe_from == 0);
    EXPECT_NE(change_of(fit, "thickness"), 0);
  }
}

/// More than half of it: a mini-batch moves it by a Gauss-Newton step of an object at rest, twice
/// an iteration here.
TEST(Geometry, NearsAThicknessWithASchedule) {
  const FitScene scene(0, {.thickness = 1.1 * thick, .alike = true});
  const EndOfFit found = end_of_fit(scene, scheduled({"thickness"}), 20);
  EXPECT_NEAR(found.numbers.at("geometry.thickness"), 0.1 * thick, 0.05 * thick);
}

/// A standstill means nothing while it is on its way, and something once it is found.
TEST(Geometry, IsWaitedForUntilItIsFound) {
  const FitScene off(0, {.defocus = 95}), told(0, {.defocus = defocus});
  const auto team = make_local_team();
  auto options = options_of(geometry_of({"defocus"}));
  auto fit = off.fit(options, *team, {off.mesh(1)}, off.vacuum(), told.probe());
  for (int i = 1; i <= 4; ++i) fit.iterate();
  EXPECT_EQ(fit.all_moves_from(), 5);
  for (int i = 5; i <= 25; ++i) fit.iterate();
  EXPECT_LE(fit.all_moves_from(), 25);
}

TEST(Geometry, MovesByItsLimitAtMost) {
  auto geometry = geometry_of({"defocus"});
  geometry.largest_defocus = 2;
  const FitScene scene(0, {.defocus = defocus});
  geometry.given.C10 = -defocus;
  const FitScene off(0, {.defocus = 60});
  const auto team = make_local_team();
  auto fit = off.fit(options_of(geometry), *team, {off.mesh(1)}, off.vacuum(), scene.probe());
  int warnings = 0;
  for (int i = 0; i < 10; ++i) {
    for (const auto& line : fit.iterate().warnings)
      warnings += line.find("geometry.largest_defocus") != std::string::npos ? 1 : 0;
    EXPECT_LE(std::abs(change_of(fit, "defocus")), 2 * (1 + 1e-12));
  }
  EXPECT_EQ(warnings, 1);
  EXPECT_NEAR(change_of(fit, "defocus"), -2, 1e-9);
}

/// Nothing tells them where nothing scatters; but libraries of FFTs round in place otherwise than
/// from one array to another, and the patterns are of the latter.
TEST(Geometry, StaysWhereThereIsVacuum) {
  const FitScene scene(0, {.vacuum = true});
  const EndOfFit found = end_of_fit(scene, options_of(geometry_of({"defocus", "thickness"})), 4);
  EXPECT_NEAR(found.numbers.at("geometry.defocus"), 0, 1e-12);
  EXPECT_NEAR(found.numbers.at("geometry.thickness"), 0, 1e-12);
}

std::string refusal(const FitOptions& options) {
  try {
    test::scene().fit(options);
  } catch (const UserError& e) {
    return e.what();
  }
  return {};
}

TEST(Geometry, IsRefusedWhereItCannotBeFound) {
  EXPECT_EQ(refusal(options_of(geometry_of({"defocus", "tilt"}))).find("geometry.refine"), 0U);
  EXPECT_NE(refusal(options_of(geometry_of({"tilt"}))).find("alike"), std::string::npos);
  EXPECT_NE(refusal(options_of(geometry_of({"focus"}))).find("'focus' is none of defocus"),
            std::string::npos);
  EXPECT_NE(refusal(options_of(geometry_of({"coma", "coma"}))).find("twice"), std::string::npos);
  auto in_pixels = geometry_of({"defocus"});
  in_pixels.wavelength = 0;
  EXPECT_NE(refusal(options_of(in_pixels)).find("optics.energy"), std::string::npos);
  auto coarse = options_of(geometry_of({"tilt"}));
  coarse.continuation = test::coarse_to_fine();
  EXPECT_EQ(refusal(coarse), "");
  EXPECT_NO_THROW(check_options(coarse, {test::mesh_of(1)}, 2));
  EXPECT_THROW(check_options(coarse, {test::mesh_of(1)}, 1), UserError);
  auto literal = options_of(geometry_of({"defocus"}));
  literal.update = Update::literal;
  literal.parts.of<RuleOptions>().step = 0.1;
  EXPECT_NE(refusal(literal).find("geometry.refine: needs gradients"), std::string::npos)
      << refusal(literal);
}

}  // namespace
}  // namespace ptyle
