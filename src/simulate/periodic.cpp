#include "simulate/periodic.hpp"

#include <algorithm>
#include <cmath>

#include "physics/propagator.hpp"

namespace ptyle {
namespace {

using Wave = Array<Complex<double>, 2>;

// Calls f(y, x, ky, kx) for every frequency, 1/Å.
template <class F>
void for_frequencies(const PeriodicCell& c, F&& f) {
  for (i64 y = 0; y < c.ny; ++y)
    for (i64 x = 0; x < c.nx; ++x)
      f(y, x, double(frequency_index(y, c.ny)) / (double(c.ny) * c.pixel[0]),
        double(frequency_index(x, c.nx)) / (double(c.nx) * c.pixel[1]));
}

}  // namespace

double PeriodicMultislice::open(double k) const {
  const double nyquist = 0.5 / std::max(cell_.pixel[0], cell_.pixel[1]);
  const double cut = cell_.cut * nyquist, width = cell_.taper * nyquist;
  if (k > cut) return 0;
  if (k <= cut - width) return 1;
  return (1 + std::cos(pi * (k - cut + width) / width)) / 2;
}

PeriodicMultislice::PeriodicMultislice(const PeriodicCell& cell, View<const double, 3> potential)
    : cell_(cell),
      fft_(cell.ny, cell.nx, FftRigor::estimate),
      transmission_(potential.shape),
      propagator_({cell.ny, cell.nx}) {
  const double n = static_cast<double>(cell.ny * cell.nx);
  Array<double, 2> aperture({cell.ny, cell.nx});
  for_frequencies(cell_, [&](i64 y, i64 x, double ky, double kx) {
    aperture(y, x) = open(std::hypot(ky, kx)) / n;
    propagator_(y, x) =
        aperture(y, x) * propagation(ky, kx, cell_.optics.wavelength, cell_.slice_thickness);
  });
  for (i64 s = 0; s < potential.shape[0]; ++s) {
    const View<Complex<double>, 2> t = transmission_.view()[s];
    for (i64 i = 0; i < t.size(); ++i)
      t.data[i] = std::polar(1.0, cell.interaction * potential[s].data[i]);
    fft_.forward(t.data);
    for (i64 i = 0; i < t.size(); ++i) t.data[i] *= aperture.data()[i];
    fft_.inverse(t.data);
  }
}

Wave PeriodicMultislice::probe(Position at) const {
  Wave wave({cell_.ny, cell_.nx});
  const ProbeOptics& o = cell_.optics;
  double power = 0;
  for_frequencies(cell_, [&](i64 y, i64 x, double ky, double kx) {
    if (o.wavelength * std::hypot(ky, kx) > o.semi_angle) return;
    wave(y, x) = std::polar(1.0, -aberration_phase(o.aberrations, ky, kx, o.wavelength) -
                                     2 * pi * (ky * at.row + kx * at.col));
    power += 1;
  });
  fft_.inverse(wave.data());
  const double scale = 1 / std::sqrt(power * static_cast<double>(cell_.ny * cell_.nx));
  for (auto& value : wave) value *= scale;
  return wave;
}

Wave PeriodicMultislice::exit_wave(View<const Complex<double>, 2> incident) const {
  Wave wave(incident.shape);
  std::copy(incident.begin(), incident.end(), wave.begin());
  for (i64 s = 0; s < transmission_.shape()[0]; ++s) {
    const View<const Complex<double>, 2> t = transmission_.view()[s];
    for (i64 i = 0; i < wave.size(); ++i) wave.data()[i] *= t.data[i];
    fft_.forward(wave.data());
    for (i64 i = 0; i < wave.size(); ++i) wave.data()[i] *= propagator_.data()[i];
    fft_.inverse(wave.data());
  }
  return wave;
}

Array<double, 2> PeriodicMultislice::pattern(View<const Complex<double>, 2> exit) const {
  Wave wave(exit.shape);
  std::copy(exit.begin(), exit.end(), wave.begin());
  fft_.forward(wave.data());
  Array<double, 2> intensity(exit.shape);
  const double n = static_cast<double>(exit.size());
  for (i64 i = 0; i < wave.size(); ++i) intensity.data()[i] = std::norm(wave.data()[i]) / n;
  return centred<double>(intensity);
}

}  // namespace ptyle
