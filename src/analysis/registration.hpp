#pragma once

// Laying one image on another: planes (constant and linear ramp), sub-pixel shifts.

#include "core/array.hpp"
#include "core/grid.hpp"

namespace ptyle {

/// c + row·(y − y0) + col·(x − x0), (y0, x0) = the middle of the image, pixel (n − 1)/2.
struct Plane {
  double constant = 0, row = 0, col = 0;  ///< rad, rad a pixel
  [[nodiscard]] double at(double y, double x, const std::array<i64, 2>& shape) const {
    return constant + row * (y - 0.5 * static_cast<double>(shape[0] - 1)) +
           col * (x - 0.5 * static_cast<double>(shape[1] - 1));
  }
};

/// The plane nearest to the image in the weighted least-squares sense. Weights ≥ 0, not all 0.
Plane fit_plane(View<const double, 2> image, View<const double, 2> weight);
void subtract(const Plane& plane, View<double, 2> image);

/// image(r − shift) by the Fourier shift theorem, periodic; exact for what the pixels resolve (a
/// real image stays real: the Nyquist frequency of an even size gets the cosine alone).
Array<double, 2> fourier_shifted(View<const double, 2> image, Position shift);

/// The box of that shape at (row, col) of the image, which may lie between pixels, interpolated by
/// the Fourier shift theorem; beyond the image's edge its outermost pixels go on.
Array<double, 2> box_at(View<const float, 2> image, double row, double col,
                        const std::array<i64, 2>& shape);
Array<double, 2> box_at(View<const double, 2> image, double row, double col,
                        const std::array<i64, 2>& shape);

/// s in pixels such that moving(r) ≈ gain · fixed(r − s) + plane; |s| ≤ `reach` in each direction.
/// 1. cross-correlation by FFT of both images, planes removed, weighted; its highest peak within
///    reach, a parabola through it;
/// 2. Gauss–Newton steps of the weighted least-squares problem in shift, gain and plane, until one
///    is below 1e-4 px. What ends out of reach, or agrees less than no shift at all, gives zero.
Position find_shift(View<const double, 2> moving, View<const double, 2> fixed,
                    View<const double, 2> weight, double reach);

}  // namespace ptyle
