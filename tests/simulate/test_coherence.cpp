#include <gtest/gtest.h>

#include <cmath>

#include "core/error.hpp"
#include "device/cpu/fft.hpp"
#include "io/temporary_folder.hpp"
#include "operator/coherence.hpp"
#include "operator/probe.hpp"
#include "simulate/object.hpp"
#include "simulate/patterns.hpp"
#include "simulate/small_recipe.hpp"

namespace ptyle {
namespace {

using testing::message_of;
using testing::says;

// Far fields, unscaled, of centred modes.
Array<Complex<double>, 3> far_fields(View<const Complex<double>, 3> modes) {
  Array<Complex<double>, 3> all(modes.shape);
  const Fft2<double> fft(modes.shape[1], modes.shape[2], FftRigor::estimate);
  for (i64 m = 0; m < modes.shape[0]; ++m) {
    auto wave = cornered<Complex<double>>(modes[m]);
    fft.forward(wave.data());
    std::copy(wave.begin(), wave.end(), all.view()[m].begin());
  }
  return all;
}

TEST(Coherence, ModesHaveTheMutualIntensityOfTheSource) {
  // Cut and scaled, J is off by 2·left_out of its trace in the trace norm, and less in Frobenius's.
  const i64 w = 32;
  const double pixel = 0.2, wavelength = 0.0251;
  const auto probe =
      form_probe({wavelength, 0.022, {-150, 12, 0.4, 200, 1.0, 0, 0, 1e4}}, w, pixel);
  Array<Complex<double>, 3> given({1, w, w});
  std::copy(probe.begin(), probe.end(), given.begin());
  for (const Incoherence beam :
       {Incoherence{0.3, 0, 1e-7}, Incoherence{0, 60, 1e-7}, Incoherence{0.2, 40, 1e-7}}) {
    const auto modes = incoherent_modes(given, pixel, wavelength, beam);
    const auto coherent = far_fields(given), fields = far_fields(modes);
    double error = 0, trace = 0, changed = 0;
    const double dk = 1 / (double(w) * pixel);
    for (i64 a = 0; a < w * w; ++a) {
      trace += std::norm(coherent.data()[a]);
      for (i64 b = 0; b < w * w; ++b) {
        const auto k = [&](i64 i) { return dk * double(frequency_index(i, w)); };
        const Complex<double> pure = coherent.data()[a] * std::conj(coherent.data()[b]);
        const Complex<double> wanted =
            pure * mutual_coherence(beam, wavelength, k(a / w), k(a % w), k(b / w), k(b % w));
        Complex<double> found = 0;
        for (i64 m = 0; m < modes.shape()[0]; ++m)
          found += fields.data()[m * w * w + a] * std::conj(fields.data()[m * w * w + b]);
        error += std::norm(found - wanted);
        changed += std::norm(pure - wanted);
      }
    }
    EXPECT_LT(std::sqrt(error), 2 * beam.left_out * trace);
    EXPECT_GT(std::sqrt(changed), 0.05 * trace);
  }
}

/// Far fields (1, W, W) of a probe with all aberrations, whose zero frequency lies at `centre`.
Array<Complex<double>, 3> aberrated(i64 w, double pixel, std::array<double, 2> centre = {}) {
  const auto probe =
      form_probe({0.0251, 0.022, {-150, 12, 0.4, 200, 1.0, 0, 0, 1e4}, centre}, w, pixel);
  Array<Complex<double>, 3> one({1, w, w});
  std::copy(probe.begin(), probe.end(), one.begin());
  return one;
}

TEST(Coherence, TheStrongestModesAreThoseOfTheMutualIntensity) {
  // J v = λ v, for J that was found but for R ≥ 0 with a trace of 0.1·left_out of J's: in the
  // Frobenius norm R v is at most that long, and λ off by no more (Weyl).
  const i64 w = 32, count = 4;
  const double pixel = 0.2, wavelength = 0.0251, dk = 1 / (double(w) * pixel);
  const auto given = aberrated(w, pixel);
  const Incoherence beam{0.2, 40, 1e-3};
  const auto [modes, left_out] = strongest_modes(given, pixel, wavelength, beam, count);
  ASSERT_EQ(modes.shape(), (std::array<i64, 3>{count, w, w}));
  const auto coherent = far_fields(given), fields = far_fields(modes);
  double trace = 0, held = 0;
  for (const auto& v : coherent) trace += std::norm(v);
  const auto k = [&](i64 i) { return dk * double(frequency_index(i, w)); };
  double before = 1e300;
  for (i64 m = 0; m < count; ++m) {
    const View<const Complex<double>, 2> v = std::as_const(fields).view()[m];
    double lambda = 0, error = 0;
    for (const auto& value : v) lambda += std::norm(value) * (1 - left_out);
    for (i64 a = 0; a < w * w; ++a) {
      Complex<double> sum = 0;
      if (std::norm(coherent.data()[a]) < 1e-18 * trace) continue;
      for (i64 b = 0; b < w * w; ++b)
        sum += coherent.data()[a] * std::conj(coherent.data()[b]) *
               mutual_coherence(beam, wavelength, k(a / w), k(a % w), k(b / w), k(b % w)) *
               v.data[b];
      error += std::norm(sum - lambda * v.data[a]);
    }
    const double length = std::sqrt(lambda / (1 - left_out));
    EXPECT_LT(std::sqrt(error), 2 * 0.1 * beam.left_out * trace * length) << m;
    EXPECT_LE(lambda, before * (1 + 1e-9));
    held += lambda, before = lambda;
  }
  EXPECT_NEAR(held / trace, 1 - left_out, 1e-9);  // the same sum
  EXPECT_GT(left_out, 0.01);
  EXPECT_LT(left_out, 0.5);
}

TEST(Coherence, TheOpticalAxisIsWhereTheZeroFrequencyLies) {
  // The same beam, moved on the detector by whole pixels. Pivots that are equal but for rounding
  // come in another order, and each decomposition may leave out 0.1·left_out.
  const Incoherence beam{0.1, 60, 1e-3};
  Incoherence moved = beam;
  moved.centre = {2, -1};
  const auto at_middle = strongest_modes(aberrated(32, 0.2), 0.2, 0.0251, beam, 3);
  const auto off = strongest_modes(aberrated(32, 0.2, {2, -1}), 0.2, 0.0251, moved, 3);
  const auto mistaken = strongest_modes(aberrated(32, 0.2, {2, -1}), 0.2, 0.0251, beam, 3);
  EXPECT_NEAR(off.left_out, at_middle.left_out, 1e-4);
  EXPECT_GT(std::abs(mistaken.left_out - at_middle.left_out), 1e-3);
}

TEST(Coherence, FewerModesThanAreAskedForAreRefused) {
  const auto said = message_of<UserError>([&] {
    (void)strongest_modes(aberrated(32, 0.2), 0.2, 0.0251, {1e-6, 0}, 5);
  });
  EXPECT_TRUE(says(said, {"optics.source_size", "so coherent", "5 of probe.modes"})) << said;
}

TEST(Coherence, ModesAreOrthogonalTheStrongestFirstAndHoldAllPower) {
  Recipe r = small_recipe();
  r.optics.modes = 2, r.optics.mode_power = 0.1;
  r.optics.source_size = 0.25;
  const Plan plan = make_plan(r);
  const i64 modes = plan.probe.shape()[0], n = 48 * 48;
  EXPECT_GT(modes, 4);
  EXPECT_LT(modes, 40);
  double total = 0, before = 1e300;
  for (i64 a = 0; a < modes; ++a) {
    const auto inner = [&](i64 b) {
      Complex<double> sum = 0;
      for (i64 k = 0; k < n; ++k)
        sum += std::conj(Complex<double>(plan.probe.data()[a * n + k])) *
               Complex<double>(plan.probe.data()[b * n + k]);
      return sum;
    };
    const double power = inner(a).real();
    EXPECT_LE(power, before * (1 + 1e-6));
    for (i64 b = 0; b < a; ++b) EXPECT_LT(std::abs(inner(b)), 1e-5 * std::sqrt(power * before));
    total += power, before = power;
  }
  EXPECT_NEAR(total * n, plan.electrons, 1e-5 * plan.electrons);  // floats
}

// The pattern of a plan's first position, the probe moved by (row, col) Å inside its window.
Array<double, 2> pattern(Plan& plan, View<const float, 3> phase, Position by = {}) {
  const i64 w = plan.window;
  Array<Complex<float>, 3> still(plan.probe.shape());
  std::copy(plan.probe.begin(), plan.probe.end(), still.begin());
  if (by.row != 0 || by.col != 0) {
    const Fft2<double> fft(w, w, FftRigor::estimate);
    auto wave = converted<Complex<double>, Complex<float>, 2>(still.view()[0]);
    fft.forward(wave.data());
    for (i64 y = 0; y < w; ++y)
      for (i64 x = 0; x < w; ++x)
        wave(y, x) *= std::polar(1 / double(w * w), -2 * pi / (double(w) * plan.pixel) *
                                                        (double(frequency_index(y, w)) * by.row +
                                                         double(frequency_index(x, w)) * by.col));
    fft.inverse(wave.data());
    plan.probe = converted<Complex<float>, Complex<double>, 3>(
        View<const Complex<double>, 3>{wave.data(), {1, w, w}});
  }
  PatternMaker<double> maker(plan);
  maker.set_object(phase, 0, 0);
  Array<double, 2> frame({plan.detector, plan.detector});
  maker.add(0, frame);
  plan.probe = std::move(still);
  return frame;
}

TEST(Coherence, PatternsAreTheAverageOverTheSourceAndTheDefocus) {
  // Against the trapezoidal rule in steps of 0.6 standard deviations: interference turns by at most
  // 3.4 rad in one (of the defocus; 3.0 of the source), so the rule is off by
  // exp(−(2π/0.6 − 3.4)²/2) = 1e-11. Modes: 2·left_out of the electrons.
  Recipe r = small_recipe();
  r.scan.shape = {1, 1};
  r.dose.noise = false;
  Plan plan = make_plan(r);
  Array<float, 3> phase({plan.slices, plan.ny, plan.nx});
  make_slices(plan, plan.atoms, [&](i64 z, View<const float, 2> p) {
    std::copy(p.begin(), p.end(), phase.view()[z].begin());
  });
  const double step = 0.6;
  const auto weight = [step](double t) { return step * std::exp(-t * t / 2) / std::sqrt(2 * pi); };
  const auto distance = [](const Array<double, 2>& a, const Array<double, 2>& b) {
    double sum = 0;
    for (i64 k = 0; k < a.size(); ++k) sum += std::abs(a.data()[k] - b.data()[k]);
    return sum;
  };
  const auto coherent = pattern(plan, phase);
  const double source = 0.2, spread = 30, left_out = 1e-5;

  Array<double, 2> of_source(coherent.shape()), of_defocus(coherent.shape());
  for (double v = -5.4; v < 5.5; v += step)
    for (double u = -5.4; u < 5.5; u += step) {
      const auto one = pattern(plan, phase, {source * v, source * u});
      for (i64 k = 0; k < one.size(); ++k)
        of_source.data()[k] += weight(v) * weight(u) * one.data()[k];
    }
  for (double v = -5.4; v < 5.5; v += step) {
    Recipe other = r;
    other.optics.defocus += spread * v;
    Plan defocused = make_plan(other);
    const auto one = pattern(defocused, phase);
    for (i64 k = 0; k < one.size(); ++k) of_defocus.data()[k] += weight(v) * one.data()[k];
  }
  r.optics.left_out = left_out;
  r.optics.source_size = source;
  Plan with_source = make_plan(r);
  r.optics.source_size = 0, r.optics.focal_spread = spread;
  Plan with_spread = make_plan(r);
  const auto by_modes = pattern(with_source, phase), by_focus = pattern(with_spread, phase);
  EXPECT_LT(distance(by_modes, of_source), 2 * left_out * plan.electrons);
  EXPECT_LT(distance(by_focus, of_defocus), 2 * left_out * plan.electrons);
  EXPECT_GT(distance(coherent, of_source), 1e-2 * plan.electrons);
  EXPECT_GT(distance(coherent, of_defocus), 1e-3 * plan.electrons);
}

TEST(Coherence, ABeamOfTooManyModesIsRefused) {
  Recipe r = small_recipe();
  r.detector.window = 128;
  r.optics.source_size = 20;
  EXPECT_TRUE(says(message_of<UserError>([&] { (void)make_plan(r); }),
                   {"optics.source_size", "256 modes", "optics.left_out"}));
}

}  // namespace
}  // namespace ptyle
