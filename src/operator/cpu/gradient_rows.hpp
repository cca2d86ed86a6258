#pragma once

// Gradients of a slice, row by row, into the sums.

#include <algorithm>

#include "operator/cpu/pointwise.hpp"
#include "operator/cpu/steps.hpp"

namespace ptyle::cpu {

/// Does row y of a window W lie on the object from its first pixel to its last?
template <class T>
bool lies_inside(const SliceGradient<T>& g, i64 y, i64 window) {
  const auto& shape = g.phase.shape;
  return !g.phase.empty() && g.at.row + y >= 0 && g.at.row + y < shape[0] && g.at.col >= 0 &&
         g.at.col + window <= shape[1];
}

/// The place that row y adds its gradient to, if any is wanted: the sum itself, or so many zeros
/// aside.
template <class T>
T* sums_of(View<T, 2> sum, const Placement& at, i64 y, i64 zeros, T* aside) {
  if (sum.empty()) return nullptr;
  if (zeros == 0) return sum.data + (at.row + y) * sum.shape[1] + at.col;
  std::fill_n(aside, zeros, T(0));
  return aside;
}

/// Asks for the sum's row, which another thread had last, while its gradient is computed.
template <class T>
void fetch_row(View<T, 2> sum, const Placement& at, i64 y, i64 window) {
  if (sum.empty()) return;
  const Inside in(at, window, sum.shape[0], sum.shape[1]);
  if (y < in.y0 || y >= in.y1 || in.x0 == in.x1) return;
  const T* row = sum.data + (at.row + y) * sum.shape[1] + at.col;
  for (i64 x = in.x0; x < in.x1; x += 64 / i64{sizeof(T)}) __builtin_prefetch(row + x, 1);
  __builtin_prefetch(row + in.x1 - 1, 1);
}

/// sum += scale · patch (W, W), which is used up, where the window lies on the object.
template <class T>
void add_patch(View<T, 2> sum, const Placement& at, T scale, Array<T, 2>& patch) {
  const i64 window = patch.shape()[1];
  for (i64 y = 0; y < window; ++y) add_row(sum, at, y, scale, patch.data() + y * window, window);
}

}  // namespace ptyle::cpu
