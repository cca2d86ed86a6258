#include <gtest/gtest.h>

#include "operator/operator.hpp"
#include "physics/electron.hpp"
#include "physics/propagator.hpp"
#include "simulate/periodic.hpp"

namespace ptyle {
namespace {

PeriodicCell cell(i64 ny, i64 nx, std::array<double, 2> pixel) {
  PeriodicCell c{ny, nx, pixel, 3.0, {}, 0, 2.0 / 3, 0};
  c.optics = {electron_wavelength(200), 0.02, {.C10 = -80, .C30 = 2e6}};
  c.interaction = interaction_constant(200);
  return c;
}

TEST(Periodic, VacuumOnlyPropagates) {
  // Four empty slices of 3 Å carry the probe 12 Å on: 12 Å less underfocus. The global phase is
  // the same, since P = 1 at k = 0.
  PeriodicCell c = cell(40, 56, {0.3, 0.25});
  Array<double, 3> nothing({4, 40, 56});
  const PeriodicMultislice multislice(c, nothing.view());
  PeriodicCell later = c;
  later.optics.aberrations.C10 += 12;
  const PeriodicMultislice further(later, nothing.view());
  const auto exit = multislice.exit_wave(multislice.probe({3.1, 5.7}));
  const auto expected = further.probe({3.1, 5.7});
  double power = 0;
  for (i64 i = 0; i < exit.size(); ++i) {
    EXPECT_NEAR(std::abs(exit.data()[i] - expected.data()[i]), 0, 1e-13);
    power += std::norm(exit.data()[i]);
  }
  EXPECT_NEAR(power, 1, 1e-12);
  double sum = 0;
  for (const double v : multislice.pattern(exit)) sum += v;
  EXPECT_NEAR(sum, 1, 1e-12);
}

TEST(Periodic, ProbeIsCentredOnItsPosition) {
  PeriodicCell c = cell(48, 60, {0.3, 0.25});
  c.optics.aberrations = {};
  const PeriodicMultislice multislice(c, Array<double, 3>({1, 48, 60}).view());
  const auto probe = multislice.probe({30 * 0.3, 11 * 0.25});
  const auto largest = std::max_element(probe.begin(), probe.end(),
                                        [](auto p, auto q) { return std::norm(p) < std::norm(q); });
  EXPECT_EQ(largest - probe.begin(), 30 * 60 + 11);
}

TEST(Periodic, WithoutABandLimitItIsTheOperator) {
  // The same multislice but for the propagation after the last slice, which no pattern sees.
  const i64 w = 32;
  PeriodicCell c = cell(w, w, {0.2, 0.2});
  c.cut = 2;  // beyond the corners
  Array<double, 3> potential({3, w, w});
  for (i64 i = 0; i < potential.size(); ++i)
    potential.data()[i] = 200 * std::sin(0.37 * double(i * i));
  const PeriodicMultislice multislice(c, potential.view());
  const auto probe = multislice.probe({16 * 0.2, 16 * 0.2});
  OperatorSetup setup;
  setup.window = w, setup.slices = 3;
  setup.propagator = propagator(w, 0.2, c.optics.wavelength, c.slice_thickness);
  const auto op = make_reference_operator(setup);
  Array<double, 3> phase(potential.shape());
  for (i64 i = 0; i < phase.size(); ++i) phase.data()[i] = c.interaction * potential.data()[i];
  op->set_object({phase.view(), {}});
  op->set_probe({probe.data(), {1, w, w}});
  Array<Complex<double>, 3> wave({1, w, w});
  op->forward({0, 0, 0, 0}, wave);
  const auto pattern = multislice.pattern(multislice.exit_wave(probe));
  for (i64 y = 0; y < w; ++y)
    for (i64 x = 0; x < w; ++x)
      EXPECT_NEAR(pattern(to_centred(y, w), to_centred(x, w)), std::norm(wave(0, y, x)) / (w * w),
                  1e-13);
}

}  // namespace
}  // namespace ptyle
