// The probe and its modes.
//
//   1. aperture A(k), its rim tapered
//   2. times exp(−iχ(k)), χ from the aberrations
//   3. real space by an inverse FFT, centred
//   4. scaled to Σ|probe|² = 1

#include "operator/probe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "core/eigen.hpp"
#include "core/error.hpp"
#include "core/grid.hpp"
#include "core/waves.hpp"
#include "device/cpu/fft.hpp"

namespace ptyle {
namespace {

using Value = Complex<double>;

// The aperture at a distance from its rim, in frequency pixels (positive: inside): 0 … 1 over
// `edge`.
double aperture(double inside, double edge) {
  if (edge <= 0) return inside >= 0 ? 1 : 0;
  return std::clamp(inside / edge + 0.5, 0.0, 1.0);
}

double power(View<const Value, 2> wave) { return power_of<double>(wave); }

void scale(View<Value, 2> wave, double factor) {
  for (Value& v : wave) v *= factor;
}

// Hermite polynomial He_n (probabilists'): He_{n+1} = x He_n − n He_{n−1}.
double hermite(int n, double x) {
  double before = 0, now = 1;
  for (int k = 0; k < n; ++k) before = std::exchange(now, x * now - k * before);
  return now;
}

// Centre of mass and width (standard deviation, both axes together) of |wave|², pixels.
struct Spot {
  double row = 0, col = 0, width = 0;
};

Spot spot_of(View<const Value, 2> wave) {
  const auto [ny, nx] = wave.shape;
  const double total = power(wave);
  Spot spot;
  for (i64 y = 0; y < ny; ++y)
    for (i64 x = 0; x < nx; ++x) {
      spot.row += y * std::norm(wave(y, x)) / total;
      spot.col += x * std::norm(wave(y, x)) / total;
    }
  double variance = 0;
  for (i64 y = 0; y < ny; ++y)
    for (i64 x = 0; x < nx; ++x)
      variance += (std::pow(y - spot.row, 2) + std::pow(x - spot.col, 2)) / 2 *
                  std::norm(wave(y, x)) / total;
  spot.width = std::sqrt(variance);
  return spot;
}

// ⟨a, b⟩ = Σ a* b
Value inner(View<const Value, 2> a, View<const Value, 2> b) {
  Value sum = 0;
  for (i64 i = 0; i < a.size(); ++i) sum += std::conj(a.data[i]) * b.data[i];
  return sum;
}

// Takes out of `mode` its part along `other`.
void make_orthogonal(View<Value, 2> mode, View<const Value, 2> other) {
  const Value along = inner(other, mode) / power(other);
  for (i64 i = 0; i < mode.size(); ++i) mode.data[i] -= along * other.data[i];
}

}  // namespace

Array<Value, 2> form_probe(const ProbeOptics& optics, i64 window, double pixel, double edge) {
  if (window < 1 || !(pixel > 0) || !(optics.wavelength > 0) || !(optics.semi_angle > 0))
    throw std::invalid_argument(
        "a probe needs a window, and a pixel, a wavelength and a convergence angle above 0");
  const double dk = 1 / (window * pixel), rim = optics.semi_angle / optics.wavelength;
  Array<Value, 2> wave({window, window});
  for (i64 y = 0; y < window; ++y)
    for (i64 x = 0; x < window; ++x) {
      const double ky = dk * (double(frequency_index(y, window)) - optics.centre[0]),
                   kx = dk * (double(frequency_index(x, window)) - optics.centre[1]);
      const double open = aperture((rim - std::hypot(ky, kx)) / dk, edge);
      wave(y, x) =
          std::polar(open, -aberration_phase(optics.aberrations, ky, kx, optics.wavelength));
    }
  Fft2<double>(window, window, FftRigor::estimate).inverse(wave.data());
  scale(wave, 1 / std::sqrt(power(wave)));
  return centred<Value>(wave);
}

Array<Value, 3> spread_modes(View<const Value, 2> probe, const std::vector<double>& power_shares,
                             Ledger* ledger) {
  const auto [ny, nx] = probe.shape;
  const auto count = static_cast<i64>(power_shares.size());
  const double total = power(probe);
  if (!(total > 0)) throw std::invalid_argument("a probe without power has no modes");
  const Spot spot = spot_of(probe);
  Array<Value, 3> modes({count, ny, nx}, ledger, "probe");
  int order = 0, along_x = 0;  // of the Hermite function: 0 0, then 1 0, 0 1, then 2 0, 1 1, 0 2, …
  for (i64 m = 0; m < count; ++m) {
    const View<Value, 2> mode = modes.view()[m];
    for (i64 y = 0; y < ny; ++y)
      for (i64 x = 0; x < nx; ++x) {
        const double v = spot.width > 0 ? (y - spot.row) / spot.width : 0;
        const double u = spot.width > 0 ? (x - spot.col) / spot.width : 0;
        // The Gaussian keeps the polynomial from lifting the probe's faint tails; mode 0 is the
        // probe.
        const double hermite_function = m == 0 ? 1
                                               : hermite(order - along_x, v) * hermite(along_x, u) *
                                                     std::exp(-(u * u + v * v) / 4);
        mode(y, x) = probe(y, x) * hermite_function;
      }
    const double before = power(mode);
    for (int pass = 0; pass < 2; ++pass)  // twice: once leaves rounding behind
      for (i64 k = 0; k < m; ++k)
        if (power_shares[static_cast<std::size_t>(k)] > 0) make_orthogonal(mode, modes.view()[k]);
    const double after = power(mode);
    if (!(after > 1e-20 * before))
      throw UserError(fmt::format(
          "probe.modes: this probe carries only {} of {} modes, in so few pixels of its "
          "window or of the bright-field disc there are no more; are calibration and "
          "optics.semi_angle right?",
          m, count));
    scale(mode, std::sqrt(power_shares[static_cast<std::size_t>(m)] * total / after));
    if (++along_x > order) ++order, along_x = 0;
  }
  return modes;
}

Array<Value, 3> orthogonal_modes(Array<Value, 3> modes) {
  const i64 count = modes.shape()[0], size = modes.shape()[1] * modes.shape()[2];
  Array<Value, 2> products({count, count});
  for (i64 m = 0; m < count; ++m)
    for (i64 k = m; k < count; ++k) {
      products(m, k) = inner(modes.view()[m], modes.view()[k]);
      products(k, m) = std::conj(products(m, k));
    }
  auto mixture = eigen_of(products);
  settle(mixture);
  std::vector<Value> pixel(static_cast<std::size_t>(count));
  for (i64 i = 0; i < size; ++i) {
    for (i64 m = 0; m < count; ++m)
      pixel[static_cast<std::size_t>(m)] = std::exchange(modes.data()[m * size + i], Value());
    for (i64 m = 0; m < count; ++m)
      for (i64 k = 0; k < count; ++k)
        modes.data()[m * size + i] += mixture.vectors(m, k) * pixel[static_cast<std::size_t>(k)];
  }
  return modes;
}

}  // namespace ptyle
