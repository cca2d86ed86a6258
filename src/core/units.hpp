#pragma once

namespace ptyle {

inline constexpr double pi = 3.14159265358979323846;
inline constexpr double mrad = 1e-3;          ///< rad in a milliradian
inline constexpr double degree = pi / 180.0;  ///< rad in a degree
inline constexpr double metre = 1e10;         ///< Å in a metre

}  // namespace ptyle
