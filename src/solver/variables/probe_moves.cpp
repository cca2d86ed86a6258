#include "solver/variables/probe_moves.hpp"

#include "core/grid.hpp"
#include "core/units.hpp"

namespace ptyle {

template <class T>
void differentiate(View<Complex<T>, 3> probe, bool along_rows) {
  const i64 w = probe.shape[1];
  multiply_spectra<T>(probe, [&](i64 k) {
    const auto f = static_cast<double>(frequency_index(along_rows ? k / w : k % w, w));
    return Complex<T>(0, static_cast<T>(-2 * pi * f / double(w) / double(w * w)));
  });
}

template <class T>
void propagate(View<Complex<T>, 3> probe, double pixel, double wavelength, double distance,
               Tilt tilt) {
  const i64 w = probe.shape[1];
  const auto through = propagator(w, pixel, wavelength, distance, tilt);
  multiply_spectra<T>(probe, [&](i64 k) {
    return Complex<T>(through[static_cast<std::size_t>(k)] / double(w * w));
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
template double mean_square_radius(View<const Complex<float>, 3>);
template double mean_square_radius(View<const Complex<double>, 3>);

}  // namespace ptyle
