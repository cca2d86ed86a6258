#pragma once

#include "core/units.hpp"

namespace ptyle {

/// A detector pixel as pictures show it.
struct ShownPixel {
  const char* unit;  ///< mrad; 1/A where no wavelength is known; px in pixel units
  double size;       ///< in it
};

/// `wavelength`: Å; 0: not known. `dk`: 1/Å.
constexpr ShownPixel shown_pixel(bool in_pixels, double wavelength, double dk) {
  if (in_pixels) return {"px", 1};
  if (wavelength <= 0) return {"1/A", dk};
  return {"mrad", wavelength * dk / mrad};
}

}  // namespace ptyle
