#pragma once

// Detector pixels and patterns that are no measurement, found by their own statistics. Rules and
// thresholds stand in docs/formats.md, under "What is left out".

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/array.hpp"

namespace ptyle {

enum class PixelFault : std::uint8_t {
  none,
  missing,  ///< no number in more frames than are left out
  full,     ///< the integer type's largest value in nearly every frame, as gaps are marked
  stuck,    ///< the same number in every frame, where its neighbours vary
  dead,     ///< nothing, between pixels with counts
  hot,      ///< far above its surroundings
  flashed,  ///< the same in a single frame
  masked    ///< by data.mask
};

/// Figures of every pixel of the raw frames, over all of them or a sample; sums over ranks.
struct PixelSums {
  PixelSums() = default;
  explicit PixelSums(i64 pixels);
  double frames = 0, sampled = 0;
  std::vector<double> sum, squares;   ///< of the values in sampled frames
  std::vector<double> full;           ///< frames in which it has the integer type's largest value
  std::vector<double> missing;        ///< … no finite number
  std::vector<double> negative;       ///< … a value below 0
  std::vector<double> noise;          ///< squares of those
  std::vector<double> at_saturation;  ///< frames in which it reaches data.saturation
  std::vector<double> peak;           ///< largest value in any frame
  /// All but `peak`, for a sum over ranks.
  [[nodiscard]] std::vector<std::vector<double>*> summed();
};

/// Pixels of raw frames, as the judgement needs them.
struct RawFrame {
  i64 rows = 0, cols = 0;
  std::vector<std::uint8_t> looked_at;  ///< 0: masked, or no pixel of a pattern comes from it
  std::array<i64, 2> centre{};          ///< of the undiffracted beam
};

/// Findings, the same on all ranks.
struct Screening {
  i64 rows = 0, cols = 0;          ///< of the raw frames
  std::vector<PixelFault> pixels;  ///< of each; empty: nothing was looked for
  std::vector<i64> left_out;       ///< patterns, by number within the experiment, ascending
  i64 clipped = 0;                 ///< pixels that reach `clipped_at` in some frame and are kept
  double clipped_at = 0;           ///< counts of a raw pixel; 0: no such limit is seen
  double clipped_of_disc = 0;      ///< those pixels over the bright-field disc's
  i64 frames_late = 0;             ///< against the positions, as the patterns themselves show it
  [[nodiscard]] i64 count(PixelFault fault) const;
  [[nodiscard]] bool bad(i64 pixel) const {
    return !pixels.empty() && pixels[static_cast<std::size_t>(pixel)] != PixelFault::none;
  }
};

/// 1 where a pixel of the raw frames is bad, masked or found; empty: none is.
Array<std::uint8_t, 2> mask_of(const Screening& found);

/// Faults of pixels. `left_out`: frames that have next to no numbers.
std::vector<PixelFault> judge_pixels(const RawFrame& frame, const PixelSums& sums, double left_out);

/// A level at which values are cut off, among pixels without a fault.
void find_clipping(const RawFrame& frame, const PixelSums& sums, double type_limit,
                   Screening& found);

/// "row 44, columns 52-53, (20, 20) and 3 more pixels": where pixels with this fault lie.
std::string places_of(const Screening& found, PixelFault fault);

/// "48 dead: row 44; 1 hot: (20, 20)", of each kind that there is; empty: there is none.
std::string describe_pixels(const Screening& found);

/// Patterns that stand apart, ascending, by kind.
struct OddPatterns {
  std::vector<i64> missing;      ///< many of their pixels are no numbers
  std::vector<i64> empty;        ///< no counts, or hardly any
  std::vector<i64> bright;       ///< far more counts than any other
  std::vector<i64> repeated;     ///< the one before once more, to the count
  double median = 0, times = 0;  ///< counts of a pattern; of the brightest over it
  [[nodiscard]] std::vector<i64> all() const;
};

/// Patterns of which many pixels, of so many, are no numbers (empty: none).
std::vector<i64> patterns_without_numbers(const std::vector<double>& missing, double pixels);

/// By their totals over valid pixels and the number of their pixels that are no numbers.
OddPatterns judge_patterns(const std::vector<double>& totals, const std::vector<double>& missing,
                           double pixels);

/// Patterns whose R-factor stands far above all others' (−1: not fitted), ascending.
struct Unexplained {
  std::vector<i64> patterns;
  double usual = 0, worst = 0;  ///< R
};
Unexplained unexplained_patterns(const std::vector<double>& r_factors);

}  // namespace ptyle
