#pragma once

// Detector pixels and patterns that are left out of a measurement, as they are none.

#include <cstdint>
#include <string>
#include <vector>

#include "core/array.hpp"
#include "core/grid.hpp"

namespace ptyle {

enum class PixelFault : std::uint8_t {
  none,
  missing,     ///< no number in more frames than are left out
  full,        ///< the integer type's largest value in nearly every frame, as gaps are marked
  stuck,       ///< the same number in every frame, where its neighbours vary
  dead,        ///< nothing, between pixels with counts
  hot,         ///< far above its surroundings
  flashed,     ///< the same in a single frame
  flickering,  ///< it varies far more than counts do, alone
  masked       ///< by data.mask
};

/// Findings, the same on all ranks.
struct Screening {
  i64 rows = 0, cols = 0;          ///< of the raw frames
  std::vector<PixelFault> pixels;  ///< of each; empty: nothing was looked for
  std::vector<i64> left_out;       ///< patterns, by number within the experiment, ascending
  i64 clipped = 0;                 ///< pixels that reach `clipped_at` in some frame and are kept
  double clipped_at = 0;           ///< counts of a raw pixel; 0: no such limit is seen
  double clipped_of_disc = 0;      ///< those pixels over the bright-field disc's
  std::vector<i64> jumped;         ///< patterns whose disc lies elsewhere, by `jump`; they are kept
  Position jump;                   ///< window px
  i64 frames_late = 0;             ///< against the positions, as the patterns themselves show it
  [[nodiscard]] i64 count(PixelFault fault) const;
  [[nodiscard]] bool bad(i64 pixel) const {
    return !pixels.empty() && pixels[static_cast<std::size_t>(pixel)] != PixelFault::none;
  }
};

/// 1 where a pixel of the raw frames is bad, masked or found; empty: none is.
Array<std::uint8_t, 2> mask_of(const Screening& found);

/// "row 44, columns 52-53, (20, 20) and 3 more pixels": where pixels with this fault lie.
std::string places_of(const Screening& found, PixelFault fault);

/// "48 dead: row 44; 1 hot: (20, 20)", of each kind that there is; empty: there is none.
std::string describe_pixels(const Screening& found);

}  // namespace ptyle
