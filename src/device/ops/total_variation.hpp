#pragma once

#include <cmath>

#include "device/ops/penalty.hpp"

namespace ptyle {

/// Weights of a smoothed total variation of a volume V (C. R. Vogel, M. E. Oman, SIAM J. Sci.
/// Comput. 17, 227 (1996)), per voxel, with r = V(x+1) − V, d = V(y+1) − V, z = V(z+1) − V:
///
///   P(V) = Σ 2 b δ (√(δ² + r² + d²) − δ) + 2 c δ (√(δ² + z²) − δ)
///
/// which is b (r² + d²) + c z² where differences are small beside the edge δ, and 2 b δ √(r² + d²)
/// + 2 c δ |z| where they are large. Terms belong to voxels as those of PenaltyWeights do.
struct VariationWeights {
  double lateral = 0;  ///< b
  double along_z = 0;  ///< c
  double edge = 1;     ///< δ > 0, in the unit of V
};

/// The volume V of a total variation, and the terms of a part. `along`, where it is not empty, is a
/// direction D: derivatives are then one order higher, along it.
template <class T>
struct VariationTerms {
  VariationTerms(View<const T, 3> of, View<const T, 3> along, const VariationWeights& weights,
                 const PenaltyPart& of_part)
      : v(of.data),
        direction(along.data),
        part(of_part),
        b(static_cast<T>(weights.lateral)),
        c(static_cast<T>(weights.along_z)),
        edge(static_cast<T>(weights.edge)),
        whole(pixels_of(of)) {}

  /// The differences that begin at a pixel, on every plane.
  struct Begins {
    bool right = false, below = false, deeper = false;
  };
  [[nodiscard]] PTYLE_HOST_DEVICE Begins at(i64 row, i64 col) const {
    if (!part.begins(row, col) || !part.is_inside(row, col)) return {};
    return {col + 1 < whole.cols && part.is_inside(row, col + 1),
            row + 1 < whole.rows && part.is_inside(row + 1, col), true};
  }
  [[nodiscard]] PTYLE_HOST_DEVICE bool is_last(i64 i) const {
    return i + whole.of_plane() >= whole.planes * whole.of_plane();
  }

  /// A pair of differences that begin at a voxel.
  struct Pair {
    T first, second;
  };
  [[nodiscard]] PTYLE_HOST_DEVICE Pair lateral(const T* of, i64 i, const Begins& there) const {
    return {there.right ? of[i + 1] - of[i] : T(0),
            there.below ? of[i + whole.cols] - of[i] : T(0)};
  }
  [[nodiscard]] PTYLE_HOST_DEVICE Pair deeper(const T* of, i64 i, bool there) const {
    return {there ? of[i + whole.of_plane()] - of[i] : T(0), T(0)};
  }
  /// 2 w δ (√(δ² + |d|²) − δ)
  [[nodiscard]] PTYLE_HOST_DEVICE double cost(T weight, const Pair& d) const {
    const double square = double(d.first) * double(d.first) + double(d.second) * double(d.second);
    const double of_edge = double(edge);
    return 2 * double(weight) * of_edge * square /
           (std::sqrt(of_edge * of_edge + square) + of_edge);
  }
  /// Its derivatives by both: 2 w δ d / m, m = √(δ² + |d|²).
  [[nodiscard]] PTYLE_HOST_DEVICE Pair slope(T weight, const Pair& d) const {
    const T by = 2 * weight * edge / length(d);
    return {by * d.first, by * d.second};
  }
  /// Derivatives of these along p: 2 w δ (p − d (d·p) / m²) / m.
  [[nodiscard]] PTYLE_HOST_DEVICE Pair bend(T weight, const Pair& d, const Pair& p) const {
    const T m = length(d), by = 2 * weight * edge / m;
    const T share = (d.first * p.first + d.second * p.second) / (m * m);
    return {by * (p.first - d.first * share), by * (p.second - d.second * share)};
  }
  [[nodiscard]] PTYLE_HOST_DEVICE T length(const Pair& d) const {
    return std::sqrt(edge * edge + d.first * d.first + d.second * d.second);
  }
  /// The lateral slopes at a voxel, or their derivatives along D.
  [[nodiscard]] PTYLE_HOST_DEVICE Pair lateral_slope(i64 i, const Begins& there) const {
    const Pair d = lateral(v, i, there);
    return direction ? bend(b, d, lateral(direction, i, there)) : slope(b, d);
  }
  [[nodiscard]] PTYLE_HOST_DEVICE T deeper_slope(i64 i, bool there) const {
    const Pair d = deeper(v, i, there);
    return (direction ? bend(c, d, deeper(direction, i, there)) : slope(c, d)).first;
  }

  const T *v, *direction;
  PenaltyPart part;
  T b, c, edge;
  Pixels whole;
};

/// P itself, or ½ d²P/dα² of V + α D at α = 0, as the sum over the part's core.  Bytes: reads 1
/// volume, or 2.
template <class T>
struct VariationCost {
  VariationCost(View<const T, 3> of, View<const T, 3> along, const VariationWeights& weights,
                const PenaltyPart& part)
      : terms(of, along, weights, part), where(terms.whole) {
    where.region = part.core;
  }
  using Begins = typename VariationTerms<T>::Begins;
  [[nodiscard]] PTYLE_HOST_DEVICE Begins at(i64 row, i64 col) const { return terms.at(row, col); }
  PTYLE_HOST_DEVICE double operator()(i64 i, const Begins& there) const {
    const bool deeper = there.deeper && !terms.is_last(i);
    const auto lateral = terms.lateral(terms.v, i, there), along = terms.deeper(terms.v, i, deeper);
    if (!terms.direction) return terms.cost(terms.b, lateral) + terms.cost(terms.c, along);
    return half_bend(terms.b, lateral, terms.lateral(terms.direction, i, there)) +
           half_bend(terms.c, along, terms.deeper(terms.direction, i, deeper));
  }
  VariationTerms<T> terms;
  Pixels where;

 private:
  using Pair = typename VariationTerms<T>::Pair;
  [[nodiscard]] PTYLE_HOST_DEVICE double half_bend(T weight, const Pair& d, const Pair& p) const {
    const Pair bent = terms.bend(weight, d, p);
    return 0.5 * (double(bent.first) * double(p.first) + double(bent.second) * double(p.second));
  }
};

/// g += share · ∂P/∂V, or share · ∂²P/∂V² · D.  Bytes: reads 2 volumes, or 3, writes 1.
template <class T>
struct VariationGradient {
  VariationGradient(View<const T, 3> of, View<const T, 3> along, const VariationWeights& weights,
                    const PenaltyPart& part, double share, View<T, 3> gradient)
      : terms(of, along, weights, part),
        g(gradient.data),
        share_of(static_cast<T>(share)),
        where(terms.whole) {
    where.region = part.touched(where);
  }
  using Begins = typename VariationTerms<T>::Begins;
  /// The differences that begin at a pixel, at the one to its left and at the one above.
  struct AtPixel {
    Begins here, left, above;
  };
  [[nodiscard]] PTYLE_HOST_DEVICE AtPixel at(i64 row, i64 col) const {
    return {terms.at(row, col), terms.at(row, col - 1), terms.at(row - 1, col)};
  }
  PTYLE_HOST_DEVICE void operator()(i64 i, const AtPixel& there) const {
    const i64 plane = where.of_plane();
    T sum = 0;
    if (there.here.deeper) {
      const auto here = terms.lateral_slope(i, there.here);
      sum -= here.first + here.second;
      if (!terms.is_last(i)) sum -= terms.deeper_slope(i, true);
      if (i >= plane) sum += terms.deeper_slope(i - plane, true);
    }
    if (there.left.right) sum += terms.lateral_slope(i - 1, there.left).first;
    if (there.above.below) sum += terms.lateral_slope(i - where.cols, there.above).second;
    g[i] += share_of * sum;
  }
  VariationTerms<T> terms;
  T* g;
  T share_of;
  Pixels where;
};

}  // namespace ptyle
