#pragma once

#include <vector>

namespace ptyle {

/// sRGB, each 0 … 1.
struct Colour {
  double r = 0, g = 0, b = 0;
};

/// Maps from a value in 0 … 1 to a colour. All are even steps in the Oklab space (Ottosson 2020),
/// in which equal distances look about equal; all but `cyclic` and `diverging` rise in lightness
/// from end to end, so that they survive a print in gray.
enum class ColourMap {
  gray,       ///< black to white
  viridis,    ///< dark violet, green, yellow: counts, amplitudes, data in general
  inferno,    ///< black, red, pale yellow: diffraction patterns
  diverging,  ///< blue, white, red: differences; the range should be symmetric about 0
  cyclic,     ///< hue circle of one lightness: a phase from −π (0) to π (1)
};

/// The colour at t, clamped to 0 … 1; NaN gives a neutral gray.
Colour colour_at(ColourMap map, double t);

/// Brightness from amplitude (0 … 1), hue from phase (rad): black where nothing is.
Colour complex_colour(double amplitude, double phase);

/// The i-th colour for curves, distinguishable for the colour-blind (Okabe and Ito 2008).
Colour curve_colour(int i);

/// Round numbers (1, 2 or 5 times a power of ten apart) within [low, high], `about` of them.
std::vector<double> ticks(double low, double high, int about);

/// The largest 1, 2 or 5 times a power of ten that is at most x (x > 0).
double round_length(double x);

}  // namespace ptyle
