#include "solver/blur.hpp"

#include <algorithm>
#include <cmath>

#include "core/parallel.hpp"

namespace ptyle {

i64 reach_of_blur(double sigma) { return static_cast<i64>(std::ceil(3.5 * sigma)); }

std::vector<double> gaussian_weights(double sigma) {
  const i64 reach = reach_of_blur(sigma);
  std::vector<double> weights;
  double total = 0;
  for (i64 i = 0; i <= reach; ++i) {
    weights.push_back(std::exp(-0.5 * double(i * i) / (sigma * sigma)));
    total += (i == 0 ? 1 : 2) * weights.back();
  }
  for (double& w : weights) w /= total;
  return weights;
}

template <class T>
void blur_lateral(View<T, 2> slice, double sigma) {
  if (sigma <= 0) return;
  const auto weights = gaussian_weights(sigma);
  const i64 reach = static_cast<i64>(weights.size()) - 1;
  const auto [ny, nx] = slice.shape;
  // Along x, from a row with `reach` zeros on both sides; then along y, a row at a time.
  Array<T, 2> rows({ny, nx});
  std::vector<T> padded(static_cast<std::size_t>(nx + 2 * reach));
  for (i64 y = 0; y < ny; ++y) {
    std::copy_n(slice.data + y * nx, nx, padded.begin() + reach);
    T* to = rows.data() + y * nx;
    for (i64 d = -reach; d <= reach; ++d) {
      const T w = static_cast<T>(weights[std::abs(d)]);
      const T* from = padded.data() + reach + d;
      for (i64 x = 0; x < nx; ++x) to[x] += w * from[x];
    }
  }
  for (i64 y = 0; y < ny; ++y) {
    T* to = slice.data + y * nx;
    std::fill(to, to + nx, T(0));
    for (i64 d = std::max(-reach, -y); d <= std::min(reach, ny - 1 - y); ++d) {
      const T w = static_cast<T>(weights[std::abs(d)]);
      const T* from = rows.data() + (y + d) * nx;
      for (i64 x = 0; x < nx; ++x) to[x] += w * from[x];
    }
  }
}

template <class T>
void blur_along_z(View<T, 3> volume, double sigma, int threads) {
  if (sigma <= 0 || volume.shape[0] < 2) return;
  const auto weights = gaussian_weights(sigma);
  const i64 reach = static_cast<i64>(weights.size()) - 1;
  const auto [nz, ny, nx] = volume.shape;
  parallel_for(ny, threads, [&, nz = nz, ny = ny, nx = nx](i64 y, int) {
    Array<T, 2> blurred({nz, nx});
    for (i64 z = 0; z < nz; ++z)
      for (i64 d = -reach; d <= reach; ++d) {
        const T w = static_cast<T>(weights[std::abs(d)]);
        const T* from = volume.data + (std::clamp<i64>(z + d, 0, nz - 1) * ny + y) * nx;
        T* to = blurred.data() + z * nx;
        for (i64 x = 0; x < nx; ++x) to[x] += w * from[x];
      }
    for (i64 z = 0; z < nz; ++z)
      std::copy_n(blurred.data() + z * nx, nx, volume.data + (z * ny + y) * nx);
  });
}

template void blur_lateral(View<float, 2>, double);
template void blur_lateral(View<double, 2>, double);
template void blur_along_z(View<float, 3>, double, int);
template void blur_along_z(View<double, 3>, double, int);

}  // namespace ptyle
