#pragma once

// Tables of the sweeps: radices, twiddles, and the order in which frequencies stand.

#include <vector>

#include "core/array.hpp"
#include "operator/cpu/sweeps/kernels.hpp"

namespace ptyle::cpu {

/// Windows that the sweeps know.
bool has_sweeps(i64 window);

template <class T>
class Tables {
 public:
  Tables(i64 window, int lanes);
  Geometry<T> geometry;
  /// Frequency index (0 … W−1) that stands in a row; and in lane l of block c, at [c · L + l].
  std::vector<i64> row_frequency, column_frequency;

 private:
  void make_passes(Passes<T>& passes, const std::vector<int>& radices,
                   std::vector<Array<T, 1>>& twiddles);
  std::vector<Array<T, 1>> column_twiddles_, row_twiddles_;
  Array<T, 1> lane_twiddles_;
};

/// T's that a wave of one mode takes.
i64 sweep_wave_size(i64 window, int lanes);

}  // namespace ptyle::cpu
