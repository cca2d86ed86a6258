#pragma once

#include "device/kernel.hpp"
#include "device/ops/travel.hpp"

namespace ptyle::kernels {

/// A thread takes a pixel of a piece (z) of a plane (y) to the buffer, or (put) from there: one
/// launch for all boxes of all planes that travel.  Bytes: reads and writes all that travels.
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
      const auto n = static_cast<unsigned>(piece.box.cols.size()), at = static_cast<unsigned>(i);
      const i64 row = piece.box.rows.begin + at / n, col = piece.box.cols.begin + at % n;
      T& on = of.planes[block.y][row * of.cols + col];
      T& in = buffer[piece.of_plane(block.y, of.travel) + i];
      if constexpr (put)
        on = in;
      else
        in = on;
    });
  }
};

/// to(z, first + i) = from(z, i), n of each plane.  Bytes: reads and writes so much.
template <class T>
struct PutBack {
  static constexpr int threads = 256;
  const T* from;
  T* to;
  i64 first, n, pixels;
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    block.threads([&](int t) {
      const i64 i = i64(block.x) * threads + t;
      if (i < n) to[block.y * pixels + first + i] = from[block.y * n + i];
    });
  }
};

}  // namespace ptyle::kernels
