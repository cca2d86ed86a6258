#pragma once

#include <filesystem>

namespace ptyle {

/// 25 patterns of 32 × 32 px on a 5 × 5 scan: a bright-field disc with a little noise, float32, and
/// beside it datasets of wrong kinds and shapes.
struct SmallData {
  enum Spoil { none, nan, zeros, nan_position };  ///< nan, zeros: all patterns; position 7
  Spoil spoil = none;
  int positions = 25;
};

/// Writes (and overwrites) the file: /data, /positions (Å), /waves (complex), /small_mask,
/// /full_mask, /small_probe.
void write_small_data(const std::filesystem::path& file, const SmallData& data);

}  // namespace ptyle
