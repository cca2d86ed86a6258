#pragma once

// The detector pixels of a pattern that a fit is judged by: in every run of so many consecutive
// pixels a random one is held out. The choice depends on seed and pattern alone, not on ranks,
// threads or order, and a GPU decides on a pixel by itself.

#include <algorithm>
#include <cstdint>

#include "core/annotation.hpp"
#include "core/array.hpp"
#include "core/random.hpp"

namespace ptyle {

/// The pixels of a pattern that count: all, those that are fitted, or those that are held out.
enum class PixelSet : std::uint8_t { all, fitted, held_out };

/// A pattern's pixels are numbered in natural order, y · W + x with DC at [0,0].
struct PixelChoice {
  PixelSet pixels = PixelSet::all;
  std::uint32_t run = 1;  ///< consecutive pixels, one of which is held out
  std::uint64_t seed = 0;
  std::uint64_t pattern = 0;  ///< its number among all patterns

  /// True if a pixel counts.
  [[nodiscard]] PTYLE_HOST_DEVICE bool has(std::uint32_t pixel) const {
    if (pixels == PixelSet::all) return true;
    const std::uint32_t number = pixel / run;
    const bool held = pixel % run == place(Philox::at(seed, stream, pattern, number));
    return held == (pixels == PixelSet::held_out);
  }

  /// Counts of pixels that do not count become −1, which no operator looks at (core/pattern.hpp).
  template <class T>
  void apply(T* counts, i64 n) const {
    if (pixels == PixelSet::all) return;
    Philox random(seed, stream, pattern);
    for (i64 first = 0; first < n; first += run) {
      const i64 last = std::min<i64>(n, first + run), held = first + place(random());
      if (pixels == PixelSet::held_out) {
        std::fill(counts + first, counts + std::min(held, last), T(-1));
        if (held < last) std::fill(counts + held + 1, counts + last, T(-1));
      } else if (held < last) {
        counts[held] = T(-1);
      }
    }
  }

 private:
  static constexpr std::uint32_t stream = 0xFFFF0002;  // of the generator
  /// The place in a run, by a random number.
  [[nodiscard]] PTYLE_HOST_DEVICE std::uint32_t place(std::uint32_t random) const {
    return static_cast<std::uint32_t>((std::uint64_t{random} * run) >> 32);
  }
};

}  // namespace ptyle
