#pragma once

// Scans over a weak phase object, pattern by pattern from the wave itself: the reference of what
// side bands and shifts say.

#include <cmath>
#include <random>
#include <vector>

#include "analysis/bright_field.hpp"
#include "analysis/scan_raster.hpp"
#include "analysis/side_bands.hpp"
#include "core/random.hpp"
#include "core/raster.hpp"
#include "core/units.hpp"
#include "device/cpu/fft.hpp"

namespace ptyle::testing {

struct WeakScan {
  static constexpr i64 window = 64;
  static constexpr double pixel = 0.25, wavelength = 0.041757, semi_angle = 25e-3;  // Å, 80 kV
  BeamModel beam;  ///< rotation: of the scan
  std::array<i64, 2> shape{32, 28};
  double step = 0.5;     ///< Å
  double phase = 0.03;   ///< rad, r.m.s.
  double finest = 0.6;   ///< 1/Å, of the object
  double electrons = 0;  ///< per pattern; 0: no noise

  static double dk() { return 1 / (static_cast<double>(window) * pixel); }
  static BeamFrame frame() { return {wavelength, semi_angle / wavelength, dk()}; }
  /// As the user gives them, without the rotation.
  [[nodiscard]] std::vector<Position> positions() const {
    return positions_of(Raster{shape, {step, step}});
  }

  /// Periodic, smooth, of mean 0.
  [[nodiscard]] Array<double, 2> object() const {
    Array<Complex<double>, 2> field({window, window});
    Philox random(3, 1, 4);
    for (auto& v : field) v = random.uniform() - 0.5;
    const Fft2<double> fft(window, window, FftRigor::estimate);
    fft.forward(field.data());
    for (i64 y = 0; y < window; ++y)
      for (i64 x = 0; x < window; ++x) {
        const double k = dk() * std::hypot(double(frequency_index(y, window)),
                                           double(frequency_index(x, window)));
        field(y, x) *= k > 0 ? std::exp(-std::pow(k / finest, 4)) : 0.0;
      }
    fft.inverse(field.data());
    Array<double, 2> object({window, window});
    double squares = 0;
    for (i64 i = 0; i < object.size(); ++i) {
      object.data()[i] = field.data()[i].real();
      squares += std::pow(object.data()[i], 2) / double(object.size());
    }
    for (double& v : object) v *= phase / std::sqrt(squares);
    return object;
  }

  /// Calls use(number of the position, pattern W·W, DC at [0,0], of mean sum 1e4 or in electrons).
  template <class Use>
  void each_pattern(Use&& use) const {
    const auto phases = object();
    const Fft2<double> fft(window, window, FftRigor::estimate);
    const double c = std::cos(beam.rotation), s = std::sin(beam.rotation);
    Array<Complex<double>, 2> wave({window, window});
    std::vector<float> pattern(window * window);
    Philox random(1, 5, 9);
    const auto positions = this->positions();
    for (std::size_t i = 0; i < positions.size(); ++i) {
      const Position at{c * positions[i].row - s * positions[i].col,
                        s * positions[i].row + c * positions[i].col};
      double power = 0;
      for (i64 y = 0; y < window; ++y)
        for (i64 x = 0; x < window; ++x) {
          const double ky = dk() * double(frequency_index(y, window)),
                       kx = dk() * double(frequency_index(x, window));
          const bool inside = std::hypot(ky, kx) * wavelength <= semi_angle;
          const double chi = aberration_phase(beam.aberrations(), ky, kx, wavelength);
          wave(y, x) = inside ? std::polar(1.0, -chi - 2 * pi * (ky * at.row + kx * at.col)) : 0.0;
          power += inside ? 1 : 0;
        }
      fft.inverse(wave.data());
      for (i64 k = 0; k < wave.size(); ++k) wave.data()[k] *= std::polar(1.0, phases.data()[k]);
      fft.forward(wave.data());
      const double scale =
          (electrons > 0 ? electrons : 1e4) / (power * std::pow(double(window), 4));
      for (i64 y = 0; y < window; ++y)
        for (i64 x = 0; x < window; ++x) {
          const i64 to = beam.mirrored ? (window - x) % window : x;
          const double mean = scale * std::norm(wave(y, x));
          pattern[y * window + to] = float(
              electrons > 0 ? double(std::poisson_distribution<int>(std::max(mean, 1e-9))(random))
                            : mean);
        }
      use(static_cast<i64>(i), pattern.data());
    }
  }

  [[nodiscard]] BrightFieldImages images() const {
    Array<float, 2> valid({window, window});
    valid.fill(1);
    const double middle = double(window / 2);
    BrightFieldImages images(
        BrightFieldBlocks({middle, middle, frame().aperture / dk()}, valid.view(), 1), shape);
    each_pattern([&](i64 place, const float* pattern) { images.set(place, pattern); });
    images.finish();
    return images;
  }

  /// The raster as scan_raster finds it.
  [[nodiscard]] ScanRaster raster() const { return *scan_raster(positions()); }
};

}  // namespace ptyle::testing
