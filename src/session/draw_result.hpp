#pragma once

// The pictures of a result, each into a file of its own. All throw UserError where that cannot be
// written.

#include <map>
#include <string>
#include <vector>

#include "io/result.hpp"
#include "session/copy_object.hpp"

namespace ptyle {

/// Sides of the panels in px, and modes of a probe that are drawn at most.
inline constexpr int pattern_px = 360, spectrum_px = 640;
inline constexpr i64 modes_drawn = 12;
[[nodiscard]] constexpr int probe_px(i64 modes) {
  return modes == 1 ? 560 : modes == 2 ? 600 : 440;
}
/// The longer side, in px of the object, of the field whose power spectrum is drawn.
inline constexpr i64 spectrum_field = 512;

/// The scanned area of a sum over slices, and as much around it as a probe is wide.
void draw_sum(const ObjectImages::Image& image, const ResultFacts& result, const std::string& title,
              const std::string& quantity, const std::string& path);
/// First, middle and last of n slices, on one scale.
void draw_slices(const std::map<i64, ObjectImages::Image>& slices, i64 n, const ResultFacts& result,
                 const std::string& path);
/// |FFT|² of the summed phase in the middle of the scanned area, its mean and its edges taken away.
void draw_spectrum(const ResultReader& result, const std::string& path);
/// All slices along the line through the middle of the scanned area, on one scale in both
/// directions.
void draw_depth(const ResultReader& result, const std::string& path);
void draw_probe(const ResultFacts& result, const std::string& path);
/// The probe's modes in the aperture plane.
void draw_aperture(const ResultFacts& result, const std::string& path);
/// Measured patterns, and below each what the model makes of it.
void draw_patterns(const ResultFacts& result, const std::string& path);
void draw_history(const History& history, const std::string& path);
/// The paper's Fig. 7b: what each rank spent its time on; no file of one rank.
void draw_ranks(const std::vector<RankFigure>& ranks, const std::string& path);
/// A line from where each position was to where it is, as long as shows: the longest of them twice
/// the step of the scan.
void draw_positions(const ResultFacts& result, const std::string& path);

}  // namespace ptyle
