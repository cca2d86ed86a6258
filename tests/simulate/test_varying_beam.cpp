// A beam that is not the same at every position: its defocus drifts, its current flickers.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "io/hdf5.hpp"
#include "io/temporary_folder.hpp"
#include "operator/probe.hpp"
#include "simulate/defocus_drift.hpp"
#include "simulate/in_memory.hpp"
#include "simulate/simulate.hpp"
#include "simulate/small_recipe.hpp"

namespace ptyle {
namespace {

constexpr double wavelength = 0.025, semi_angle = 0.025, pixel = 0.3;
constexpr i64 window = 40;

Array<Complex<double>, 3> probe_of(double defocus) {
  const auto wave = form_probe({wavelength, semi_angle, {.C10 = -defocus}}, window, pixel);
  Array<Complex<double>, 3> modes({1, window, window});
  std::copy(wave.begin(), wave.end(), modes.begin());
  return modes;
}

double apart(const Array<Complex<double>, 3>& a, const Array<Complex<double>, 3>& b) {
  double difference = 0, power = 0;
  for (i64 i = 0; i < a.size(); ++i) {
    difference += std::norm(a.data()[i] - b.data()[i]);
    power += std::norm(b.data()[i]);
  }
  return std::sqrt(difference / power);
}

TEST(DefocusDrift, AddsToTheDefocusOfAProbe) {
  const auto there = defocused(probe_of(100).view(), 30, wavelength, pixel);
  EXPECT_LT(apart(there, probe_of(130)), 1e-12);
}

TEST(DefocusDrift, AMixtureOfTheBasisIsAProbeOfThatDefocus) {
  // 400 Å are 15 rad at the rim. Coefficients beyond those of the basis are below 1e-7, and the
  // modes are rounded to float.
  for (const double most : {20.0, 400.0}) {
    const std::vector<double> changes{-most, -0.3 * most, 0.7 * most, most};
    const DefocusDrift drift(changes, semi_angle, wavelength, pixel);
    const auto start = converted<Complex<float>, Complex<double>, 3>(probe_of(100).view());
    const auto basis = drift.basis(start.view());
    for (const double change : changes) {
      const auto a = drift.coefficients(change, 1);
      Array<Complex<double>, 3> mixed({1, window, window});
      for (i64 j = 0; j < basis.shape()[0]; ++j)
        for (i64 i = 0; i < mixed.size(); ++i)
          mixed.data()[i] += a[std::size_t(j)] * basis.view()[j].data[i];
      EXPECT_LT(apart(mixed, probe_of(100 + change)), 1e-6);
    }
  }
}

Recipe expected_values() {
  Recipe r = small_recipe();
  r.dose.noise = false;
  r.optics.modes = 2;
  r.optics.mode_power = 0.1;
  return r;
}

double apart(View<const float, 2> a, View<const float, 2> b, double factor = 1) {
  double difference = 0, sum = 0;
  for (i64 i = 0; i < a.size(); ++i) {
    difference += std::abs(double(a.data[i]) - factor * double(b.data[i]));
    sum += double(b.data[i]);
  }
  return difference / sum;
}

TEST(VaryingBeam, PatternsAreThoseOfEachPositionsDefocus) {
  Recipe r = expected_values();
  r.optics.defocus_drift = 44;
  r.optics.modes = 1;
  const MemorySet coherent = simulate_in_memory(r);
  const i64 count = coherent.patterns.shape()[0];
  for (const i64 i : {i64{0}, i64{5}, count - 1}) {
    Recipe still = expected_values();
    still.optics.modes = 1;
    still.optics.defocus += 44 * (double(i) / double(count - 1) - 0.5);
    const MemorySet there = simulate_in_memory(still);
    EXPECT_LT(apart(coherent.patterns.view()[i], there.patterns.view()[i]), 1e-5);
  }
}

TEST(VaryingBeam, PatternsHaveEachPositionsCurrent) {
  Recipe r = expected_values();
  const MemorySet still = simulate_in_memory(r);
  r.optics.current_jitter = 0.1;
  const MemorySet flickering = simulate_in_memory(r);
  double squares = 0;
  for (i64 i = 0; i < still.patterns.shape()[0]; ++i) {
    const double current = flickering.plan.currents[std::size_t(i)];
    squares += (current - 1) * (current - 1) / double(still.patterns.shape()[0]);
    EXPECT_LT(apart(flickering.patterns.view()[i], still.patterns.view()[i], current), 1e-6);
  }
  EXPECT_NEAR(std::sqrt(squares), 0.1, 0.05);
}

TEST(VaryingBeam, TheTruthIsInTheFile) {
  const testing::TemporaryFolder folder;
  Recipe r = small_recipe();
  r.optics.defocus_drift = 24;
  r.optics.current_jitter = 0.1;
  r.output = folder / "set.h5";
  simulate(r, {}, {});
  const auto file = h5::File::open(r.output);
  const auto defocus = file.read<double>("/truth/defocus");
  EXPECT_NEAR(defocus.front(), 48, 1e-12);
  EXPECT_NEAR(defocus.back(), 72, 1e-12);
  EXPECT_EQ(file.read<double>("/truth/current"), make_plan(r).currents);
  EXPECT_EQ(file.text("/truth/defocus", "units"), "A");
}

}  // namespace
}  // namespace ptyle
