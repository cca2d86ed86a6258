#include "analysis/frc.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/grid.hpp"
#include "device/cpu/fft.hpp"

namespace ptyle {
namespace {

Array<Complex<double>, 2> windowed_spectrum(View<const double, 2> image,
                                            View<const double, 2> weight) {
  double sum = 0, total = 0;
  for (i64 i = 0; i < image.size(); ++i) {
    sum += weight.data[i] * image.data[i];
    total += weight.data[i];
  }
  const double mean = total > 0 ? sum / total : 0;
  Array<Complex<double>, 2> wave(image.shape);
  for (i64 i = 0; i < image.size(); ++i) wave.data()[i] = weight.data[i] * (image.data[i] - mean);
  Fft2<double>(image.shape[0], image.shape[1], FftRigor::estimate).forward(wave.data());
  return wave;
}

/// The share of an image's pixels that are independent after the window.
double independent_share(View<const double, 2> weight) {
  double second = 0, fourth = 0;
  for (const double w : weight) {
    second += w * w;
    fourth += w * w * w * w;
  }
  return fourth > 0 ? second * second / (fourth * static_cast<double>(weight.size())) : 0;
}

/// Rings that hold, a pixel, less power than some ring beyond, in both images; and in the geometric
/// mean of both less than 1/100 of it.
std::vector<bool> empty_rings(const std::vector<double>& a, const std::vector<double>& b,
                              const std::vector<double>& pixels) {
  constexpr double negligible = 0.01;
  std::vector<bool> empty(pixels.size());
  double beyond_a = 0, beyond_b = 0;  // the most that a ring further out has
  for (std::size_t r = pixels.size(); r-- > 0;) {
    const double here_a = a[r] / pixels[r], here_b = b[r] / pixels[r];
    empty[r] = here_a < beyond_a && here_b < beyond_b &&
               std::sqrt(here_a / beyond_a) * std::sqrt(here_b / beyond_b) < negligible;
    beyond_a = std::max(beyond_a, here_a);
    beyond_b = std::max(beyond_b, here_b);
  }
  return empty;
}

double half_bit(double n) {
  const double root = std::sqrt(std::max(n, 1e-9));
  return std::min(1.0, (0.2071 + 1.9102 / root) / (1.2071 + 0.9102 / root));
}

}  // namespace

Frc fourier_ring_correlation(View<const double, 2> a, View<const double, 2> b,
                             View<const double, 2> weight) {
  const auto [ny, nx] = a.shape;
  const auto fa = windowed_spectrum(a, weight), fb = windowed_spectrum(b, weight);
  const double step = 1.0 / static_cast<double>(std::min(ny, nx));
  const auto rings = static_cast<std::size_t>(std::floor(0.5 / step + 1e-9));
  std::vector<double> ab(rings), aa(rings), bb(rings), count(rings);
  for (i64 y = 0; y < ny; ++y)
    for (i64 x = 0; x < nx; ++x) {
      const double f =
          std::hypot(static_cast<double>(frequency_index(y, ny)) / static_cast<double>(ny),
                     static_cast<double>(frequency_index(x, nx)) / static_cast<double>(nx));
      const auto ring = static_cast<std::size_t>(std::lround(f / step));
      if (ring == 0 || ring > rings) continue;
      ab[ring - 1] += (fa(y, x) * std::conj(fb(y, x))).real();
      aa[ring - 1] += std::norm(fa(y, x));
      bb[ring - 1] += std::norm(fb(y, x));
      ++count[ring - 1];
    }
  const double share = independent_share(weight);
  Frc frc;
  for (std::size_t r = 0; r < rings; ++r) {
    const double power = std::sqrt(aa[r]) * std::sqrt(bb[r]);
    frc.frequency.push_back(static_cast<double>(r + 1) * step);
    frc.correlation.push_back(power > 0 ? ab[r] / power : 0);
    frc.threshold.push_back(half_bit(0.5 * count[r] * share));
  }
  frc.empty = empty_rings(aa, bb, count);
  return frc;
}

Resolution resolution_of(const Frc& frc, double pixel) {
  constexpr std::size_t first = 2;
  std::vector<std::size_t> rings;  // those that count
  for (std::size_t r = first; r < frc.frequency.size(); ++r)
    if (!frc.empty[r]) rings.push_back(r);
  const std::size_t n = rings.size();
  const auto above = [&](std::size_t i) {
    return frc.correlation[rings[i]] - frc.threshold[rings[i]];
  };
  const auto ends_at = [&](std::size_t i) {
    return above(i) < 0 && (i + 1 == n || above(i + 1) < 0);
  };
  if (n == 0 || ends_at(0)) return {std::numeric_limits<double>::infinity(), false};
  for (std::size_t i = 1; i < n; ++i)
    if (ends_at(i)) {
      // above(i − 1) ≥ 0, or the curve would have ended there
      const double last = frc.frequency[rings[i - 1]], next = frc.frequency[rings[i]];
      const bool neighbours = rings[i] == rings[i - 1] + 1;
      const double t = neighbours ? above(i - 1) / (above(i - 1) - above(i)) : 0;
      return {pixel / (last + t * (next - last)), false};
    }
  return {pixel / frc.frequency.back(), true};
}

}  // namespace ptyle
