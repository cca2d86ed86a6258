#include "operator/coherence.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include "core/eigen.hpp"
#include "core/error.hpp"
#include "core/grid.hpp"
#include "core/units.hpp"
#include "core/waves.hpp"
#include "device/cpu/fft.hpp"
#include "operator/probe.hpp"

namespace ptyle {
namespace {

constexpr i64 most_modes = 256;

/// How far step 1 goes.
struct Until {
  double left_out = 0;  ///< of the power, at most
  i64 least = 0;        ///< columns, where there are so many
  const char* remedy = "";
  Ledger* ledger = nullptr;
};

void check_number(i64 modes, const char* remedy) {
  if (modes > most_modes)
    throw UserError(fmt::format(
        "optics.source_size, optics.focal_spread: so incoherent a beam is of more than {} modes; "
        "take less of either{}",
        most_modes, remedy));
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
                             const std::array<double, 2>& centre, const Fft2<double>& fft) {
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
      Point point{y * w + x,
                  dk * (double(frequency_index(y, w)) - centre[0]),
                  dk * (double(frequency_index(x, w)) - centre[1]),
                  {}};
      for (const auto& wave : waves) point.values.push_back(wave(y, x));
      if (point.power() > 1e-20 * most) points.push_back(std::move(point));
    }
  return points;
}

using Column = Array<Complex<double>, 1>;

double power(const std::vector<Point>& points) {
  return std::accumulate(points.begin(), points.end(), 0.0,
                         [](double sum, const Point& p) { return sum + p.power(); });
}

/// Step 1: the columns c of J ≈ Σ c c*, J(k, k') = K(k, k') Σ_m P_m(k) P_m*(k').
std::vector<Column> decompose(const std::vector<Point>& points, double wavelength,
                              const Incoherence& beam, const Until& until) {
  constexpr double nothing = 1e-15;  // of the power: rounding
  const i64 n = std::ssize(points);
  std::vector<double> left;  // diagonal of J − Σ c c*
  for (const Point& p : points) left.push_back(p.power());
  const double total = power(points);
  std::vector<Column> columns;
  for (;;) {
    const auto largest = std::max_element(left.begin(), left.end());
    const double rest = std::accumulate(left.begin(), left.end(), 0.0);
    const double enough = std::ssize(columns) < until.least ? nothing : 0.1 * until.left_out;
    if (rest <= enough * total || *largest <= 0) return columns;
    check_number(std::ssize(columns) / 2, until.remedy);  // they are about twice the modes
    const i64 pivot = largest - left.begin();
    const Point& at = points[static_cast<std::size_t>(pivot)];
    const double root = std::sqrt(*largest);
    Column column({n}, until.ledger, "probe");
    for (i64 i = 0; i < n; ++i) {
      const Point& p = points[static_cast<std::size_t>(i)];
      Complex<double> value =
          mutual_coherence(beam, wavelength, p.ky, p.kx, at.ky, at.kx) * p.dot(at);
      for (const Column& earlier : columns) value -= earlier(i) * std::conj(earlier(pivot));
      column(i) = value / root;
      double& of_point = left[static_cast<std::size_t>(i)];
      of_point = std::max(of_point - std::norm(column(i)), 0.0);
    }
    left[static_cast<std::size_t>(pivot)] = 0;
    columns.push_back(std::move(column));
  }
}

/// Step 3: how many of the strongest hold all but `left_out` of the power.
i64 kept(View<const Complex<double>, 3> modes, double total, double left_out) {
  double left = 0;
  i64 count = modes.shape[0];
  while (count > 1 && left + power_of<double>(modes[count - 1]) <= left_out * total)
    left += power_of<double>(modes[--count]);
  return count;
}

/// Steps 1 and 2: spectra (columns, 1, points), orthogonal.
Array<Complex<double>, 3> spectra_of(const std::vector<Point>& points, double wavelength,
                                     const Incoherence& beam, const Until& until) {
  std::vector<Column> columns = decompose(points, wavelength, beam, until);
  Array<Complex<double>, 3> spectra({std::ssize(columns), 1, std::ssize(points)});
  for (i64 c = 0; c < spectra.shape()[0]; ++c) {
    Column& column = columns[static_cast<std::size_t>(c)];
    std::copy(column.begin(), column.end(), spectra.view()[c].begin());
    column = {};
  }
  return orthogonal_modes(std::move(spectra));
}

/// Step 2 of few: spectra (count, 1, points) of the strongest modes, C u of the columns C and
/// eigenvectors u of C* C; 0 beyond as many as there are.
Array<Complex<double>, 3> strongest_spectra(const std::vector<Column>& columns, i64 points,
                                            i64 count, Ledger* ledger) {
  const i64 n = std::ssize(columns);
  const auto column = [&](i64 i) -> const Column& { return columns[static_cast<std::size_t>(i)]; };
  Array<Complex<double>, 2> gram({n, n});
  for (i64 a = 0; a < n; ++a)
    for (i64 b = a; b < n; ++b) {
      Complex<double> sum = 0;
      for (i64 i = 0; i < points; ++i) sum += std::conj(column(a)(i)) * column(b)(i);
      gram(a, b) = sum;
      gram(b, a) = std::conj(sum);
    }
  const auto u = eigen_of(gram).vectors;
  Array<Complex<double>, 3> spectra({count, 1, points}, ledger, "probe");
  for (i64 m = 0; m < std::min(count, n); ++m)
    for (i64 a = 0; a < n; ++a)
      for (i64 i = 0; i < points; ++i) spectra(m, 0, i) += u(m, a) * column(a)(i);
  return spectra;
}

/// The first `count` as waves, scaled to the power `total`.
Array<Complex<double>, 3> waves_of(const std::vector<Point>& points,
                                   View<const Complex<double>, 3> spectra, i64 count, i64 w,
                                   double total, const Fft2<double>& fft,
                                   Ledger* ledger = nullptr) {
  double strength = 0;
  for (i64 m = 0; m < count; ++m) strength += power_of<double>(spectra[m]);
  // The unnormalised FFT multiplied by W, and its inverse does again.
  const double scale = std::sqrt(total / strength) / static_cast<double>(w * w);
  Array<Complex<double>, 3> all({count, w, w}, ledger, "probe");
  for (i64 m = 0; m < count; ++m) {
    Array<Complex<double>, 2> wave({w, w});
    for (i64 i = 0; i < std::ssize(points); ++i)
      wave.data()[points[static_cast<std::size_t>(i)].index] = scale * spectra(m, 0, i);
    fft.inverse(wave.data());
    const auto middle = centred<Complex<double>>(wave.view());
    std::copy(middle.begin(), middle.end(), all.view()[m].begin());
  }
  return all;
}

/// The end of strongest_modes' search.
Until until_strongest(const Incoherence& beam, i64 count, Ledger* ledger) {
  return {.left_out = beam.left_out, .least = 2 * count, .ledger = ledger};
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
  constexpr const char* remedy = ", or a larger optics.left_out";
  const i64 w = modes.shape[1];
  const Fft2<double> fft(w, w, FftRigor::estimate);
  const std::vector<Point> points = points_of(modes, pixel, beam.centre, fft);
  const auto spectra =
      spectra_of(points, wavelength, beam, {.left_out = beam.left_out, .remedy = remedy});
  const double total = power(points);
  const i64 number = kept(spectra.view(), total, 0.9 * beam.left_out);
  check_number(number, remedy);
  return waves_of(points, spectra.view(), number, w, total, fft);
}

StrongestModes strongest_modes(View<const Complex<double>, 3> modes, double pixel,
                               double wavelength, const Incoherence& beam, i64 count,
                               Ledger* ledger) {
  constexpr double least = 1e-12;  // of the power, of a mode that is there
  const i64 w = modes.shape[1];
  const Fft2<double> fft(w, w, FftRigor::estimate);
  const std::vector<Point> points = points_of(modes, pixel, beam.centre, fft);
  const auto spectra =
      strongest_spectra(decompose(points, wavelength, beam, until_strongest(beam, count, ledger)),
                        std::ssize(points), count, ledger);
  const double total = power(points);
  double held = 0;
  for (i64 m = 0; m < count; ++m) {
    const double strength = power_of<double>(spectra.view()[m]);
    if (strength <= least * total)
      throw UserError(fmt::format(
          "optics.source_size, optics.focal_spread: so coherent a beam has only {} mode{}, not "
          "the {} of probe.modes: take fewer, or a larger source or spread",
          m, m == 1 ? "" : "s", count));
    held += strength;
  }
  return {waves_of(points, spectra.view(), count, w, total, fft, ledger), 1 - held / total};
}

double strongest_modes_bytes(View<const Complex<double>, 3> modes, double pixel, double wavelength,
                             const Incoherence& beam, i64 count) {
  const i64 w = modes.shape[1];
  const auto points = points_of(modes, pixel, beam.centre, Fft2<double>(w, w, FftRigor::estimate));
  const i64 columns =
      std::ssize(decompose(points, wavelength, beam, until_strongest(beam, count, nullptr)));
  // Spectra beside the columns, then beside the waves.
  const i64 values =
      count * std::ssize(points) + std::max(columns * std::ssize(points), count * w * w);
  return static_cast<double>(values) * sizeof(Complex<double>);
}

}  // namespace ptyle
