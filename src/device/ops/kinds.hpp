#pragma once

// Kinds of operations. An operation is a struct that holds its arguments and says what becomes of
// one value; threads of the host (device/cpu/run.hpp) and kernels of a GPU (device/kernels/run.hpp)
// take the same struct through the arrays. Each kind says what the struct has to have:
//
//   of values    op.values, and op(i) for i = 0 … values − 1
//
//   of pixels    op.where (Pixels), kept = op.at(row, col) for what all planes of a pixel have in
//                common, and op(i, kept) for its value on each plane, number i of the volume. An
//                op(i, kept) that returns a number can be summed. op.idle(row, col), where there is
//                one: op would change nothing there, so that the pixel may be left out.
//
//   of blocks    op.where, its `every` the planes of a block: kept = op.first(i) of the first
//   plane,
//                op.next(i, kept) of each other, op.last(i, kept, n) of the first again, n the
//                planes of the block
//
//   measures     op.rows, op.cols, and the number op(row, col), whose largest is sought
//
//   sums of      op.terms() rows are added in their order: to[x] = Σ_k w_k · from_k[x],
//   rows         op.term(plane, row, k) the k-th of them (Term), op.to(plane, row) the sum's place
//
// Values are taken in any order, several at a time: what an op writes for one, it does not read for
// another.

#include <algorithm>
#include <concepts>

#include "core/annotation.hpp"
#include "core/box.hpp"

namespace ptyle {

/// Pixels of a region of a volume, on planes 0, every, 2·every, …
struct Pixels {
  i64 planes = 0, rows = 0, cols = 0;  ///< of the volume
  Box region;                          ///< counted from its first pixel
  i64 every = 1;                       ///< planes of a block
  [[nodiscard]] PTYLE_HOST_DEVICE i64 of_plane() const { return rows * cols; }
  /// Planes of the block whose first is this one.
  [[nodiscard]] PTYLE_HOST_DEVICE i64 of_block(i64 first) const {
    return planes - first < every ? planes - first : every;
  }
};

/// All pixels of a volume.
template <class T>
Pixels pixels_of(const View<T, 3>& volume, i64 every = 1) {
  const auto [planes, rows, cols] = volume.shape;
  return {planes, rows, cols, {{0, rows}, {0, cols}}, every};
}

/// A row that is added to a sum: weight · from[x] at each x of `cols`.
template <class T>
struct Term {
  const T* from;
  Interval cols;
  T weight;
};

template <class Op>
concept OfValues = requires(const Op op, i64 i) {
  { op.values } -> std::convertible_to<i64>;
  op(i);
};
template <class Op>
concept OfPixels = requires(const Op op, i64 i) {
  { op.where } -> std::convertible_to<Pixels>;
  op(i, op.at(i, i));
};
template <class Op>
concept OfBlocks = requires(const Op op, i64 i) {
  { op.where } -> std::convertible_to<Pixels>;
  op.first(i);
};

/// May it leave this pixel out?
template <OfPixels Op>
PTYLE_HOST_DEVICE bool idle_at(const Op& op, i64 row, i64 col) {
  if constexpr (requires { op.idle(row, col); })
    return op.idle(row, col);
  else
    return false;
}

}  // namespace ptyle
