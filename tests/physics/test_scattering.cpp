#include <gtest/gtest.h>

#include <stdexcept>

#include "physics/scattering.hpp"

namespace ptyle {
namespace {

TEST(Scattering, TheTwoTablesAgree) {
  // Both fit the same relativistic Hartree-Fock tables; up to 2 1/Å (50 mrad at 200 kV), where
  // nearly all electrons go, they are within 2 % of each other for these elements.
  for (const char* symbol : {"C", "O", "Ti", "Pb"}) {
    const int Z = atomic_number(symbol).value();
    for (double k = 0.2; k <= 2.0; k += 0.1) {
      const double lobato = scattering_factor(Parametrization::lobato, Z, k);
      const double kirkland = scattering_factor(Parametrization::kirkland, Z, k);
      EXPECT_NEAR(lobato / kirkland, 1, 0.02) << symbol << " at " << k;
    }
  }
}

TEST(Scattering, FollowsMottBetheFarOut) {
  // f(k) → Z / (2π² a0 k²) for large k (Mott-Bethe with the X-ray factor gone), a0 = 0.529177 Å.
  // At 12 1/Å a carbon atom's X-ray factor is below 1 % of Z.
  const double k = 12, expected = 6 / (2 * pi * pi * 0.529177 * k * k);
  for (const auto p : {Parametrization::lobato, Parametrization::kirkland})
    EXPECT_NEAR(scattering_factor(p, 6, k) / expected, 1, 0.03);
}

TEST(Scattering, PotentialConstant) {
  // 47.877645 V Å² (CODATA 2018); Kirkland prints 47.86 with older constants.
  EXPECT_NEAR(potential_of_scattering_factor, 47.877645, 1e-5);
}

TEST(Scattering, ThermalMotion) {
  EXPECT_NEAR(B_of_displacement(0.1), 0.789568, 1e-6);
  EXPECT_NEAR(displacement_of_B(B_of_displacement(0.07)), 0.07, 1e-14);
  EXPECT_NEAR(debye_waller(0.8, 1.5), std::exp(-0.8 * 0.5625), 1e-14);
}

TEST(Scattering, ElementsByName) {
  EXPECT_EQ(atomic_number("H"), 1);
  EXPECT_EQ(atomic_number("Lr"), 103);
  EXPECT_FALSE(atomic_number("pb").has_value());
  EXPECT_FALSE(atomic_number("Xx").has_value());
  for (int Z = 1; Z <= heaviest_element; ++Z) {
    EXPECT_EQ(atomic_number(element_symbol(Z)), Z);
    for (const auto p : {Parametrization::lobato, Parametrization::kirkland})
      EXPECT_GT(scattering_factor(p, Z, 0.5), 0) << Z;
  }
  EXPECT_THROW((void)scattering_factor(Parametrization::lobato, 0, 1), std::out_of_range);
  EXPECT_THROW((void)element_symbol(104), std::out_of_range);
}

}  // namespace
}  // namespace ptyle
