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

i64 side_for(i64 reach) { return quick_fft_size(4 * reach + 2); }
i64 length_for(i64 planes) { return quick_fft_size(2 * planes - 1); }

}  // namespace

template <class T>
double inverse_bytes(i64 planes, i64 reach) {
  const i64 side = side_for(reach);
  return static_cast<double>(sizeof(Complex<T>)) *
         static_cast<double>(length_for(planes) * side * side);
}

template <class T>
InverseKernel inverse_of(const Kernel3& kernel, double damping, TransferInverse how, i64 reach,
                         Ledger* ledger) {
  const i64 planes = (kernel.shape()[0] + 1) / 2, far = kernel.shape()[1] / 2;
  const i64 side = side_for(std::max(reach, far)), length = length_for(planes);
  auto values = wrapped_kernel<T>(kernel, length, side, ledger);
  transform(values, false);
  InverseKernel inverse;
  for (const auto& v : values)
    inverse.largest_transfer = std::max(inverse.largest_transfer, static_cast<double>(v.real()));
  for (auto& v : values)
    v = static_cast<T>(inverted(std::max(0.0, static_cast<double>(v.real())),
                                damping * inverse.largest_transfer, how));
  transform(values, true);
  inverse.kernel = Kernel3({2 * planes - 1, 2 * reach + 1, 2 * reach + 1});
  double all = 0, kept = 0;
  const double scale = 1 / static_cast<double>(values.size());
  for (const auto& v : values) all += std::pow(scale * static_cast<double>(v.real()), 2);
  for (i64 z = 1 - planes; z < planes; ++z)
    for (i64 y = -reach; y <= reach; ++y)
      for (i64 x = -reach; x <= reach; ++x) {
        const Complex<T> value = values(wrapped(z, length), wrapped(y, side), wrapped(x, side));
        const double v = scale * static_cast<double>(value.real());
        inverse.kernel(z + planes - 1, y + reach, x + reach) = v;
        kept += v * v;
      }
  inverse.lost = all > 0 ? std::sqrt(std::max(0.0, 1 - kept / all)) : 0;
  return inverse;
}

template InverseKernel inverse_of<float>(const Kernel3&, double, TransferInverse, i64, Ledger*);
template InverseKernel inverse_of<double>(const Kernel3&, double, TransferInverse, i64, Ledger*);
template double inverse_bytes<float>(i64, i64);
template double inverse_bytes<double>(i64, i64);

}  // namespace ptyle
