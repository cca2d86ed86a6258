#pragma once

#include <array>
#include <string>
#include <vector>

#include "prepare/prepare.hpp"

namespace ptyle {

/// The positions of the scan that are used, and the frame that was taken at each.
///
/// Frame of position p, of a scan with lines of n: frame_offset + p + flyback · ⌊p / n⌋.
struct Selection {
  std::vector<i64> positions;   ///< numbers within the scan, ascending
  std::vector<i64> frames;      ///< of each, its number in the file, ascending
  std::vector<i64> skipped{};   ///< positions left out by name or as they are no places, ascending
  std::vector<i64> left_out{};  ///< those of them that were chosen, and those without a frame
  std::vector<std::string> refusals{};  ///< of what is only looked at
  i64 scan = 0;                         ///< positions of the whole scan
  bool located = true;         ///< false: they do not fit the frames, which is only looked at
  std::array<i64, 2> lines{};  ///< (slow, fast) of the scan, where it is a raster; else 0
};

/// By data.frame_offset, flyback, positions and skip; without positions that are no finite numbers
/// or lie far from all others, unless data.outliers is keep. Throws UserError where frames and
/// positions do not fit each other or nothing is left, and where more than
/// `most_left_out` of the positions would have to be left out.
Selection select(const Measurement& m, std::vector<std::string>& notes,
                 std::vector<std::string>& warnings);

/// The share of a scan that may be left out without being asked for.
constexpr double most_left_out = 0.4;

/// "7", or "10-14", both of which count; UserError for another text.
std::array<i64, 2> range_of(const std::string& text);

/// {"3", "7-9"}, of numbers that ascend.
std::vector<std::string> ranges_of(const std::vector<i64>& numbers);

/// "3, 7-9, 40 and 12 more", of numbers that ascend.
std::string listed(const std::vector<i64>& numbers);

/// Parts of the scan's plane that no step leads between, the largest first: its positions that are
/// finite numbers. None of fewer than eight.
std::vector<std::vector<i64>> parts_of_scan(const std::vector<Position>& positions);

/// Fewer places than these are no region of their own.
constexpr std::size_t places_of_a_region = 10;

/// Numbers of the positions that lie apart from the others, ascending: not finite, or in a part of
/// the scan's plane that no step leads to and that holds but a few places.
std::vector<i64> far_positions(const std::vector<Position>& positions);

}  // namespace ptyle
