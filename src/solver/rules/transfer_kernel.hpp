#pragma once

// The inverse of a kernel, by frequency, cut off where it has faded.

#include "device/cpu/block_filter.hpp"
#include "solver/rules/transfer_options.hpp"

namespace ptyle {

struct InverseKernel {
  Kernel3 kernel;   ///< as far as `reach`
  double lost = 0;  ///< of its norm, beyond that
  double most = 0;  ///< h
};

/// Of a kernel K(Δz, Δy, Δx) (device/cpu/block_filter), by its Fourier transform over all three
/// axes, planes padded so that none meets another around the end.
InverseKernel inverse_of(const Kernel3& kernel, double damping, TransferInverse how, i64 reach);

}  // namespace ptyle
