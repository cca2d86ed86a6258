#include "device/cpu/wrapped_kernel.hpp"

#include "device/cpu/fft.hpp"

namespace ptyle {

Array<Complex<double>, 3> wrapped_kernel(View<const double, 3> kernel, i64 length, i64 side) {
  const i64 s = (kernel.shape[0] + 1) / 2, reach = kernel.shape[1] / 2;
  Array<Complex<double>, 3> values({length, side, side});
  for (i64 z = 1 - s; z < s; ++z)
    for (i64 y = -reach; y <= reach; ++y)
      for (i64 x = -reach; x <= reach; ++x)
        values(wrapped(z, length), wrapped(y, side), wrapped(x, side)) =
            (kernel(z + s - 1, y + reach, x + reach) + kernel(s - 1 - z, reach - y, reach - x)) / 2;
  return values;
}

void transform(Array<Complex<double>, 3>& values, bool inverse) {
  const auto [length, rows, cols] = values.shape();
  const Fft2<double> lateral(rows, cols, FftRigor::estimate);
  const Fft2<double> along(1, length, FftRigor::estimate);
  Array<Complex<double>, 1> column({length});
  const i64 plane = rows * cols;
  for (i64 z = 0; z < length; ++z) {
    Complex<double>* const at = values.data() + z * plane;
    inverse ? lateral.inverse(at) : lateral.forward(at);
  }
  for (i64 p = 0; p < plane; ++p) {
    for (i64 z = 0; z < length; ++z) column(z) = values.data()[z * plane + p];
    inverse ? along.inverse(column.data()) : along.forward(column.data());
    for (i64 z = 0; z < length; ++z) values.data()[z * plane + p] = column(z);
  }
}

}  // namespace ptyle
