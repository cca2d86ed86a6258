#include <gtest/gtest.h>

#include <complex>

#include "physics/aberrations.hpp"
#include "physics/electron.hpp"
#include "physics/propagator.hpp"

namespace ptyle {
namespace {

constexpr double wavelength = 0.02508;  // Å, 200 kV

TEST(Aberrations, DefocusAndSphericalAreRadial) {
  // χ = 2π/λ (½ C10 α² + ¼ C30 α⁴), α = λk; written out for k = 1.2 1/Å.
  const Aberrations a{.C10 = -250, .C30 = 1e7};
  const double alpha = wavelength * 1.2;
  const double chi =
      2 * pi / wavelength * (-250 * alpha * alpha / 2 + 1e7 * std::pow(alpha, 4) / 4);
  for (const double azimuth : {0.0, 0.7, 2.0, -1.3})
    EXPECT_NEAR(aberration_phase(a, 1.2 * std::sin(azimuth), 1.2 * std::cos(azimuth), wavelength),
                chi, 1e-9 * std::abs(chi));
}

TEST(Aberrations, UnderfocusIsAPropagationBackwards) {
  // A probe that is underfocused by d has its crossover d below the specimen: propagating it by d
  // brings it to focus. exp(−iχ) · exp(−iπ λ d k²) = 1 where C10 = −d.
  const double d = 250, ky = 0.6, kx = -0.9;
  const auto lens = std::polar(1.0, -aberration_phase({.C10 = -d}, ky, kx, wavelength));
  EXPECT_NEAR(std::abs(lens * propagation(ky, kx, wavelength, d) - 1.0), 0, 1e-12);
}

TEST(Aberrations, AzimuthsTurnWithThePattern) {
  // χ of an aberration of m-fold symmetry at φ is that at φ + 2π/m, and turning its azimuth φ_nm
  // turns the whole pattern.
  struct Case {
    Aberrations a, turned;
    int fold;
  };
  const double turn = 0.4;
  const Case cases[] = {
      {{.C12 = 30, .phi12 = 0.2}, {.C12 = 30, .phi12 = 0.2 + turn}, 2},
      {{.C21 = 300, .phi21 = 0.2}, {.C21 = 300, .phi21 = 0.2 + turn}, 1},
      {{.C23 = 300, .phi23 = 0.2}, {.C23 = 300, .phi23 = 0.2 + turn}, 3},
  };
  const auto chi = [](const Aberrations& a, double azimuth) {
    return aberration_phase(a, std::sin(azimuth), std::cos(azimuth), wavelength);
  };
  for (const auto& c : cases) {
    EXPECT_NEAR(chi(c.a, 0.5), chi(c.a, 0.5 + 2 * pi / c.fold), 1e-9);
    EXPECT_NEAR(chi(c.a, 0.5), chi(c.turned, 0.5 + turn), 1e-9);
    EXPECT_GT(std::abs(chi(c.a, 0.5) - chi(c.a, 0.5 + turn)), 0.01);
  }
  // Maximum of an m-fold aberration along its azimuth: 2π/λ C α^(n+1)/(n+1).
  EXPECT_NEAR(chi({.C12 = 30, .phi12 = 0.2}, 0.2),
              2 * pi / wavelength * 30 * wavelength * wavelength / 2, 1e-9);
}

TEST(Propagator, AChainEqualsOneLongOne) {
  // Phases up to 40 · π λ Δz k² ≈ 1e3 rad are summed: 1e3 times the double's 1e-16, times the
  // 40 products, stays below 1e-11.
  const i64 w = 24;
  const int steps = 40;
  const Tilt tilt{0.003, -0.002};
  const auto one = propagator(w, 0.1, wavelength, 1.25, tilt);
  const auto all = propagator(w, 0.1, wavelength, 1.25 * steps, tilt);
  for (std::size_t i = 0; i < one.size(); ++i) {
    std::complex<double> chain = 1;
    for (int s = 0; s < steps; ++s) chain *= one[i];
    EXPECT_NEAR(std::abs(chain - all[i]), 0, 1e-11);
  }
}

TEST(Propagator, BandLimitIsARadiusOfNyquist) {
  const i64 w = 30;
  const double pixel = 0.2;
  const auto p = propagator(w, pixel, wavelength, 5, {}, 2.0 / 3);
  for (i64 y = 0; y < w; ++y)
    for (i64 x = 0; x < w; ++x) {
      const double radius = std::hypot(frequency_index(y, w), frequency_index(x, w)) / (w / 2.0);
      EXPECT_EQ(std::abs(p[y * w + x]) > 0.5, radius <= 2.0 / 3) << y << ' ' << x;
    }
}

}  // namespace
}  // namespace ptyle
