#include "simulate/coherence.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/grid.hpp"
#include "core/units.hpp"
#include "device/cpu/fft.hpp"
#include "operator/probe.hpp"

namespace ptyle {
namespace {

constexpr i64 most_modes = 256;

void check_number(i64 modes) {
  if (modes > most_modes)
    throw UserError(fmt::format(
        "optics.source_size, optics.focal_spread: so incoherent a beam is of more than {} modes; "
        "take less of either, or a larger optics.left_out",
        most_modes));
}

/// A frequency at which a mode has power: its index in the window (DC at [0, 0]), and 1/Å.
struct Point {
  i64 index = 0;
  double ky = 0, kx = 0;
  std::vector<Complex<double>> values;  ///< P_m(k)
  [[nodiscard]] double power() const { return dot(*this).real(); }
  /// Σ_m P_m(k) P_m*(k')
  [[nodiscard]] Complex<double> dot(const Point& other) const {
    Complex<double> sum = 0;
    for (std::size_t m = 0; m < values.size(); ++m) sum += values[m] * std::conj(other.values[m]);
    return sum;
  }
};

std::vector<Point> points_of(View<const Complex<double>, 3> modes, double pixel,
                             const Fft2<double>& fft) {
  const i64 w = modes.shape[1];
  std::vector<Array<Complex<double>, 2>> waves;
  double most = 0;
  for (i64 m = 0; m < modes.shape[0]; ++m) {
    fft.forward(waves.emplace_back(cornered<Complex<double>>(modes[m])).data());
    for (const auto& v : waves.back()) most = std::max(most, std::norm(v));
  }
  const double dk = 1 / (static_cast<double>(w) * pixel);
  std::vector<Point> points;
  for (i64 y = 0; y < w; ++y)
    for (i64 x = 0; x < w; ++x) {
      Point point{
          y * w + x, dk * double(frequency_index(y, w)), dk * double(frequency_index(x, w)), {}};
      for (const auto& wave : waves) point.values.push_back(wave(y, x));
      if (point.power() > 1e-20 * most) points.push_back(std::move(point));
    }
  return points;
}

using Column = std::vector<Complex<double>>;

/// Step 1: the columns c of J ≈ Σ c c*, J(k, k') = K(k, k') Σ_m P_m(k) P_m*(k').
std::vector<Column> decompose(const std::vector<Point>& points, double wavelength,
                              const Incoherence& beam) {
  const std::size_t n = points.size();
  std::vector<double> left;  // diagonal of J − Σ c c*
  for (const Point& p : points) left.push_back(p.power());
  const double total = std::accumulate(left.begin(), left.end(), 0.0);
  std::vector<Column> columns;
  for (;;) {
    const auto largest = std::max_element(left.begin(), left.end());
    const double rest = std::accumulate(left.begin(), left.end(), 0.0);
    if (rest <= 0.1 * beam.left_out * total || *largest <= 0) return columns;
    check_number(std::ssize(columns) / 2);  // they are about twice the modes
    const auto pivot = static_cast<std::size_t>(largest - left.begin());
    const Point& at = points[pivot];
    const double root = std::sqrt(*largest);
    Column column(n);
    for (std::size_t i = 0; i < n; ++i) {
      const Point& p = points[i];
      Complex<double> value =
          mutual_coherence(beam, wavelength, p.ky, p.kx, at.ky, at.kx) * p.dot(at);
      for (const Column& earlier : columns) value -= earlier[i] * std::conj(earlier[pivot]);
      column[i] = value / root;
      left[i] = std::max(left[i] - std::norm(column[i]), 0.0);
    }
    left[pivot] = 0;
    columns.push_back(std::move(column));
  }
}

double power(View<const Complex<double>, 2> wave) {
  double sum = 0;
  for (const auto& v : wave) sum += std::norm(v);
  return sum;
}

/// Step 3: how many of the strongest hold all but `left_out` of the power.
i64 kept(View<const Complex<double>, 3> modes, double total, double left_out) {
  double left = 0;
  i64 count = modes.shape[0];
  while (count > 1 && left + power(modes[count - 1]) <= left_out * total)
    left += power(modes[--count]);
  return count;
}

}  // namespace

double mutual_coherence(const Incoherence& beam, double wavelength, double ky, double kx,
                        double other_ky, double other_kx) {
  const double dy = ky - other_ky, dx = kx - other_kx;
  const double source = pi * beam.source_size, focal = pi * wavelength * beam.focal_spread;
  const double squares = ky * ky + kx * kx - other_ky * other_ky - other_kx * other_kx;
  return std::exp(-2 * source * source * (dy * dy + dx * dx) -
                  focal * focal * squares * squares / 2);
}

Array<Complex<double>, 3> incoherent_modes(View<const Complex<double>, 3> modes, double pixel,
                                           double wavelength, const Incoherence& beam) {
  const i64 w = modes.shape[1];
  const Fft2<double> fft(w, w, FftRigor::estimate);
  const std::vector<Point> points = points_of(modes, pixel, fft);
  const std::vector<Column> columns = decompose(points, wavelength, beam);
  const i64 used = std::ssize(points);
  double total = 0;
  for (const Point& p : points) total += p.power();
  Array<Complex<double>, 3> waves({std::ssize(columns), 1, used});
  for (std::size_t c = 0; c < columns.size(); ++c)
    std::copy(columns[c].begin(), columns[c].end(), waves.view()[static_cast<i64>(c)].begin());
  waves = orthogonal_modes(std::move(waves));
  const i64 number = kept(waves.view(), total, 0.9 * beam.left_out);
  check_number(number);
  double strength = 0;
  for (i64 m = 0; m < number; ++m) strength += power(waves.view()[m]);
  // The unnormalised FFT multiplied by W, and its inverse does again.
  const double scale = std::sqrt(total / strength) / static_cast<double>(w * w);
  Array<Complex<double>, 3> all({number, w, w});
  for (i64 m = 0; m < number; ++m) {
    Array<Complex<double>, 2> wave({w, w});
    for (i64 i = 0; i < used; ++i)
      wave.data()[points[static_cast<std::size_t>(i)].index] = scale * waves.data()[m * used + i];
    fft.inverse(wave.data());
    const auto middle = centred<Complex<double>>(wave.view());
    std::copy(middle.begin(), middle.end(), all.view()[m].begin());
  }
  return all;
}

}  // namespace ptyle
