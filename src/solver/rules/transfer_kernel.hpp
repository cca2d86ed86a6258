#pragma once

// The inverse of a kernel, by frequency, cut off where it has faded.

#include "device/cpu/wrapped_kernel.hpp"
#include "solver/rules/transfer_options.hpp"

namespace ptyle {

struct InverseKernel {
  Kernel3 kernel;               ///< as far as the reach
  double lost = 0;              ///< of its norm, beyond that
  double largest_transfer = 0;  ///< h
};

/// The inverse, by Fourier transform over all three axes, of a kernel K(Δz, Δy, Δx)
/// (device/cpu/wrapped_kernel) with a floor of damping · h, cut off at `reach` px. Planes are
/// padded so that none meets another around the end. FFTs are in T.
template <class T>
InverseKernel inverse_of(const Kernel3& kernel, double damping, TransferInverse how, i64 reach,
                         Ledger* ledger = nullptr);
/// Bytes that it accounts for as "transfer" meanwhile, of a kernel that reaches as far.
template <class T>
double inverse_bytes(i64 planes, i64 reach);

}  // namespace ptyle
