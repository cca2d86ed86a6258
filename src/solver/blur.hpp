#pragma once

#include <vector>

#include "core/array.hpp"

namespace ptyle {

/// Weights of a truncated Gaussian of width σ (samples), [0] its centre; they sum to 1 with both
/// sides counted. Cut at 3.5 σ, where what is left out is 5e-4.
std::vector<double> gaussian_weights(double sigma);

/// How far a blur of width σ reaches, samples: 3.5 σ, rounded up.
i64 reach_of_blur(double sigma);

/// Lateral Gaussian blur of one slice in place, σ in pixels; reads zero outside. Separable and
/// local (its reach is 3.5 σ), so that tiles need no more than a halo of that width.
template <class T>
void blur_lateral(View<T, 2> slice, double sigma);

/// Gaussian blur along z in place, σ in slices; the end slices are repeated outside. `threads`
/// share the rows.
template <class T>
void blur_along_z(View<T, 3> volume, double sigma, int threads);

}  // namespace ptyle
