#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "prepare/config.hpp"
#include "prepare/frames.hpp"

namespace ptyle {

/// The detector pixels that each pixel of a W×W pattern comes from: flips, transpose, centre, crop,
/// bin and pad in one table.
///
///   1. The frame is flipped: flip_rows, flip_cols, transpose, in this order. One with DC centred
///      is reversed as it lies (DC is taken to be at [N/2, N/2] afterwards, or where `centre`
///      says); one with DC at the corner is reversed about its DC and then centred.
///   2. The crop box of C×C pixels is laid so that the centre is its pixel [C/2].
///   3. b×b pixels are summed. With a given centre, the middle of bin [W/2] is laid as near to it
///      as whole pixels allow; without one, bins begin at the first pixel of the frame (or crop
///      box).
///   4. The window is laid with bin [W/2] in its middle; what lies outside the frame or crop box is
///      padding, no measurement.
struct Layout {
  i64 window = 0;                    ///< W
  i64 bin = 1;                       ///< b
  std::vector<std::int64_t> source;  ///< (W·W, b·b) pixel of the raw frame, in the order of a
                                     ///< pattern with DC at [0,0]; −1: padding
  std::vector<bool> padded;          ///< W·W, DC at [0,0]: some of its b·b pixels is missing
  std::array<double, 2> residual{};  ///< centre minus the middle of bin [W/2], (row, col), in bins
  i64 extent = 0;                    ///< longer side of the frame in bins, before padding
};

/// The centre is (row, col) in pixels of the flipped frame; empty: [N/2, N/2]. Throws UserError
/// where crop, bin or window do not fit the frame.
Layout lay_out(const FrameSource& frames, const DataConfig& config,
               std::optional<std::array<double, 2>> centre);

}  // namespace ptyle
