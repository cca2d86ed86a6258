#include "solver/rules/transfer_kernel.hpp"

#include <algorithm>
#include <cmath>

#include "device/cpu/fft.hpp"

namespace ptyle {
namespace {

double inverted(double transfer, double floor, TransferInverse how) {
  switch (how) {
    case TransferInverse::damped:
      return 1 / (transfer + floor);
    case TransferInverse::wiener:
      return transfer / (transfer * transfer + floor * floor);
  }
  return 0;
}

}  // namespace

InverseKernel inverse_of(const Kernel3& kernel, double damping, TransferInverse how, i64 reach) {
  const i64 planes = (kernel.shape()[0] + 1) / 2, far = kernel.shape()[1] / 2;
  const i64 side = quick_fft_size(4 * std::max(reach, far) + 2);
  const i64 length = planes == 1 ? 1 : quick_fft_size(2 * planes - 1);
  auto values = wrapped_kernel(kernel, length, side);
  transform(values, false);
  InverseKernel inverse;
  for (const auto& v : values)
    inverse.largest_transfer = std::max(inverse.largest_transfer, v.real());
  for (auto& v : values)
    v = inverted(std::max(0.0, v.real()), damping * inverse.largest_transfer, how);
  transform(values, true);
  inverse.kernel = Kernel3({2 * planes - 1, 2 * reach + 1, 2 * reach + 1});
  double all = 0, kept = 0;
  const double scale = 1 / static_cast<double>(values.size());
  for (const auto& v : values) all += std::pow(scale * v.real(), 2);
  for (i64 z = 1 - planes; z < planes; ++z)
    for (i64 y = -reach; y <= reach; ++y)
      for (i64 x = -reach; x <= reach; ++x) {
        const double v =
            scale * values(wrapped(z, length), wrapped(y, side), wrapped(x, side)).real();
        inverse.kernel(z + planes - 1, y + reach, x + reach) = v;
        kept += v * v;
      }
  inverse.lost = all > 0 ? std::sqrt(std::max(0.0, 1 - kept / all)) : 0;
  return inverse;
}

}  // namespace ptyle
