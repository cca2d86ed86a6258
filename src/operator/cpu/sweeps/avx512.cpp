#include "operator/cpu/sweeps/table.hpp"

namespace ptyle::cpu {

template <>
const Kernels<float>& avx512_kernels() {
  static constexpr Kernels<float> table = kernels<float, 16>("AVX-512");
  return table;
}
template <>
const Kernels<double>& avx512_kernels() {
  static constexpr Kernels<double> table = kernels<double, 8>("AVX-512");
  return table;
}

}  // namespace ptyle::cpu
