#pragma once

// The power of waves.

#include <complex>
#include <vector>

#include "core/array.hpp"

namespace ptyle {

/// Σ|wave|².
template <class T>
double power_of(View<const Complex<T>, 2> wave) {
  double sum = 0;
  for (const Complex<T>& value : wave) sum += std::norm(Complex<double>(value));
  return sum;
}
/// The same of all modes (M, W, W) together.
template <class T>
double power_of(View<const Complex<T>, 3> modes) {
  return power_of<T>(
      View<const Complex<T>, 2>{modes.data, {modes.shape[0] * modes.shape[1], modes.shape[2]}});
}

/// The fraction of the power in each mode; of a dark probe, 0.
template <class T>
std::vector<double> shares_of_power(View<const Complex<T>, 3> modes) {
  std::vector<double> shares;
  double total = 0;
  for (i64 m = 0; m < modes.shape[0]; ++m) total += shares.emplace_back(power_of<T>(modes[m]));
  for (double& share : shares) share = total > 0 ? share / total : 0;
  return shares;
}

}  // namespace ptyle
