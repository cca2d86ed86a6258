#pragma once

// Gaussian blurs of the object and of its gradient (device/arithmetic applies the weights). They
// are separable and local, so that tiles need no more than a halo of their reach.

#include <vector>

#include "core/array.hpp"

namespace ptyle {

/// Weights of a truncated Gaussian of width σ (samples), [0] its centre; they sum to 1 with both
/// sides counted. Cut at 3.5 σ, where what is left out is 5e-4.
std::vector<double> gaussian_weights(double sigma);

/// How far a blur of width σ reaches, samples: 3.5 σ, rounded up.
i64 reach_of_blur(double sigma);

}  // namespace ptyle
