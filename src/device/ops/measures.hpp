#pragma once

#include <cmath>
#include <limits>

#include "device/ops/kinds.hpp"

namespace ptyle {

/// The value of a pixel of a box.  Bytes: reads the box.
template <class T>
struct Value {
  Value(View<const T, 2> plane, const Box& box)
      : from(plane.data + box.rows.begin * plane.shape[1] + box.cols.begin),
        stride(plane.shape[1]),
        rows(box.rows.size()),
        cols(box.cols.size()) {}
  PTYLE_HOST_DEVICE double operator()(i64 row, i64 col) const {
    return double(from[row * stride + col]);
  }
  const T* from;
  i64 stride, rows, cols;
};

/// |a − b|; infinite where one of the two is no number.  Bytes: reads 2 planes.
template <class T>
struct Apart {
  static constexpr double infinite = std::numeric_limits<double>::infinity();
  Apart(View<const T, 2> one, View<const T, 2> other)
      : a(one.data), b(other.data), rows(one.shape[0]), cols(one.shape[1]) {}
  PTYLE_HOST_DEVICE double operator()(i64 row, i64 col) const {
    const i64 i = row * cols + col;
    const double d = std::fabs(double(a[i]) - double(b[i]));
    return d >= 0 ? d : infinite;
  }
  const T *a, *b;
  i64 rows, cols;
};

}  // namespace ptyle
