#pragma once

#include <cstdint>

#include "device/ops/kinds.hpp"

namespace ptyle {

/// Weights of a quadratic penalty of a volume V, per voxel:
///
///   P(V) = Σ a V² + b ((V(y+1) − V)² + (V(x+1) − V)²) + c (V(z+1) − V)²
///
/// A term belongs to the voxel at which it begins; there is none beyond the volume's rim, nor with
/// a pixel outside the object's support.
struct PenaltyWeights {
  double square = 0;   ///< a
  double lateral = 0;  ///< b
  double along_z = 0;  ///< c
};

/// The part of a volume whose terms are meant: those that begin in `core`; `support`: 0 outside it;
/// empty: all is inside.
struct PenaltyPart {
  PenaltyPart(const Box& begins_in, View<const std::uint8_t, 2> of_object = {})
      : core(begins_in), support(of_object) {}
  [[nodiscard]] PTYLE_HOST_DEVICE bool begins(i64 row, i64 col) const {
    return core.rows.contains(row) && core.cols.contains(col);
  }
  [[nodiscard]] PTYLE_HOST_DEVICE bool is_inside(i64 row, i64 col) const {
    return support.data == nullptr || support.data[row * support.shape[1] + col] != 0;
  }
  /// The pixels whose voxels have a share in these terms.
  [[nodiscard]] Box touched(const Pixels& whole) const {
    return intersection(
        {{core.rows.begin, core.rows.end + 1}, {core.cols.begin, core.cols.end + 1}}, whole.region);
  }
  Box core;
  View<const std::uint8_t, 2> support;
};

/// The volume of a penalty, and the terms of a part.
template <class T>
struct PenaltyTerms {
  PenaltyTerms(View<const T, 3> of, const PenaltyWeights& weights, const PenaltyPart& of_part)
      : v(of.data),
        part(of_part),
        a(static_cast<T>(weights.square)),
        b(static_cast<T>(weights.lateral)),
        c(static_cast<T>(weights.along_z)),
        whole(pixels_of(of)) {}
  /// Weights of a pixel's terms: its own square; those that begin there and end to the right and
  /// below; those that begin to the left and above and end there.
  struct AtPixel {
    T own, right, below, left, above, along_z;
  };
  [[nodiscard]] PTYLE_HOST_DEVICE AtPixel of_pixel(i64 row, i64 col) const {
    if (!part.is_inside(row, col)) return {0, 0, 0, 0, 0, 0};
    const bool here = part.begins(row, col);
    const auto with = [&](bool one, i64 y, i64 x) {
      return one && part.is_inside(y, x) ? b : T(0);
    };
    return {here ? a : T(0),
            with(here && col + 1 < whole.cols, row, col + 1),
            with(here && row + 1 < whole.rows, row + 1, col),
            with(part.begins(row, col - 1), row, col - 1),
            with(part.begins(row - 1, col), row - 1, col),
            here ? c : T(0)};
  }
  /// V(voxel i) − V(its neighbour), or 0 where that one has no weight and may not be there.
  [[nodiscard]] PTYLE_HOST_DEVICE T difference(i64 i, i64 neighbour, bool there) const {
    return there ? v[i] - v[i + neighbour] : T(0);
  }
  const T* v;
  PenaltyPart part;
  T a, b, c;
  Pixels whole;
};

/// The penalty itself, as the sum over the part's core.  Bytes: reads 1 volume.
template <class T>
struct PenaltyCost {
  PenaltyCost(View<const T, 3> of, const PenaltyWeights& weights, const PenaltyPart& part)
      : terms(of, weights, part), where(terms.whole) {
    where.region = part.core;
  }
  using AtPixel = typename PenaltyTerms<T>::AtPixel;
  [[nodiscard]] PTYLE_HOST_DEVICE AtPixel at(i64 row, i64 col) const {
    return terms.of_pixel(row, col);
  }
  PTYLE_HOST_DEVICE double operator()(i64 i, const AtPixel& w) const {
    const i64 plane = where.of_plane();
    const bool last = i + plane >= where.planes * plane;
    const double v = double(terms.v[i]);
    const double right = double(terms.difference(i, 1, w.right != 0));
    const double below = double(terms.difference(i, where.cols, w.below != 0));
    const double deeper = double(terms.difference(i, plane, w.along_z != 0 && !last));
    return double(w.own) * v * v + double(w.right) * right * right +
           double(w.below) * below * below + double(w.along_z) * deeper * deeper;
  }
  PenaltyTerms<T> terms;
  Pixels where;
};

/// g += share · ∂P/∂V.  Bytes: reads 2 volumes, writes 1.
template <class T>
struct PenaltyGradient {
  PenaltyGradient(View<const T, 3> of, const PenaltyWeights& weights, const PenaltyPart& part,
                  double share, View<T, 3> gradient)
      : terms(of, weights, part),
        g(gradient.data),
        twice_share(static_cast<T>(2 * share)),
        where(terms.whole) {
    where.region = part.touched(where);
  }
  using AtPixel = typename PenaltyTerms<T>::AtPixel;
  [[nodiscard]] PTYLE_HOST_DEVICE AtPixel at(i64 row, i64 col) const {
    return terms.of_pixel(row, col);
  }
  PTYLE_HOST_DEVICE void operator()(i64 i, const AtPixel& w) const {
    const i64 plane = where.of_plane();
    const bool last = i + plane >= where.planes * plane, first = i < plane;
    g[i] += twice_share * (w.own * terms.v[i] + w.right * terms.difference(i, 1, w.right != 0) +
                           w.left * terms.difference(i, -1, w.left != 0) +
                           w.below * terms.difference(i, where.cols, w.below != 0) +
                           w.above * terms.difference(i, -where.cols, w.above != 0) +
                           w.along_z * (terms.difference(i, plane, w.along_z != 0 && !last) +
                                        terms.difference(i, -plane, w.along_z != 0 && !first)));
  }
  PenaltyTerms<T> terms;
  T* g;
  T twice_share;
  Pixels where;
};

}  // namespace ptyle
