#include <gtest/gtest.h>

#include <vector>

#include "core/error.hpp"
#include "core/grid.hpp"
#include "core/random.hpp"
#include "device/cpu/fft.hpp"
#include "operator/probe.hpp"
#include "physics/electron.hpp"
#include "physics/propagator.hpp"

namespace ptyle {
namespace {

using Value = Complex<double>;

ProbeOptics optics(double defocus = 0) {
  ProbeOptics o;
  o.wavelength = electron_wavelength(200);
  o.semi_angle = 25 * mrad;
  o.aberrations.C10 = -defocus;
  return o;
}

double power(View<const Value, 2> wave) {
  double sum = 0;
  for (const Value& v : wave) sum += std::norm(v);
  return sum;
}

double largest_difference(View<const Value, 2> a, View<const Value, 2> b) {
  double largest = 0;
  for (i64 i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a.data[i] - b.data[i]));
  return largest;
}

// Propagated over `dz` Å.
Array<Value, 2> propagated(View<const Value, 2> wave, double pixel, double wavelength, double dz) {
  const i64 w = wave.shape[0];
  Array<Value, 2> k = cornered<Value>(wave);
  const Fft2<double> fft(w, w, FftRigor::estimate);
  const auto p = propagator(w, pixel, wavelength, dz);
  fft.forward(k.data());
  for (i64 i = 0; i < w * w; ++i) k.data()[i] *= p[static_cast<std::size_t>(i)] / double(w * w);
  fft.inverse(k.data());
  return centred<Value>(k);
}

TEST(Probe, HasPowerOneAndStandsInTheMiddle) {
  for (const i64 w : {31, 32, 45}) {
    const auto probe = form_probe(optics(), w, 0.2);
    EXPECT_NEAR(power(probe), 1, 1e-13);
    for (i64 y = 0; y < w; ++y)
      for (i64 x = 0; x < w; ++x)
        EXPECT_LE(std::abs(probe(y, x)), std::abs(probe(w / 2, w / 2)) * (1 + 1e-14));
    // symmetric about [W/2, W/2]
    EXPECT_NEAR(std::abs(probe(w / 2 - 3, w / 2 + 2) - probe(w / 2 + 3, w / 2 - 2)), 0, 1e-14);
  }
}

// Underfocus d: the beam comes to focus d further down.
TEST(Probe, UnderfocusIsUndoneByPropagation) {
  for (const i64 w : {64, 63}) {
    const auto o = optics(80);
    const auto focused = form_probe(optics(), w, 0.2);
    const auto there = propagated(form_probe(o, w, 0.2), 0.2, o.wavelength, 80);
    EXPECT_LT(largest_difference(there, focused), 1e-13);
    const auto away = propagated(form_probe(o, w, 0.2), 0.2, o.wavelength, -80);
    EXPECT_GT(largest_difference(away, focused), 0.01);
  }
}

// In the diffraction plane the probe is the aperture, of a radius of semi-angle / λ.
TEST(Probe, FillsItsAperture) {
  const i64 w = 48;
  const double pixel = 0.2, dk = 1 / (static_cast<double>(w) * pixel);
  const double rim = optics().semi_angle / optics().wavelength;
  for (const double edge : {0.0, 1.0, 3.0}) {
    auto k = cornered<Value>(form_probe(optics(50), w, pixel, edge));
    Fft2<double>(w, w, FftRigor::estimate).forward(k.data());
    const double open = std::abs(k(0, 0));
    for (i64 y = 0; y < w; ++y)
      for (i64 x = 0; x < w; ++x) {
        const double r =
            dk * std::hypot(double(frequency_index(y, w)), double(frequency_index(x, w)));
        const double expected =
            edge == 0 ? (r <= rim ? 1 : 0) : std::clamp((rim - r) / (edge * dk) + 0.5, 0.0, 1.0);
        EXPECT_NEAR(std::abs(k(y, x)) / open, expected, 1e-12);
      }
  }
}

// A centre off by whole pixels moves the spectrum by as many; off by parts, its middle.
TEST(Probe, StandsWhereItsCentreIsOnTheDetector) {
  const i64 w = 48;
  const auto spectrum = [&](std::array<double, 2> centre) {
    ProbeOptics o = optics(50);
    o.centre = centre;
    auto k = cornered<Value>(form_probe(o, w, 0.2));
    Fft2<double>(w, w, FftRigor::estimate).forward(k.data());
    return centred<Value>(k);
  };
  const auto middle = spectrum({}), moved = spectrum({3, -2});
  for (i64 y = 3; y < w; ++y)
    for (i64 x = 0; x < w - 2; ++x)
      EXPECT_NEAR(std::abs(moved(y, x) - middle(y - 3, x + 2)), 0, 1e-12);
  const auto parts = spectrum({0.4, -0.3});
  double row = 0, col = 0, all = 0;
  for (i64 y = 0; y < w; ++y)
    for (i64 x = 0; x < w; ++x) {
      const double open = std::abs(parts(y, x));
      row += open * double(y - w / 2), col += open * double(x - w / 2), all += open;
    }
  // The rim, one pixel wide and falling linearly, is sampled in some 50 places: to 0.01 px.
  EXPECT_NEAR(row / all, 0.4, 0.01);
  EXPECT_NEAR(col / all, -0.3, 0.01);
}

TEST(Probe, NonsenseIsRefused) {
  EXPECT_THROW(form_probe({}, 32, 0.2), std::invalid_argument);
  EXPECT_THROW(form_probe(optics(), 32, 0), std::invalid_argument);
  EXPECT_THROW(form_probe(optics(), 0, 0.2), std::invalid_argument);
}

/// |⟨a, b⟩|
double overlap(View<const Value, 2> a, View<const Value, 2> b) {
  Value sum = 0;
  for (i64 i = 0; i < a.size(); ++i) sum += std::conj(a.data[i]) * b.data[i];
  return std::abs(sum);
}

TEST(Modes, AreOrthogonalAndShareThePower) {
  auto probe = form_probe(optics(60), 40, 0.2);
  for (Value& v : probe) v *= 7.0;  // Σ|probe|² = 49
  const std::vector<double> shares = {0.6, 0.2, 0.1, 0.06, 0.04};
  const auto modes = spread_modes(probe, shares);
  for (std::size_t m = 0; m < shares.size(); ++m) {
    const auto mode = modes.view()[static_cast<i64>(m)];
    EXPECT_NEAR(power(mode), 49 * shares[m], 1e-11);
    for (std::size_t k = 0; k < m; ++k) {
      const auto other = modes.view()[static_cast<i64>(k)];
      EXPECT_LT(overlap(mode, other) / std::sqrt(power(mode) * power(other)), 1e-13);
    }
  }
  for (i64 i = 0; i < probe.size(); ++i)
    EXPECT_NEAR(std::abs(modes.data()[i] - std::sqrt(0.6) * probe.data()[i]), 0, 1e-13);
}

// Mixed at will, modes come out orthogonal and by power, and light every pixel as before.
TEST(Modes, AreMadeOrthogonal) {
  const std::vector<double> shares = {0.5, 0.2, 0.2, 0.1};
  const auto before = spread_modes(form_probe(optics(60), 40, 0.2), shares);
  auto mixed = converted<Value, Value, 3>(before.view());
  for (i64 m = 0; m < 4; ++m)
    for (i64 k = 0; k < 4; ++k)
      for (i64 i = 0; i < 40 * 40; ++i)
        mixed.view()[m].data[i] +=
            std::polar(0.3, 1.0 + double(m * 5 + k * k)) * before.view()[k].data[i];
  const auto modes = orthogonal_modes(converted<Value, Value, 3>(mixed.view()));
  const auto light = [](const Array<Value, 3>& of, i64 i) {
    double sum = 0;
    for (i64 m = 0; m < 4; ++m) sum += std::norm(of.view()[m].data[i]);
    return sum;
  };
  for (i64 i = 0; i < 40 * 40; ++i) EXPECT_NEAR(light(modes, i), light(mixed, i), 1e-14);
  for (i64 m = 0; m < 4; ++m)
    for (i64 k = 0; k < m; ++k) {
      const auto a = modes.view()[m], b = modes.view()[k];
      EXPECT_LT(overlap(a, b), 1e-11);
      EXPECT_LE(power(a), power(b));
    }
}

TEST(Modes, ThatAreOrthogonalStay) {
  const auto before = spread_modes(form_probe(optics(60), 40, 0.2), {0.5, 0.3, 0.2});
  const auto after = orthogonal_modes(converted<Value, Value, 3>(before.view()));
  for (i64 i = 0; i < before.size(); ++i)
    EXPECT_NEAR(std::abs(after.data()[i] - before.data()[i]), 0, 1e-13);
}

/// As two numbers of ranks leave them, which differ by rounding.
/// Noise of 1e-9 a pixel turns modes by it over the root of their power (1/4 and more of 1600
/// pixels' 1 together: 40 · 1e-9 / 0.3) over the relative gap of powers, 1/4 where there is one:
/// 6e-7 of values below 1.
TEST(Modes, OfEqualPowerAreTheSameWhateverTheRounding) {
  for (const auto& shares :
       {std::vector<double>{0.25, 0.25, 0.25, 0.25}, {0.2, 0.3, 0.2, 0.3}, {0.1, 0.2, 0.3, 0.4}}) {
    const auto exact = spread_modes(form_probe(optics(60), 40, 0.2), shares);
    const auto rounded = [&](std::uint64_t seed) {
      auto modes = converted<Value, Value, 3>(exact.view());
      Philox random(seed, 0, 0);
      const auto noise = [&] { return Philox::uniform(random()) - 0.5; };
      for (auto& value : modes) value += 1e-9 * Value(noise(), noise());
      return orthogonal_modes(std::move(modes));
    };
    const auto one = rounded(1), other = rounded(2);
    for (i64 i = 0; i < one.size(); ++i)
      ASSERT_NEAR(std::abs(one.data()[i] - other.data()[i]), 0, 1e-6);
    for (i64 m = 0; m < 4; ++m)
      for (i64 k = 0; k < m; ++k) {
        EXPECT_LT(overlap(one.view()[m], one.view()[k]), 1e-6);
        EXPECT_LE(power(one.view()[m]), power(one.view()[k]) * (1 + 1e-6));
      }
  }
}

TEST(Modes, OfNothingAreRefused) {
  const Array<Value, 2> dark({8, 8});
  EXPECT_THROW(spread_modes(dark, {0.5, 0.5}), std::invalid_argument);
  Array<Value, 2> point({8, 8});
  point(4, 4) = 1;
  EXPECT_THROW(spread_modes(point, {0.5, 0.5}), UserError);
}

}  // namespace
}  // namespace ptyle
