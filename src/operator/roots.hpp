#pragma once

// cos and sin of fractions of a turn as constants, for butterflies here and on a GPU. Only ever
// evaluated by the compiler: no code is made of them, for whatever instruction set.

namespace ptyle {

/// cos(2π k / n) and sin: a Taylor series within an eighth of a turn.
constexpr double turn_cos(int k, int n);
constexpr double turn_sin(int k, int n);
constexpr double series(double x, double term, int from) {
  double sum = 0;
  for (int i = from; i < from + 30; i += 2) {
    sum += term;
    term *= -x * x / ((i + 1) * (i + 2));
  }
  return sum;
}
constexpr double turn_cos(int k, int n) {
  k = ((k % n) + n) % n;
  if (2 * k > n) k = n - k;
  if (4 * k > n) return -turn_cos(n - 2 * k, 2 * n);
  if (8 * k > n) return turn_sin(n - 4 * k, 4 * n);
  return series(6.283185307179586476925 * k / n, 1, 0);
}
constexpr double turn_sin(int k, int n) {
  k = ((k % n) + n) % n;
  if (2 * k > n) return -turn_sin(n - k, n);
  if (4 * k > n) return turn_sin(n - 2 * k, 2 * n);
  if (8 * k > n) return turn_cos(n - 4 * k, 4 * n);
  const double x = 6.283185307179586476925 * k / n;
  return series(x, x, 1);
}

}  // namespace ptyle
