#pragma once

// Frames of a noisy disc that moves with the scan, to be spoilt.

#include <cmath>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "prepare/frames_in_memory.hpp"

namespace ptyle::testing {

constexpr i64 side = 48, lines = 12, per_line = 10;

/// A disc of 12 px radius whose counts shift with the position, on a dim background; Poisson noise.
inline FramesInMemory discs(double level = 40, double dark = 0.5, double limit = 65535) {
  FramesInMemory f(lines * per_line, side, side, true, limit);
  std::mt19937 random(1);
  for (i64 i = 0; i < f.count; ++i) {
    const double a = 0.5 * double(i % per_line), b = 0.5 * double(i / per_line);
    for (i64 y = 0; y < side; ++y)
      for (i64 x = 0; x < side; ++x) {
        const double v = double(y) - 24, u = double(x) - 24, r = std::hypot(v, u);
        const double inside = 1 / (1 + std::exp((r - 12) / 0.4));
        const double mean = dark * std::exp(-r / 12) +
                            level * inside * (1 + 0.3 * std::sin(a + u / 4) * std::cos(b + v / 5));
        f.at(i, y, x) = std::poisson_distribution<int>(mean)(random);
      }
  }
  return f;
}

inline Experiment prepared(FramesInMemory& frames,
                           const std::function<void(Measurement&)>& change = {}) {
  Measurement m = measurement(frames);
  if (change) change(m);
  return prepare(m);
}

inline std::string warned(const Experiment& e) {
  std::string all;
  for (const auto& w : e.warnings) all += w + "\n";
  return all;
}

inline void fill(FramesInMemory& f, i64 row, i64 rows, i64 col, i64 cols,
                 const std::function<double(double)>& value) {
  for (i64 i = 0; i < f.count; ++i)
    for (i64 y = row; y < row + rows; ++y)
      for (i64 x = col; x < col + cols; ++x) f.at(i, y, x) = value(f.at(i, y, x));
}

/// A frame gets another value in each of its pixels.
inline void change(FramesInMemory& f, i64 i,
                   const std::function<double(double, i64 y, i64 x)>& value) {
  for (i64 y = 0; y < side; ++y)
    for (i64 x = 0; x < side; ++x) f.at(i, y, x) = value(f.at(i, y, x), y, x);
}

/// The i-th frame becomes the same as another.
inline void copy_frame(FramesInMemory& f, i64 from, i64 to) {
  change(f, to, [&](double, i64 y, i64 x) { return f.at(from, y, x); });
}

}  // namespace ptyle::testing
