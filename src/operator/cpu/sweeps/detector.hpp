#pragma once

// Intensities, misfit and residual of a block of columns on the detector.

#include "operator/cpu/sweeps/kernels.hpp"
#include "operator/cpu/sweeps/vectors.hpp"
#include "physics/loss/measured.hpp"
#include "physics/loss/root.hpp"

namespace ptyle::cpu {
namespace {

template <class T, int L>
void add_intensity(const Geometry<T>& g, const T* block, T* intensity) {
  for (i64 y = 0; y < g.window; ++y, block += 2 * L, intensity += L) {
    const Vec<T, L> re = load<L>(block), im = load<L>(block + L);
    store<L>(intensity, load<L>(intensity) + (re * re + im * im));
  }
}
template <class T, int L>
void scale_pixels(const Geometry<T>& g, T* block, const T* factor) {
  for (i64 y = 0; y < g.window; ++y, block += 2 * L, factor += L) {
    const Vec<T, L> f = load<L>(factor);
    store<L>(block, load<L>(block) * f);
    store<L>(block + L, load<L>(block + L) * f);
  }
}

/// Sums of each lane in T, and of the lanes in double.
template <class LossType, class T, int L>
void compare_by(DetectorWork<T>& work) {
  Vec<T, L> cost{}, numerator{}, denominator{};
  for (i64 i = 0; i < work.pixels; i += L) {
    const Vec<T, L> model = load<L>(work.intensity + i), counts = load<L>(work.measured + i);
    const Vec<T, L> y = where_measured(counts, counts);
    const Vec<T, L> weight = where_measured(counts, load<L>(work.weight + i)),
                    valid = where_measured(counts, load<L>(work.valid + i));
    const Vec<T, L> difference = root_of(model) - root_of(y);
    const typename LossType::template Together<Vec<T, L>> loss(model, y, work.epsilon);
    numerator += valid * difference * difference;
    denominator += valid * y;
    cost += loss.cost(weight);
    if (work.residual) store<L>(work.intensity + i, weight * loss.factor());
  }
  for (int l = 0; l < L; ++l) {
    work.cost += static_cast<double>(cost[l]);
    work.numerator += static_cast<double>(numerator[l]);
    work.denominator += static_cast<double>(denominator[l]);
  }
}

template <class T, int L>
void compare(DetectorWork<T>& work) {
  with_loss(work.loss, [&]<class LossType>(LossType) {
    if constexpr (LossType::in_vectors) compare_by<LossType, T, L>(work);
  });
}

}  // namespace
}  // namespace ptyle::cpu
