#pragma once

#include <utility>
#include <vector>

#include "prepare/frames.hpp"
#include "prepare/prepare.hpp"

namespace ptyle::testing {

/// Frames that a test writes by hand.
class FramesInMemory final : public FrameSource {
 public:
  FramesInMemory(i64 n, i64 ny, i64 nx, bool integers = true, double limit = 255)
      : values(static_cast<std::size_t>(n * ny * nx)) {
    count = n;
    rows = ny;
    cols = nx;
    is_integer = integers;
    largest = integers ? limit : 0;
    name = "the test's frames";
  }
  double& at(i64 i, i64 y, i64 x) { return values[(i * rows + y) * cols + x]; }
  void read(i64 first, i64 n, std::int64_t* to) override { copy(first, n, to); }
  void read(i64 first, i64 n, float* to) override { copy(first, n, to); }
  [[nodiscard]] i64 preferred_run() const override { return run; }
  std::vector<double> values;
  i64 run = 1;                             ///< frames in a chunk
  std::vector<std::pair<i64, i64>> reads;  ///< first frame and number of each call

 private:
  template <class T>
  void copy(i64 first, i64 n, T* to) {
    reads.emplace_back(first, n);
    for (i64 k = 0; k < n * rows * cols; ++k)
      to[k] = static_cast<T>(values[first * rows * cols + k]);
  }
};

/// Frames whose every pixel has a value of its own, 1 + its place (modulo 251, a prime, so that no
/// row or column repeats soon).
inline FramesInMemory numbered(i64 n, i64 ny, i64 nx) {
  FramesInMemory frames(n, ny, nx);
  for (std::size_t k = 0; k < frames.values.size(); ++k)
    frames.values[k] = static_cast<double>(1 + k % 251);
  return frames;
}

/// A measurement in pixel units, positions one a frame.
inline Measurement measurement(FrameSource& frames) {
  Measurement m;
  m.frames = &frames;
  m.scan.unit = LengthUnit::pixel;
  m.scan.positions = "/positions";
  m.positions = RawPositions{std::vector<double>(static_cast<std::size_t>(2 * frames.count)),
                             {frames.count, 2},
                             "",
                             "the test's positions"};
  for (std::size_t k = 0; k < m.positions->values.size(); ++k)
    m.positions->values[k] = static_cast<double>(k);
  return m;
}

/// Pattern i with DC at [W/2, W/2], by value; padding as it is held (0).
inline Array<float, 2> pattern(const Experiment& e, i64 i) {
  const i64 w = e.patterns->window();
  Array<float, 2> corner({w, w});
  e.patterns->load(i, corner.data());
  return centred<float>(corner.view());
}

inline Array<float, 2> valid(const Experiment& e) { return centred<float>(e.valid.view()); }

}  // namespace ptyle::testing
