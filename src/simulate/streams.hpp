#pragma once

// Streams of random numbers of a simulation, all of one seed (core/random.hpp).

#include <cmath>
#include <cstdint>

#include "core/random.hpp"
#include "core/units.hpp"

namespace ptyle {

inline constexpr std::uint32_t jitter_stream = 1;   ///< by position
inline constexpr std::uint32_t count_stream = 2;    ///< by position
inline constexpr std::uint32_t line_stream = 3;     ///< by line of the scan
inline constexpr std::uint32_t readout_stream = 4;  ///< by position
inline constexpr std::uint32_t dead_stream = 5;     ///< by detector pixel
inline constexpr std::uint32_t current_stream = 6;  ///< by position
inline constexpr std::uint32_t gain_stream = 7;     ///< by detector pixel
inline constexpr std::uint32_t substitution_stream =
    100;  ///< and that of each further one, by atom
inline constexpr int most_substitutions = 900;
inline constexpr std::uint32_t phonon_stream = 1000;  ///< and that of each configuration, by atom

/// A standard normal deviate (Box and Muller), the same on every platform.
inline double normal_deviate(Philox& random) {
  const double radius = std::sqrt(-2 * std::log(random.uniform()));
  return radius * std::cos(2 * pi * random.uniform());
}

}  // namespace ptyle
