#pragma once

// Kernels of exchanges: one launch packs, puts or adds all boxes of all planes that travel.

#include "device/arithmetic.hpp"
#include "device/kernel.hpp"

namespace ptyle::kernels {

/// Planes and pieces as kernels see them.
template <class T>
struct Travel {
  T* const* planes;  // of the first that travels on
  i64 cols;
  const Piece* pieces;
  i64 count;   // of pieces
  i64 travel;  // planes
  /// Where pixel i of a piece lies on its plane, and in the buffer of plane p.
  PTYLE_HOST_DEVICE i64 on_plane(const Box& box, i64 i) const {
    const auto n = static_cast<unsigned>(box.cols.size()), at = static_cast<unsigned>(i);
    return (box.rows.begin + at / n) * cols + box.cols.begin + at % n;
  }
  PTYLE_HOST_DEVICE i64 in_buffer(const Piece& piece, i64 p, i64 i) const {
    return piece.from + travel * piece.offset + p * piece.box.area() + i;
  }
};

/// A thread takes a pixel of a piece (z) of a plane (y) to the buffer, or (put) from there.
/// Bytes: reads and writes all that travels.
template <class T, bool put>
struct Carry {
  static constexpr int threads = 256;
  Travel<T> of;
  T* buffer;
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    block.threads([&](int t) {
      const Piece& piece = of.pieces[block.z];
      const i64 i = i64(block.x) * threads + t;
      if (i >= piece.box.area()) return;
      T& on = of.planes[block.y][of.on_plane(piece.box, i)];
      T& in = buffer[of.in_buffer(piece, block.y, i)];
      if constexpr (put)
        on = in;
      else
        in = on;
    });
  }
};

/// A thread sums a pixel of the hull of a plane (y): ((0 + a_0) + …) + own + a_before + …
/// Bytes: reads all that travels, reads and writes the hull.
template <class T>
struct AddInOrder {
  static constexpr int threads = 256;
  Travel<T> of;
  Box hull;
  i64 before;
  const T* buffer;
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    block.threads([&](int t) {
      const i64 at = i64(block.x) * threads + t, n = hull.cols.size();
      if (at >= hull.area()) return;
      const i64 y = hull.rows.begin + at / n, x = hull.cols.begin + at % n;
      T& own = of.planes[block.y][y * of.cols + x];
      T sum = 0;
      for (i64 k = 0; k < of.count; ++k) {
        if (k == before) sum = own + sum;
        const Box& box = of.pieces[k].box;
        if (!box.rows.contains(y) || !box.cols.contains(x)) continue;
        const i64 i = (y - box.rows.begin) * box.cols.size() + x - box.cols.begin;
        sum += buffer[of.in_buffer(of.pieces[k], block.y, i)];
      }
      own = before < of.count ? sum : own + sum;
    });
  }
};

}  // namespace ptyle::kernels
