#include "solver/variables/probe_moves.hpp"

#include <numeric>

#include "core/grid.hpp"
#include "core/units.hpp"
#include "device/cpu/fft.hpp"

namespace ptyle {

template <class T>
void differentiate(View<Complex<T>, 3> probe, bool along_rows) {
  const i64 w = probe.shape[1];
  const Fft2<T> fft(w, w, FftRigor::estimate);
  for (i64 m = 0; m < probe.shape[0]; ++m) {
    Complex<T>* const wave = probe[m].data;
    fft.forward(wave);
    for (i64 i = 0; i < w * w; ++i) {
      const auto f = static_cast<double>(frequency_index(along_rows ? i / w : i % w, w));
      wave[i] *= Complex<T>(0, static_cast<T>(-2 * pi * f / double(w) / double(w * w)));
    }
    fft.inverse(wave);
  }
}

// The waves' place in their window is but a ramp on their spectra.
template <class T>
void propagate(View<Complex<T>, 3> probe, double pixel, double wavelength, double distance,
               Tilt tilt) {
  const i64 w = probe.shape[1];
  const auto through = propagator(w, pixel, wavelength, distance, tilt);
  const Fft2<T> fft(w, w, FftRigor::estimate);
  for (i64 m = 0; m < probe.shape[0]; ++m) {
    Complex<T>* const wave = probe[m].data;
    fft.forward(wave);
    for (i64 k = 0; k < w * w; ++k)
      wave[k] *= Complex<T>(through[static_cast<std::size_t>(k)] / double(w * w));
    fft.inverse(wave);
  }
}

template <class T>
double power_of(View<const Complex<T>, 3> waves) {
  return std::accumulate(waves.begin(), waves.end(), 0.0, [](double sum, const Complex<T>& value) {
    return sum + static_cast<double>(std::norm(value));
  });
}

template <class T>
double mean_square_radius(View<const Complex<T>, 3> probe) {
  const i64 w = probe.shape[1];
  double sum = 0, row = 0, col = 0, square = 0;
  for (i64 m = 0; m < probe.shape[0]; ++m)
    for (i64 y = 0; y < w; ++y)
      for (i64 x = 0; x < w; ++x) {
        const auto intensity = static_cast<double>(std::norm(probe(m, y, x)));
        sum += intensity;
        row += intensity * static_cast<double>(y);
        col += intensity * static_cast<double>(x);
        square += intensity * static_cast<double>(y * y + x * x);
      }
  return sum > 0 ? (square - (row * row + col * col) / sum) / sum : 0;
}

template void differentiate(View<Complex<float>, 3>, bool);
template void differentiate(View<Complex<double>, 3>, bool);
template void propagate(View<Complex<float>, 3>, double, double, double, Tilt);
template void propagate(View<Complex<double>, 3>, double, double, double, Tilt);
template double power_of(View<const Complex<float>, 3>);
template double power_of(View<const Complex<double>, 3>);
template double mean_square_radius(View<const Complex<float>, 3>);
template double mean_square_radius(View<const Complex<double>, 3>);

}  // namespace ptyle
