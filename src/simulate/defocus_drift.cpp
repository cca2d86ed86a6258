#include "simulate/defocus_drift.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/grid.hpp"
#include "core/units.hpp"
#include "device/cpu/fft.hpp"

namespace ptyle {

// About pixel [W/2, W/2] or [0, 0] alike: a factor of the spectrum commutes with a shift.
Array<Complex<double>, 3> defocused(View<const Complex<double>, 3> modes, double change,
                                    double wavelength, double pixel) {
  const i64 w = modes.shape[1];
  const Fft2<double> fft(w, w, FftRigor::estimate);
  const double dk = 1 / (static_cast<double>(w) * pixel);
  auto all = converted<Complex<double>, Complex<double>, 3>(modes);
  for (i64 m = 0; m < modes.shape[0]; ++m) {
    Complex<double>* const wave = all.view()[m].data;
    fft.forward(wave);
    for (i64 i = 0; i < w * w; ++i) {
      const auto y = static_cast<double>(frequency_index(i / w, w)),
                 x = static_cast<double>(frequency_index(i % w, w));
      wave[i] *= std::polar(1 / static_cast<double>(w * w),
                            pi * wavelength * change * dk * dk * (y * y + x * x));
    }
    fft.inverse(wave);
  }
  return all;
}

DefocusDrift::DefocusDrift(const std::vector<double>& changes, double semi_angle, double wavelength,
                           double pixel)
    : wavelength_(wavelength), pixel_(pixel) {
  const auto [low, high] = std::minmax_element(changes.begin(), changes.end());
  const double middle = (*high + *low) / 2, half = (*high - *low) / 2;
  const double beta = pi * half * semi_angle * semi_angle / wavelength;
  const int n = static_cast<int>(std::ceil(1.1 * beta + 6 * std::cbrt(beta))) + 8;
  for (int j = 0; j < n; ++j) nodes_.push_back(middle + half * std::cos(pi * (j + 0.5) / n));
}

Array<Complex<double>, 3> DefocusDrift::basis(View<const Complex<float>, 3> modes) const {
  const auto of_plan = converted<Complex<double>, Complex<float>, 3>(modes);
  const auto n = static_cast<i64>(nodes_.size());
  Array<Complex<double>, 3> all({modes.shape[0] * n, modes.shape[1], modes.shape[2]});
  for (i64 j = 0; j < n; ++j) {
    const auto there =
        defocused(of_plan.view(), nodes_[static_cast<std::size_t>(j)], wavelength_, pixel_);
    for (i64 m = 0; m < modes.shape[0]; ++m)
      std::copy(there.view()[m].begin(), there.view()[m].end(), all.view()[m * n + j].begin());
  }
  return all;
}

std::vector<Complex<double>> DefocusDrift::coefficients(double change, i64 modes) const {
  const std::size_t n = nodes_.size(), m = static_cast<std::size_t>(modes);
  std::vector<Complex<double>> all(m * m * n);
  for (std::size_t j = 0; j < n; ++j) {
    double lagrange = 1;
    for (std::size_t i = 0; i < n; ++i)
      if (i != j) lagrange *= (change - nodes_[i]) / (nodes_[j] - nodes_[i]);
    for (std::size_t mode = 0; mode < m; ++mode) all[mode * m * n + mode * n + j] = lagrange;
  }
  return all;
}

}  // namespace ptyle
