#pragma once

#include "device/ops/kinds.hpp"

namespace ptyle {

/// volume · (rows[y]·cols[x]), both lying where it does.  Bytes: reads 1 volume, writes 1.
template <class T>
struct Weigh {
  Weigh(View<T, 3> all, const double* of_rows, const double* of_cols)
      : volume(all.data), rows(of_rows), cols(of_cols), where(pixels_of(all)) {}
  [[nodiscard]] PTYLE_HOST_DEVICE T at(i64 row, i64 col) const {
    return static_cast<T>(rows[row] * cols[col]);
  }
  PTYLE_HOST_DEVICE void operator()(i64 i, T share) const { volume[i] *= share; }
  T* volume;
  const double *rows, *cols;
  Pixels where;
};

}  // namespace ptyle
