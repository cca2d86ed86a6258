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
/// Frequencies that are hardly transferred would follow the noise and what the model lacks, in
/// strong scatterers into wrong minima: Wiener's form and a large μ keep them (docs/math.md has the
/// comparison).
struct TransferOptions {
  double damping = 0.3;  ///< μ
  TransferInverse how = TransferInverse::wiener;
  double reach = 0;  ///< Å; 0: by the aperture
  i64 pixels = 11;   ///< the reach on the object, which a session finds (reach_of_transfer)
};

/// The reach, px: options.reach (Å), or 2.5 / k_α, k_α the aperture's radius (1/Å; 0: unknown),
/// within 4 to 32 px; unknown: 11 px; and less than half the window, which exact halos have. On the
/// set of bench/convergence (k_α 1.2 per Å) reaches of 1.6 to 3.2 Å are about as good, 2.1 Å best:
/// the kernel has faded there, and noise of what lies beyond does harm.
inline i64 reach_of_transfer(const TransferOptions& options, double aperture_k, double pixel,
                             i64 window) {
  constexpr double least = 4, most = 32;
  constexpr i64 usual = 11;
  if (options.reach > 0) return std::max<i64>(1, std::llround(options.reach / pixel));
  const i64 wanted =
      aperture_k <= 0 ? usual : std::llround(std::clamp(2.5 / (aperture_k * pixel), least, most));
  return std::min(wanted, std::max<i64>(1, (window - 1) / 2));
}

}  // namespace ptyle
