#pragma once

// Kernels K(Δz, Δy, Δx), (2S − 1, 2R + 1, 2R + 1), the distance zero in the middle, and their
// discrete Fourier transform over all three axes.

#include "core/array.hpp"
#include "core/ledger.hpp"

namespace ptyle {

using Kernel3 = Array<double, 3>;

/// The place of a distance in an array of n that goes around.
constexpr i64 wrapped(i64 distance, i64 n) { return distance < 0 ? distance + n : distance; }

/// (length, side, side), around whose [0,0,0] the kernel lies, made the same at opposite distances:
/// what differs is averaged. It must fit: length ≥ 2S − 1, side ≥ 2R + 1.
/// Accounted for as "transfer".
template <class T>
Array<Complex<T>, 3> wrapped_kernel(View<const double, 3> kernel, i64 length, i64 side,
                                    Ledger* ledger = nullptr);

/// In place, over all three axes; the inverse is not scaled.
template <class T>
void transform(Array<Complex<T>, 3>& values, bool inverse);

}  // namespace ptyle
