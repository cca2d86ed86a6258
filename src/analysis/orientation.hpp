#pragma once

// How the detector lies to the scan. The centre of mass of a pattern is the phase's gradient, seen
// through the probe: <k> = (1/2π) ∫ |probe|² ∇φ. A gradient has no curl, so the flips and the
// rotation are right where the curl of the centre of mass over the scan is least.

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "core/grid.hpp"

namespace ptyle {

/// Derivatives of the centre of mass: along rows and along columns of the specimen.
struct Slope {
  Position by_row, by_col;
};
/// A plane through centres, and the share of their variance that it explains.
struct Plane : Slope {
  double explained = 0;
};
/// By least squares; nothing where the positions lie in a line.
std::optional<Plane> plane_through(const std::vector<Position>& centres,
                                   const std::vector<Position>& positions);

/// Flips and transpose of the patterns, applied in this order.
struct Flips {
  bool flip_rows = false, flip_cols = false, transpose = false;
  [[nodiscard]] bool mirrors() const { return flip_rows ^ flip_cols ^ transpose; }
  [[nodiscard]] std::string name() const;  ///< "none", "flip_rows + transpose", …
  /// A vector on the detector, flipped.
  [[nodiscard]] Position operator()(Position v) const;
};

/// Number i of them: bits for flip_rows, flip_cols, transpose.
constexpr std::array<Flips, 8> all_flips() {
  std::array<Flips, 8> all{};
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = {(i & 1) != 0, (i & 2) != 0, (i & 4) != 0};
  return all;
}

/// Curl and divergence over rotations for one of the eight sets of flips.
struct FlipsCurve {
  Flips flips;
  std::vector<double> curl;        ///< r.m.s., one per rotation, a fraction (0 to 1)
  std::vector<double> divergence;  ///< the same
  double rotation = 0;             ///< of the least curl, degrees, in [−90, 90)
  double least_curl = 0;           ///< there
};

struct Orientation {
  std::vector<double> rotations;  ///< degrees 0 … 179, by which the positions are rotated further
  std::array<FlipsCurve, 8> curves;
  Flips flips;          ///< the best guess: least curl; of its four equals the one with next to no
                        ///< rotation, if there is one, else the one with the fewest flips
  double rotation = 0;  ///< degrees in [−180, 180), to be added to the scan's
  double curl = 0,
         curl_mirrored = 0;   ///< least curl, and of the four flips of the other handedness
  double margin = 0.2;        ///< the share by which one curl must lie below another to mean
                              ///< something: a fifth, and more than noise makes of few positions
  bool clear = false;         ///< the handedness is clear: curl is so much less than curl_mirrored
  bool sign_settled = false;  ///< else the rotation may be 180° more
  double skewness = 0;        ///< of the divergence; negative where the phase has peaks
};

/// From the centres of mass and the positions (row, col), any unit. `peaks_are_positive`: specimens
/// shift the phase forward (electrons), which settles the sign where the divergence is skewed.
/// Throws UserError where there are too few positions, or all in a line.
Orientation find_orientation(const std::vector<Position>& centres,
                             const std::vector<Position>& positions, bool peaks_are_positive);

/// Is the best guess better than the orientation as given, by more than the margin?
bool better_than_given(const Orientation& o);

/// 180° more: by both flips where there is next to no rotation, else by the rotation.
void rotate_180(Orientation& o);

}  // namespace ptyle
