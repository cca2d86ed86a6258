#include "operator/cpu/sweeps/table.hpp"

namespace ptyle::cpu {

template <>
const Kernels<float>& plain_kernels() {
  static constexpr Kernels<float> table = kernels<float, 4>("plain");
  return table;
}
template <>
const Kernels<double>& plain_kernels() {
  static constexpr Kernels<double> table = kernels<double, 2>("plain");
  return table;
}

}  // namespace ptyle::cpu
