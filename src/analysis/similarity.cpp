#include "analysis/similarity.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace ptyle {
namespace {

constexpr i64 reach = 5;  // 11 pixels a side

std::array<double, 2 * reach + 1> gaussian() {
  std::array<double, 2 * reach + 1> g{};
  double sum = 0;
  for (i64 i = -reach; i <= reach; ++i)
    sum += g[static_cast<std::size_t>(i + reach)] =
        std::exp(-static_cast<double>(i * i) / (2 * 1.5 * 1.5));
  for (double& v : g) v /= sum;
  return g;
}

/// The window's mean of f(y, x), where the window lies inside; the rest is left 0.
template <class F>
Array<double, 2> window_mean(const std::array<i64, 2>& shape, F&& f) {
  static const auto g = gaussian();
  const auto [ny, nx] = shape;
  Array<double, 2> along(shape), mean(shape);
  for (i64 y = 0; y < ny; ++y)
    for (i64 x = reach; x < nx - reach; ++x)
      for (i64 k = -reach; k <= reach; ++k)
        along(y, x) += g[static_cast<std::size_t>(k + reach)] * f(y, x + k);
  for (i64 y = reach; y < ny - reach; ++y)
    for (i64 k = -reach; k <= reach; ++k)
      for (i64 x = reach; x < nx - reach; ++x)
        mean(y, x) += g[static_cast<std::size_t>(k + reach)] * along(y + k, x);
  return mean;
}

}  // namespace

double rms_difference(View<const double, 2> a, View<const double, 2> b,
                      View<const unsigned char, 2> area) {
  double sum = 0, n = 0;
  for (i64 i = 0; i < a.size(); ++i)
    if (area.data[i]) {
      sum += (a.data[i] - b.data[i]) * (a.data[i] - b.data[i]);
      ++n;
    }
  return n > 0 ? std::sqrt(sum / n) : 0;
}

double correlation(View<const double, 2> a, View<const double, 2> b,
                   View<const unsigned char, 2> area) {
  double sa = 0, sb = 0, n = 0;
  for (i64 i = 0; i < a.size(); ++i)
    if (area.data[i]) {
      sa += a.data[i];
      sb += b.data[i];
      ++n;
    }
  double ab = 0, aa = 0, bb = 0;
  for (i64 i = 0; i < a.size(); ++i)
    if (area.data[i]) {
      const double u = a.data[i] - sa / n, v = b.data[i] - sb / n;
      ab += u * v;
      aa += u * u;
      bb += v * v;
    }
  // what rounding leaves of a constant is no signal
  const double least = 1e-24 * n;
  return aa > least * sa * sa / (n * n) && bb > least * sb * sb / (n * n) && aa > 0 && bb > 0
             ? ab / std::sqrt(aa * bb)
             : 0;
}

double structural_similarity(View<const double, 2> image, View<const double, 2> reference,
                             View<const unsigned char, 2> area) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (i64 i = 0; i < reference.size(); ++i)
    if (area.data[i]) {
      low = std::min(low, reference.data[i]);
      high = std::max(high, reference.data[i]);
    }
  if (!(high > low)) return rms_difference(image, reference, area) == 0 ? 1 : 0;
  const double c1 = std::pow(0.01 * (high - low), 2), c2 = std::pow(0.03 * (high - low), 2);

  const auto mean_a = window_mean(image.shape, [&](i64 y, i64 x) { return image(y, x); });
  const auto mean_b = window_mean(image.shape, [&](i64 y, i64 x) { return reference(y, x); });
  const auto mean_aa =
      window_mean(image.shape, [&](i64 y, i64 x) { return image(y, x) * image(y, x); });
  const auto mean_bb =
      window_mean(image.shape, [&](i64 y, i64 x) { return reference(y, x) * reference(y, x); });
  const auto mean_ab =
      window_mean(image.shape, [&](i64 y, i64 x) { return image(y, x) * reference(y, x); });
  double sum = 0, n = 0;
  for (i64 y = reach; y < image.shape[0] - reach; ++y)
    for (i64 x = reach; x < image.shape[1] - reach; ++x) {
      if (!area(y, x)) continue;
      const double a = mean_a(y, x), b = mean_b(y, x);
      const double var_a = mean_aa(y, x) - a * a, var_b = mean_bb(y, x) - b * b;
      const double covariance = mean_ab(y, x) - a * b;
      sum +=
          (2 * a * b + c1) * (2 * covariance + c2) / ((a * a + b * b + c1) * (var_a + var_b + c2));
      ++n;
    }
  return n > 0 ? sum / n : 0;
}

}  // namespace ptyle
