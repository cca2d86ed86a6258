#pragma once

// Properties of the probe's modes, (M, W, W) centred on [W/2, W/2], by which its moves are judged.

#include "core/array.hpp"
#include "physics/propagator.hpp"

namespace ptyle {

/// The derivative along a shift by a px, down or to the right, takes the probe's place: −2πi f / W
/// of its spectrum.
template <class T>
void differentiate(View<Complex<T>, 3> probe, bool along_rows);

/// Takes them so many Å along the beam through vacuum (below 0: back up), on pixels of `pixel` Å.
template <class T>
void propagate(View<Complex<T>, 3> probe, double pixel, double wavelength, double distance,
               Tilt tilt = {});

/// Σ|waves|².
template <class T>
double power_of(View<const Complex<T>, 3> waves);

/// The squared r.m.s. radius of the intensity of all modes, about its middle, px².
template <class T>
double mean_square_radius(View<const Complex<T>, 3> probe);

}  // namespace ptyle
