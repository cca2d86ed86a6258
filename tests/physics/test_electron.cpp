#include <gtest/gtest.h>

#include "physics/electron.hpp"

namespace ptyle {
namespace {

struct Textbook {
  double energy_kV, wavelength_A, sigma_per_kV_A;
};

// Kirkland, Advanced Computing in Electron Microscopy, table 2.1 (λ) and figure 5.1 (σ; the three
// values there: 0.9244, 0.7288, 0.6526 rad/(kV Å)). Half a unit of the last printed digit.
class ElectronTextbook : public testing::TestWithParam<Textbook> {};

TEST_P(ElectronTextbook, WavelengthAndInteractionConstant) {
  const auto& [energy, wavelength, sigma] = GetParam();
  EXPECT_NEAR(electron_wavelength(energy), wavelength, 0.5e-6);
  EXPECT_NEAR(interaction_constant(energy) * 1e3, sigma, 0.5e-4);
}

INSTANTIATE_TEST_SUITE_P(Energies, ElectronTextbook,
                         testing::Values(Textbook{100, 0.037014, 0.9244},
                                         Textbook{200, 0.025079, 0.7288},
                                         Textbook{300, 0.019687, 0.6526}));

TEST(Electron, PhotonWavelength) {
  // hc = 12.39841984 keV Å (CODATA 2018)
  EXPECT_NEAR(photon_wavelength(8.0), 12.39841984 / 8, 1e-8);
}

}  // namespace
}  // namespace ptyle
