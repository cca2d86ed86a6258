#pragma once

// Options of preconditioning by the transfer (solver/rules/transfer).

#include <algorithm>
#include <cmath>

#include "core/array.hpp"
#include "core/choice.hpp"

namespace ptyle {

/// How the transfer H is inverted, h its largest value:
enum class TransferInverse {
  damped,  ///< 1/(H + μ h): what is hardly transferred moves by its gradient alone
  wiener   ///< H/(H² + μ² h²): what is hardly transferred does not move
};
constexpr auto choices(TransferInverse) {
  return std::to_array<Named<TransferInverse>>(
      {{TransferInverse::damped, "damped"}, {TransferInverse::wiener, "wiener"}});
}

struct TransferOptions {
  double damping = 0.02;  ///< μ
  TransferInverse how = TransferInverse::damped;
  double reach = 0;  ///< Å; 0: by the aperture
  i64 pixels = 11;   ///< the reach on the object, which a session finds (reach_of_transfer)
};

/// px: as given (Å), or so far that the kernel of the inverse has faded: 2.5 over the aperture's
/// radius (1/Å; 0: not known), which is what the transfer's finest features of 1/(2.5 · 2) of that
/// leave.
inline i64 reach_of_transfer(const TransferOptions& options, double aperture_k, double pixel) {
  constexpr double least = 4, most = 32, usual = 11;
  if (options.reach > 0) return std::max<i64>(1, std::llround(options.reach / pixel));
  if (aperture_k <= 0) return static_cast<i64>(usual);
  return std::llround(std::clamp(2.5 / (aperture_k * pixel), least, most));
}

}  // namespace ptyle
