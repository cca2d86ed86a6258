#pragma once

// Transmission functions t = exp(iφ − μ) of the object: a copy of all, or each row when it is
// needed. Real and imaginary parts lie in planes of their own.

#include "operator/cpu/pointwise.hpp"
#include "operator/operator.hpp"

namespace ptyle::cpu {

/// t over n voxels, the same bits for a voxel wherever it stands among them; μ may be null.
template <class T>
void transmission(const T* phase, const T* absorption, T* re, T* im, i64 n);

template <class T>
class Transmission {
 public:
  struct Row {
    const T *re, *im;
    i64 next = 0;  ///< T's to the next row, where the row lies in the copy
  };

  /// `copy`: t is computed here, once a voxel; otherwise the object is only looked at, and must
  /// stay where it is.
  void set(const ObjectView<T>& object, bool absorption, bool copy, int threads, Ledger* ledger);

  /// Row y of the window at a position, slice s: W values, 1 beyond the object; `buffer` holds 2 W
  /// values.
  [[nodiscard]] Row row(i64 s, const Placement& at, i64 y, i64 window, T* buffer) const {
    const auto& [slices, ny, nx] = re_.shape();
    if (at.col < 0 || at.col + window > nx || at.row + y < 0 || at.row + y >= ny)
      return made_row(s, at, y, window, buffer);
    const i64 first = (s * ny + at.row + y) * nx + at.col;
    return {re_.data() + first, im_.data() + first, nx};
  }

 private:
  /// A row that does not lie in the copy as it is.
  Row made_row(i64 s, const Placement& at, i64 y, i64 window, T* buffer) const;

  Array<T, 3> re_, im_;
  ObjectView<T> object_;
};

}  // namespace ptyle::cpu
