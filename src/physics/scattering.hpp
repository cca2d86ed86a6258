#pragma once

// Electron scattering of atoms: published scattering-factor parametrizations and the projected
// potential that follows from them.

#include <cmath>
#include <optional>
#include <string_view>

#include "core/units.hpp"
#include "physics/electron.hpp"

namespace ptyle {

enum class Parametrization {
  lobato,   ///< Lobato and Van Dyck, Acta Cryst. A70 (2014) 636
  kirkland  ///< Kirkland, Advanced Computing in Electron Microscopy, 2nd ed. (2010), appendix C
};

inline constexpr int heaviest_element = 103;  ///< Lr, the last of both tables

/// The scattering factor f, Å, of element Z (1 … 103) at the spatial frequency k in 1/Å
/// (k = 2 sin θ / λ). Throws std::out_of_range for another Z.
///   Lobato:   f(k) = Σ_i a_i (2 + b_i k²) / (1 + b_i k²)²
///   Kirkland: f(k) = Σ_i a_i / (k² + b_i) + c_i exp(−d_i k²)
double scattering_factor(Parametrization parametrization, int Z, double k);

/// h² / (2π m e), 47.878 V Å²: the Fourier transform of an atom's projected potential (V Å) over
/// the plane is this times f(k), with m the rest mass. Kirkland, 2nd ed., eq. 5.9 and C.1 (written
/// there as 2π a0 e · f with the charge in V Å).
inline constexpr double potential_of_scattering_factor =
    planck_Js * planck_Js / (2 * pi * electron_mass_kg * elementary_charge_C) * metre * metre;

/// The Debye-Waller damping of f(k): exp(−B k²/4), B = 8π²⟨u²⟩ in Å², ⟨u²⟩ along one axis.
inline double debye_waller(double B, double k) { return std::exp(-B * k * k / 4); }
inline double B_of_displacement(double rms) { return 8 * pi * pi * rms * rms; }
inline double displacement_of_B(double B) { return std::sqrt(B / (8 * pi * pi)); }

/// "Pb" → 82; nothing where there is no such element in the tables.
std::optional<int> atomic_number(std::string_view symbol);
/// 82 → "Pb"
std::string_view element_symbol(int Z);

}  // namespace ptyle
