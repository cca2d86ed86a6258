#pragma once

#include <cmath>

#include "core/array.hpp"

namespace ptyle {

/// The frequency (cycles per N pixels, signed) that stands at index i of an N-point transform with
/// DC at [0]: 0, 1, … , −2, −1. For even N, index N/2 is −N/2.
constexpr i64 frequency_index(i64 i, i64 n) { return i < (n + 1) / 2 ? i : i - n; }

/// Index i of an array with DC at [0] as an index with DC at [N/2] (fftshift), and back.
constexpr i64 to_centred(i64 i, i64 n) { return (i + n / 2) % n; }
constexpr i64 to_corner(i64 i, i64 n) { return (i + n - n / 2) % n; }

/// fftshift (to_centred) of one frame: DC from [0] to [N/2].
template <class T>
Array<T, 2> centred(View<const T, 2> corner) {
  Array<T, 2> out(corner.shape);
  const auto [ny, nx] = corner.shape;
  for (i64 y = 0; y < ny; ++y)
    for (i64 x = 0; x < nx; ++x) out(to_centred(y, ny), to_centred(x, nx)) = corner(y, x);
  return out;
}

/// ifftshift: DC from [N/2] to [0].
template <class T>
Array<T, 2> cornered(View<const T, 2> centre) {
  Array<T, 2> out(centre.shape);
  const auto [ny, nx] = centre.shape;
  for (i64 y = 0; y < ny; ++y)
    for (i64 x = 0; x < nx; ++x) out(to_corner(y, ny), to_corner(x, nx)) = centre(y, x);
  return out;
}

/// A position on the object, in Å or pixels as said where it is used.
struct Position {
  double row = 0, col = 0;
};

inline double distance(const Position& a, const Position& b) {
  return std::hypot(a.row - b.row, a.col - b.col);
}

}  // namespace ptyle
