#include "device/cpu/wrapped_kernel.hpp"

#include <algorithm>
#include <utility>

#include "core/pulse.hpp"
#include "device/cpu/columns.hpp"
#include "device/cpu/fft.hpp"

namespace ptyle {

template <class T>
Array<Complex<T>, 3> wrapped_kernel(View<const double, 3> kernel, i64 length, i64 side,
                                    Ledger* ledger) {
  const i64 s = (kernel.shape[0] + 1) / 2, reach = kernel.shape[1] / 2;
  Array<Complex<T>, 3> values({length, side, side}, ledger, "transfer");
  for (i64 z = 1 - s; z < s; ++z)
    for (i64 y = -reach; y <= reach; ++y)
      for (i64 x = -reach; x <= reach; ++x)
        values(wrapped(z, length), wrapped(y, side), wrapped(x, side)) = static_cast<T>(
            (kernel(z + s - 1, y + reach, x + reach) + kernel(s - 1 - z, reach - y, reach - x)) /
            2);
  return values;
}

template <class T>
void transform(Array<Complex<T>, 3>& values, bool inverse) {
  constexpr i64 together = 16;
  const auto [length, rows, cols] = values.shape();
  const Fft2<T> lateral(rows, cols, FftRigor::estimate);
  const FftColumns<T> along(length, together, FftRigor::estimate);
  Array<Complex<T>, 2> columns({length, together}), spectra({length, together});
  const i64 plane = rows * cols;
  for (i64 z = 0; z < length; ++z) {
    Complex<T>* const at = values.data() + z * plane;
    inverse ? lateral.inverse(at) : lateral.forward(at);
    beat();
  }
  for (i64 first = 0; first < plane; first += together) {
    const i64 n = std::min(together, plane - first);
    gather_columns(std::as_const(values).data(), plane, length, first, n, columns.view());
    inverse ? along.inverse(columns.data(), spectra.data())
            : along.forward(columns.data(), spectra.data());
    scatter_columns(std::as_const(spectra).view(), plane, length, first, n, values.data());
    beat();
  }
}

template Array<Complex<float>, 3> wrapped_kernel(View<const double, 3>, i64, i64, Ledger*);
template Array<Complex<double>, 3> wrapped_kernel(View<const double, 3>, i64, i64, Ledger*);
template void transform(Array<Complex<float>, 3>&, bool);
template void transform(Array<Complex<double>, 3>&, bool);

}  // namespace ptyle
