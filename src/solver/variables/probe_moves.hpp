#pragma once

// Properties of the probe's modes, (M, W, W) centred on [W/2, W/2], by which its moves are judged,
// and changes of their spectra.

#include "core/array.hpp"
#include "device/cpu/fft.hpp"
#include "physics/propagator.hpp"

namespace ptyle {

/// ψ̂(k) ← W² factor(k) ψ̂(k), k = 0 … W²−1 row by row, DC first: of an unnormalised FFT there and
/// back a factor 1/W² leaves all as it is. The place of the waves in their window is but a ramp on
/// their spectra.
template <class T, class F>
void multiply_spectra(View<Complex<T>, 3> probe, F&& factor) {
  const i64 w = probe.shape[1];
  const Fft2<T> fft(w, w, FftRigor::estimate);
  for (i64 m = 0; m < probe.shape[0]; ++m) {
    Complex<T>* const wave = probe[m].data;
    fft.forward(wave);
    for (i64 k = 0; k < w * w; ++k) wave[k] *= factor(k);
    fft.inverse(wave);
  }
}

/// The derivative along a shift by a px, down or to the right, takes the probe's place: −2πi f / W
/// of its spectrum.
template <class T>
void differentiate(View<Complex<T>, 3> probe, bool along_rows);

/// Takes them so many Å along the beam through vacuum (below 0: back up), on pixels of `pixel` Å.
template <class T>
void propagate(View<Complex<T>, 3> probe, double pixel, double wavelength, double distance,
               Tilt tilt = {});

/// The squared r.m.s. radius of the intensity of all modes, about its middle, px².
template <class T>
double mean_square_radius(View<const Complex<T>, 3> probe);

}  // namespace ptyle
