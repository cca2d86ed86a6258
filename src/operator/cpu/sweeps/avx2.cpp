#include "operator/cpu/sweeps/table.hpp"

namespace ptyle::cpu {

template <>
const Kernels<float>& avx2_kernels() {
  static constexpr Kernels<float> table = kernels<float, 8>("AVX2");
  return table;
}
template <>
const Kernels<double>& avx2_kernels() {
  static constexpr Kernels<double> table = kernels<double, 4>("AVX2");
  return table;
}

}  // namespace ptyle::cpu
