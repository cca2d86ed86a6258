#pragma once

// Parts of planes that travel between ranks in a buffer.

#include "device/ops/kinds.hpp"

namespace ptyle {

/// One of the parts that travel between ranks: a box of each plane, and where it lies in a buffer,
/// planes × rows × cols in C order, beginning at  buffer + from + planes · offset.
struct Piece {
  Box box;
  i64 from = 0, offset = 0;
  /// The first value, in the buffer, of the box of a plane, one of so many.
  [[nodiscard]] PTYLE_HOST_DEVICE i64 of_plane(i64 plane, i64 planes) const {
    return from + planes * offset + plane * box.area();
  }
};

/// Planes and pieces where the arrays live.
template <class T>
struct Travel {
  T* const* planes;  // of the first that travels on
  i64 cols;
  const Piece* pieces;
  i64 count;   // of pieces
  i64 travel;  // planes
};

/// A sum of rows, the planes' own among them: each value of the hull becomes
/// (((0 + a_0) + a_1) + …) + own + a_before + …  of the pieces that hold it. Rows and columns are
/// the planes'.  Bytes: reads all that travels, reads and writes the hull.
template <class T>
struct AddInOrder {
  AddInOrder(const Travel<T>& travel, const Box& hull, i64 before, const T* received)
      : of(travel), box(hull), own(before), buffer(received) {}
  [[nodiscard]] PTYLE_HOST_DEVICE i64 terms() const { return of.count + 1; }
  [[nodiscard]] PTYLE_HOST_DEVICE Term<T> term(i64 plane, i64 row, i64 k) const {
    if (k == own) return {to(plane, row), box.cols, 1};
    const Piece& piece = of.pieces[k < own ? k : k - 1];
    const i64 first = (row - piece.box.rows.begin) * piece.box.cols.size() - piece.box.cols.begin;
    return {buffer + piece.of_plane(plane, of.travel) + first,
            piece.box.rows.contains(row) ? piece.box.cols : Interval{}, 1};
  }
  [[nodiscard]] PTYLE_HOST_DEVICE T* to(i64 plane, i64 row) const {
    return of.planes[plane] + row * of.cols;
  }
  Travel<T> of;
  Box box;
  i64 own;  // the term that is the plane's own
  const T* buffer;
};

}  // namespace ptyle
