#pragma once

// Test images that are known between the pixels too.

#include <cmath>
#include <vector>

#include "core/array.hpp"
#include "core/random.hpp"
#include "core/units.hpp"

namespace ptyle::test {

/// A sum of waves of random direction, none finer than `finest` cycles a pixel, root mean square
/// about 1, that can be asked for at any place.
class Waves {
 public:
  Waves(std::uint64_t seed, double finest, int count = 40) {
    Philox random(seed, 0, 0);
    for (int i = 0; i < count; ++i) {
      const double k = finest * std::sqrt(random.uniform()), angle = 2 * pi * random.uniform();
      waves_.push_back({k * std::sin(angle), k * std::cos(angle), 2 * pi * random.uniform(),
                        std::sqrt(2.0 / count)});
    }
  }
  [[nodiscard]] double at(double y, double x) const {
    double sum = 0;
    for (const Wave& w : waves_)
      sum += w.amplitude * std::cos(2 * pi * (w.ky * y + w.kx * x) + w.phase);
    return sum;
  }
  /// The image whose pixel [0, 0] lies at (row, col).
  [[nodiscard]] Array<double, 2> image(std::array<i64, 2> shape, double row = 0,
                                       double col = 0) const {
    Array<double, 2> out(shape);
    for (i64 y = 0; y < shape[0]; ++y)
      for (i64 x = 0; x < shape[1]; ++x)
        out(y, x) = at(row + static_cast<double>(y), col + static_cast<double>(x));
    return out;
  }

 private:
  struct Wave {
    double ky, kx, phase, amplitude;
  };
  std::vector<Wave> waves_;
};

/// Uniform noise of unit variance, independent from pixel to pixel.
inline Array<double, 2> noise(std::uint64_t seed, std::array<i64, 2> shape) {
  Philox random(seed, 1, 0);
  Array<double, 2> out(shape);
  for (double& v : out) v = std::sqrt(12.0) * (random.uniform() - 0.5);
  return out;
}

inline Array<double, 2> ones(std::array<i64, 2> shape) {
  Array<double, 2> out(shape);
  out.fill(1);
  return out;
}

}  // namespace ptyle::test
