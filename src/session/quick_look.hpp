#pragma once

// A look at a specimen without iterations, and what it says of the beam: scan rotation, handedness,
// defocus and two-fold astigmatism, fitted to the images of bright-field pixels
// (analysis/beam_fit), with their standard errors; and three pictures (analysis/quick_pictures).

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "analysis/beam_fit.hpp"
#include "analysis/orientation.hpp"
#include "analysis/quick_pictures.hpp"
#include "core/ledger.hpp"
#include "exchange/team.hpp"
#include "prepare/experiment.hpp"

namespace ptyle {

/// The images alone do not tell rotation and aberrations from 180° more with the opposite
/// aberrations; this does.
enum class SignBy { nothing, given_rotation, given_defocus, peaks };

/// The findings; lengths Å, angles degrees. Each is meant only where it is said to be known.
struct FoundBeam {
  bool known = false;       ///< else nothing was found, and the rest means nothing
  bool flip_known = false;  ///< else the flips may be those of the other handedness
  bool rotation_known = false;
  bool astigmatism_known = false;
  SignBy sign = SignBy::nothing;
  Flips flips;                              ///< of the patterns, after those that are given
  double rotation = 0, rotation_error = 0;  ///< on top of the scan's
  double defocus = 0, defocus_error = 0;    ///< in the middle of the specimen along the beam
  /// The part of the defocus that goes with optics.C30, whichever the sign of the rest.
  double beside_C30 = 0;
  double C12 = 0, C12_error = 0, phi12 = 0, phi12_error = 0;
};

/// Things that are known already, and those that may be used.
struct QuickLookOptions {
  double thickness = 0;  ///< of the specimen, Å; 0: not known
  int threads = 0;       ///< 0: all
  /// The flips are right, and the scan's rotation: they settle what images leave open.
  bool flips_given = false, rotation_given = false;
  bool pictures = true;
  std::size_t most_bytes = std::size_t{256} << 20;  ///< of images
  Ledger* ledger = nullptr;                         ///< none: images are not accounted for
  Team* team = nullptr;  ///< whose processes hold the patterns together; none: they are here
};

struct QuickLook {
  std::string refusal;  ///< why there is none; empty: there is one
  BeamFit fit;
  FoundBeam found;
  std::vector<std::string> lines;  ///< what to print
  bool by_step = false;            ///< scan.rotation turns the positions; else they are final
  ScanRaster raster;
  QuickPictures pictures;           ///< by found, or by the optics as given where nothing is known
  Array<double, 2> centre_of_mass;  ///< phase by integration
};

/// A pass over the patterns; memory: blocks × positions × 4 bytes, at most options.most_bytes, on
/// the process that leads. Refused, by a sentence, where positions lie on no raster, there is no
/// bright-field disc, or no wavelength. All processes of a team call it; those that do not lead get
/// nothing.
QuickLook quick_look(const Experiment& experiment, const QuickLookOptions& options = {});

/// Writes the pictures side by side. UserError where the file cannot be written.
void draw_quick_look(const std::string& path, const QuickLook& look);

/// The model that explains the images as well: with the other sign, with the other handedness.
std::string other_sign(const QuickLook& look);
std::string other_hand(const QuickLook& look);

/// Do keys say how the patterns are flipped? data.centre counts in the flipped frame.
bool flips_given(const DataConfig& data);

/// Is a rotation clearly missing from the one that is given, by more than 10 degrees?
bool is_rotated(const FoundBeam& found);

/// The keys of the orientation that was found: "data.flip_rows=true scan.rotation=123".
std::string orientation_keys(const QuickLook& look, const DataConfig& data);

/// Are flips, rotation and their sign known?
bool tells_orientation(const QuickLook& look);

/// The keys that set it right, where the orientation is known and clearly another than the one
/// given.
std::optional<std::string> warning_of_quick_look(const QuickLook& look, const DataConfig& data);

/// Keys that were put in, and what is said of it.
struct Adopted {
  std::vector<std::string> lines;
  std::map<std::string, std::string> where;  ///< by the key's path: "measured by the quick look, …"
};

/// Puts what is known into keys that have no value (optics.defocus, C12, phi12, scan.rotation, the
/// flips), and says so, or what differs from values that are given.
Adopted adopt(const QuickLook& look, double thickness, DataConfig& data, ScanConfig& scan,
              OpticsConfig& optics);

}  // namespace ptyle
