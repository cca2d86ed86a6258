#pragma once

// The table of functions for vectors of L lanes, which each instruction set's file instantiates.

#include "operator/cpu/sweeps/columns.hpp"
#include "operator/cpu/sweeps/detector.hpp"
#include "operator/cpu/sweeps/rows.hpp"

namespace ptyle::cpu {
namespace {

template <class T, int L>
constexpr Kernels<T> kernels(const char* name) {
  return {name,
          L,
          column_sweep<T, L>,
          columns_forward<T, L>,
          columns_inverse<T, L>,
          columns_begin<T, L>,
          columns_end<T, L>,
          row_sweep<T, L>,
          row_sweep_back<T, L>,
          row_forward<T, L>,
          row_inverse<T, L>,
          add_intensity<T, L>,
          scale_pixels<T, L>,
          compare<T, L>};
}

}  // namespace
}  // namespace ptyle::cpu
