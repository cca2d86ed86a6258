#pragma once

#include "analysis/orientation.hpp"

namespace ptyle {

/// The bright-field disc on the window, DC at [W/2, W/2], px.
struct BrightFieldDisc {
  double row = 0, col = 0, radius = 0;
};

/// With a defocused probe the bright-field disc is a shadow image: the beam of frequency k meets
/// the specimen at p − Δf λ k (Δf > 0 underfocus; it follows from probe = IFFT(aperture ·
/// exp(−iχ))), so a feature moves over the disc by +δ/(Δf λ) when the probe moves by δ. Returns by
/// how many of its standard errors the correlation of neighbouring patterns, shifted so for the
/// flips and rotation given, is larger than when shifted the other way: > 4 speaks for them, < −4
/// for 180° more. 0 where it cannot be decided: too little defocus, or none of the neighbours in
/// reach of the disc.
///
/// `mean` is W·W, DC at [W/2, W/2]; `px_per_length` = 1/(Δf λ dk).
double shadow_sign(i64 count, const LoadPattern& load, View<const double, 2> mean,
                   const BrightFieldDisc& disc, const std::vector<Position>& positions,
                   const Flips& flips, double rotation, double px_per_length);

}  // namespace ptyle
