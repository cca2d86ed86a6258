#include "simulate/coherence.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
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
  Complex<double> value;  ///< P(k)
};

std::vector<Point> points_of(View<const Complex<double>, 2> mode, double pixel,
                             const Fft2<double>& fft) {
  const i64 w = mode.shape[0];
  Array<Complex<double>, 2> wave = cornered<Complex<double>>(mode);
  fft.forward(wave.data());
  double most = 0;
  for (const auto& v : wave) most = std::max(most, std::norm(v));
  const double dk = 1 / (static_cast<double>(w) * pixel);
  std::vector<Point> points;
  for (i64 y = 0; y < w; ++y)
    for (i64 x = 0; x < w; ++x)
      if (std::norm(wave(y, x)) > 1e-20 * most)
        points.push_back({y * w + x, dk * double(frequency_index(y, w)),
                          dk * double(frequency_index(x, w)), wave(y, x)});
  return points;
}

/// Step 1 for one mode: the columns P(k) b(k) of P K P* ≈ Σ (P b)(P b)*, b real.
std::vector<std::vector<double>> decompose(const std::vector<Point>& points, double wavelength,
                                           const Incoherence& beam) {
  const std::size_t n = points.size();
  std::vector<double> left(n, 1.0);  // diagonal of K − Σ b bᵀ
  double total = 0;
  for (const Point& p : points) total += std::norm(p.value);
  std::vector<std::vector<double>> columns;
  for (;;) {
    std::size_t pivot = 0;
    double rest = 0, largest = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const double power = std::norm(points[i].value) * std::max(left[i], 0.0);
      rest += power;
      if (power > largest) largest = power, pivot = i;
    }
    if (rest <= 0.1 * beam.left_out * total || largest == 0) return columns;
    check_number(std::ssize(columns) / 2);  // they are about twice the modes
    const double root = std::sqrt(left[pivot]);
    std::vector<double> column(n);
    for (std::size_t i = 0; i < n; ++i) {
      double value = mutual_coherence(beam, wavelength, points[i].ky, points[i].kx,
                                      points[pivot].ky, points[pivot].kx);
      for (const auto& earlier : columns) value -= earlier[i] * earlier[pivot];
      column[i] = value / root;
      left[i] -= column[i] * column[i];
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
  const i64 given = modes.shape[0], w = modes.shape[1];
  const Fft2<double> fft(w, w, FftRigor::estimate);
  std::vector<std::vector<Point>> points;
  std::vector<std::vector<std::vector<double>>> columns;
  std::vector<i64> place(static_cast<std::size_t>(w * w),
                         -1);  // of a frequency among all that count
  i64 count = 0, used = 0;
  double total = 0;
  for (i64 m = 0; m < given; ++m) {
    points.push_back(points_of(modes[m], pixel, fft));
    columns.push_back(decompose(points.back(), wavelength, beam));
    count += std::ssize(columns.back());
    for (const Point& p : points.back()) {
      i64& at = place[static_cast<std::size_t>(p.index)];
      if (at < 0) at = used++;
      total += std::norm(p.value);
    }
  }
  Array<Complex<double>, 3> waves({count, 1, used});
  for (std::size_t m = 0, next = 0; m < points.size(); ++m)
    for (const auto& column : columns[m]) {
      const View<Complex<double>, 2> wave = waves.view()[static_cast<i64>(next++)];
      for (std::size_t i = 0; i < column.size(); ++i)
        wave.data[place[static_cast<std::size_t>(points[m][i].index)]] =
            points[m][i].value * column[i];
    }
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
    for (i64 k = 0; k < w * w; ++k)
      if (const i64 at = place[static_cast<std::size_t>(k)]; at >= 0)
        wave.data()[k] = scale * waves.data()[m * used + at];
    fft.inverse(wave.data());
    const auto middle = centred<Complex<double>>(wave.view());
    std::copy(middle.begin(), middle.end(), all.view()[m].begin());
  }
  return all;
}

}  // namespace ptyle
