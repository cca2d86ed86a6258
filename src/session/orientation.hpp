#pragma once

// How the detector lies to the scan, as the centres of mass of the patterns and the shadow images
// in their bright-field discs show it.

#include <optional>
#include <string>
#include <vector>

#include "analysis/orientation.hpp"
#include "analysis/shadow.hpp"
#include "exchange/team.hpp"
#include "prepare/config.hpp"
#include "prepare/experiment.hpp"

namespace ptyle {

/// Positions whose patterns are not left out, and their numbers.
struct FittedPositions {
  std::vector<i64> numbers;
  std::vector<Position> at;
};
FittedPositions fitted_positions(const Experiment& e, const std::vector<Position>& positions);

/// The plane through the centres of mass of all patterns that are not left out, px by Å (px);
/// nothing where these lie in a line.
std::optional<Plane> plane_of_centres(const Experiment& e, const std::vector<Position>& positions);

/// Its slopes, px/Å (px/px): (row by row, row by column, column by row, column by column); 0 where
/// it may be there by chance: the specimen moves the centres, and those of neighbours alike.
Matrix2 descan_of_centres(const Experiment& e);

/// By the centres of mass of all patterns that are not left out. UserError as find_orientation.
Orientation orientation_by_curl(const Experiment& e, const std::vector<Position>& positions);

/// Discs of neighbouring patterns, ready to be compared.
struct ShadowImages {
  Shadows shadows;
  std::vector<double> discs;  ///< (pattern, block)
  Likeness likeness;          ///< with the defocus as given
};

/// Nothing on processes that do not lead, and where the shadow has no say: no disc or defocus is
/// known, other aberrations move it too, frames have jumped, or neighbours lie too far apart.
/// `team`: its processes hold the patterns together, and all call it; none: they are here.
std::optional<ShadowImages> shadow_images(const Experiment& e,
                                          const std::vector<Position>& positions,
                                          Team* team = nullptr);

/// The turn of the detector against the scan that flips of the patterns and a rotation (degrees) of
/// the positions, in this order, amount to: to 15 degrees.
Turn turn_of(const Flips& flips, double rotation);

/// The flips that amount to a turn, within 15 degrees; nothing for turns in between.
std::optional<Flips> flips_of(const Turn& turn);

/// The flips `first` and then `second`, as one.
Flips joined(const Flips& first, const Flips& second);

/// The keys of `data` that change by flips after those that it has: "data.flip_rows=true …".
std::string keys_of(const Flips& flips, const DataConfig& data);

/// Does the curl alone say that the orientation is wrong?
bool curl_is_certain(const Orientation& o);

/// Turns of the same handedness, 30 degrees or less apart.
bool near(const Turn& a, const Turn& b);

/// Does the shadow image move as the orientation given says, next to no other one better?
bool moves_as_given(const Likeness& likeness);

/// The keys that set it right where patterns clearly lie otherwise to the scan than `data` says, or
/// where neighbours along one axis of the scan are none. Nothing where all is well or unclear.
std::optional<std::string> warning_of_orientation(const ShadowImages& images,
                                                  const DataConfig& data);
/// The same by the curl alone, for a probe in focus, which makes no shadow image.
std::optional<std::string> warning_in_focus(const Experiment& e, const DataConfig& data);

}  // namespace ptyle
