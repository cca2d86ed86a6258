#include "solver/variables/geometry_slopes.hpp"

#include <cmath>
#include <utility>

#include "core/units.hpp"
#include "device/cpu/fft.hpp"

namespace ptyle {
namespace {

/// f(k, ky, kx, slope) of every frequency, 1/Å, DC first, with the slope of P there.
template <class F>
void each_frequency(const GeometryState& at, F&& f) {
  const double dk = 1 / (double(at.window) * at.pixel);
  const PropagationSlopes slopes(at.wavelength, at.slice_thickness, at.tilt);
  for (i64 y = 0; y < at.window; ++y)
    for (i64 x = 0; x < at.window; ++x) {
      const double ky = dk * double(frequency_index(y, at.window)),
                   kx = dk * double(frequency_index(x, at.window));
      f(y * at.window + x, ky, kx, slopes(ky, kx));
    }
}

template <class T>
void to_spectra(View<Complex<T>, 3> waves) {
  const Fft2<T> fft(waves.shape[1], waves.shape[2], FftRigor::estimate);
  for (i64 m = 0; m < waves.shape[0]; ++m) fft.forward(waves[m].data);
}

}  // namespace

std::vector<std::complex<double>> GeometryState::propagator() const {
  return ptyle::propagator(window, pixel, wavelength, slice_thickness, tilt, band_limit);
}

double GeometryParameter::of_probe(const GeometryState& at, double ky, double kx,
                                   const PropagationSlope& slope) const {
  if (of == Of::aberration) return sign * aberration_slope(term, ky, kx, at.wavelength);
  return is_tilt() ? double(at.slices - 1) / 2 * of_propagator(slope) : 0;
}

double GeometryParameter::of_propagator(const PropagationSlope& slope) const {
  return of == Of::aberration  ? 0
         : of == Of::thickness ? slope.thickness
         : of == Of::tilt_row  ? slope.tilt_row
                               : slope.tilt_col;
}

std::vector<GeometryParameter> geometry_parameters(const GeometryOptions& options, i64 slices,
                                                   double aperture_k) {
  using Of = GeometryParameter::Of;
  std::vector<GeometryParameter> all;
  const double wavelength = options.wavelength;
  const auto add_term = [&](const char* name, const AberrationTerm& term, int sign = 1) {
    const AberrationTerm round{term.order, 0, false};
    all.push_back(
        {name, Of::aberration, term, sign, 1 / aberration_slope(round, 0, aperture_k, wavelength)});
  };
  const auto add_both = [&](const std::string& name, int order, int symmetry) {
    add_term((name + ".cos").c_str(), {order, symmetry, false});
    add_term((name + ".sin").c_str(), {order, symmetry, true});
  };
  if (options.has(GeometryPart::defocus)) add_term("defocus", {1, 0, false}, -1);
  if (options.has(GeometryPart::astigmatism)) add_both("C12", 1, 2);
  if (options.has(GeometryPart::coma)) add_both("C21", 2, 1);
  if (options.has(GeometryPart::trefoil)) add_both("C23", 2, 3);
  if (options.has(GeometryPart::spherical)) add_term("C30", {3, 0, false});
  const double steps = double(slices - 1);
  if (options.has(GeometryPart::thickness))
    all.push_back({"thickness",
                   Of::thickness,
                   {},
                   1,
                   1 / (pi * wavelength * aperture_k * aperture_k * steps)});
  if (options.has(GeometryPart::tilt))
    for (const auto& [name, of] : {std::pair{"tilt_row", Of::tilt_row}, {"tilt_col", Of::tilt_col}})
      all.push_back({name, of, {}, 1, 1 / (2 * pi * aperture_k * steps * options.slice_thickness)});
  return all;
}

template <class T>
GeometrySums geometry_sums(const std::vector<GeometryParameter>& parameters,
                           const GeometryState& at, View<Complex<T>, 3> probe,
                           View<Complex<T>, 3> probe_gradient,
                           View<const Complex<double>, 2> propagator_gradient) {
  to_spectra(probe);
  to_spectra(probe_gradient);
  const i64 n = at.window * at.window;
  const std::size_t count = parameters.size();
  const bool through = !propagator_gradient.empty();
  const auto p = through ? at.propagator() : std::vector<std::complex<double>>();
  GeometrySums sums{std::vector<double>(count, 0), std::vector<double>(count * count, 0)};
  std::vector<double> s(count);
  each_frequency(at, [&](i64 k, double ky, double kx, const PropagationSlope& slope) {
    double of_probe = 0, of_propagator = 0, power = 0;
    for (i64 m = 0; m < probe.shape[0]; ++m) {
      const Complex<double> wave(probe.data[m * n + k]);
      of_probe += (std::conj(Complex<double>(probe_gradient.data[m * n + k])) * wave).imag();
      power += std::norm(wave);
    }
    if (through)
      of_propagator =
          (std::conj(propagator_gradient.data[k]) * p[static_cast<std::size_t>(k)]).imag();
    for (std::size_t j = 0; j < count; ++j) {
      s[j] = parameters[j].of_probe(at, ky, kx, slope);
      sums.slopes[j] +=
          2 * (s[j] * of_probe / double(n) - parameters[j].of_propagator(slope) * of_propagator);
    }
    for (std::size_t i = 0; i < count; ++i)
      for (std::size_t j = 0; j < count; ++j)
        sums.overlaps[i * count + j] += s[i] * s[j] * power / double(n);
  });
  return sums;
}

template <class T>
void move_probe(const std::vector<GeometryParameter>& parameters, const GeometryState& at,
                const std::vector<double>& by, View<Complex<T>, 3> probe) {
  to_spectra(probe);
  const i64 n = at.window * at.window;
  each_frequency(at, [&](i64 k, double ky, double kx, const PropagationSlope& slope) {
    double phase = 0;
    for (std::size_t j = 0; j < parameters.size(); ++j)
      phase += by[j] * parameters[j].of_probe(at, ky, kx, slope);
    const auto factor = Complex<T>(std::polar(1 / double(n), -phase));  // and the inverse FFT's
    for (i64 m = 0; m < probe.shape[0]; ++m) probe.data[m * n + k] *= factor;
  });
  const Fft2<T> fft(at.window, at.window, FftRigor::estimate);
  for (i64 m = 0; m < probe.shape[0]; ++m) fft.inverse(probe[m].data);
}

GeometryState moved(const std::vector<GeometryParameter>& parameters, GeometryState from,
                    const std::vector<double>& by) {
  using Of = GeometryParameter::Of;
  for (std::size_t j = 0; j < parameters.size(); ++j) {
    if (parameters[j].of == Of::thickness) from.slice_thickness += by[j];
    if (parameters[j].of == Of::tilt_row) from.tilt.row += by[j];
    if (parameters[j].of == Of::tilt_col) from.tilt.col += by[j];
  }
  return from;
}

template GeometrySums geometry_sums(const std::vector<GeometryParameter>&, const GeometryState&,
                                    View<Complex<float>, 3>, View<Complex<float>, 3>,
                                    View<const Complex<double>, 2>);
template GeometrySums geometry_sums(const std::vector<GeometryParameter>&, const GeometryState&,
                                    View<Complex<double>, 3>, View<Complex<double>, 3>,
                                    View<const Complex<double>, 2>);
template void move_probe(const std::vector<GeometryParameter>&, const GeometryState&,
                         const std::vector<double>&, View<Complex<float>, 3>);
template void move_probe(const std::vector<GeometryParameter>&, const GeometryState&,
                         const std::vector<double>&, View<Complex<double>, 3>);

}  // namespace ptyle
