#pragma once

#include <cmath>

#include "core/units.hpp"

namespace ptyle {

// CODATA 2018, SI units.
inline constexpr double planck_Js = 6.62607015e-34;
inline constexpr double electron_mass_kg = 9.1093837015e-31;
inline constexpr double elementary_charge_C = 1.602176634e-19;
inline constexpr double light_speed_m_s = 299792458.0;

/// Relativistic wavelength of an electron, Å, from its energy in kV.
/// λ = h / sqrt(2 m eE (1 + eE / 2mc²)); Kirkland, Advanced Computing in Electron Microscopy, 2.5.
inline double electron_wavelength(double energy_kV) {
  const double eE = elementary_charge_C * energy_kV * 1e3;
  const double mc2 = electron_mass_kg * light_speed_m_s * light_speed_m_s;
  return planck_Js / std::sqrt(2 * electron_mass_kg * eE * (1 + eE / (2 * mc2))) * metre;
}

/// Interaction constant σ = 2π m_rel e λ / h², rad per (V Å): phase = σ · projected potential (V
/// Å). Kirkland, 5.6.
inline double interaction_constant(double energy_kV) {
  const double eE = elementary_charge_C * energy_kV * 1e3;
  const double mc2 = electron_mass_kg * light_speed_m_s * light_speed_m_s;
  const double relativistic_mass = electron_mass_kg * (1 + eE / mc2);
  const double wavelength_m = electron_wavelength(energy_kV) / metre;
  return 2 * pi * relativistic_mass * elementary_charge_C * wavelength_m / (planck_Js * planck_Js) /
         metre;
}

/// Wavelength of a photon, Å, from its energy in keV: λ = hc / E.
inline double photon_wavelength(double energy_keV) {
  return planck_Js * light_speed_m_s / (energy_keV * 1e3 * elementary_charge_C) * metre;
}

}  // namespace ptyle
