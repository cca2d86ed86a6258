#pragma once

// 2 × 2 matrices, row by row, of vectors (row, col).

#include <array>
#include <cmath>

namespace ptyle {

using Matrix2 = std::array<double, 4>;
using Vector2 = std::array<double, 2>;

inline Matrix2 times(const Matrix2& a, const Matrix2& b) {
  return {a[0] * b[0] + a[1] * b[2], a[0] * b[1] + a[1] * b[3], a[2] * b[0] + a[3] * b[2],
          a[2] * b[1] + a[3] * b[3]};
}
inline Vector2 times(const Matrix2& a, const Vector2& x) {
  return {a[0] * x[0] + a[1] * x[1], a[2] * x[0] + a[3] * x[1]};
}
inline Matrix2 times(double factor, const Matrix2& a) {
  return {factor * a[0], factor * a[1], factor * a[2], factor * a[3]};
}
inline Matrix2 transposed(const Matrix2& a) { return {a[0], a[2], a[1], a[3]}; }
/// The inverse of a matrix that has one.
inline Matrix2 inverse(const Matrix2& a) {
  return times(1 / (a[0] * a[3] - a[1] * a[2]), {a[3], -a[1], -a[2], a[0]});
}
/// From rows to columns by `angle`, rad.
inline Matrix2 rotation(double angle) {
  const double c = std::cos(angle), s = std::sin(angle);
  return {c, -s, s, c};
}

}  // namespace ptyle
