#pragma once

// A look at a specimen without iterations, and what it says of the beam: scan rotation, handedness,
// defocus and two-fold astigmatism, fitted to the images of bright-field pixels
// (analysis/beam_fit), with their standard errors; and three pictures (analysis/quick_pictures).

#include <optional>
#include <string>
#include <vector>

#include "analysis/beam_fit.hpp"
#include "analysis/orientation.hpp"
#include "analysis/quick_pictures.hpp"
#include "prepare/experiment.hpp"

namespace ptyle {

/// The images alone do not tell rotation and aberrations from 180° more with the opposite
/// aberrations; this does.
enum class SignBy { nothing, given_defocus, peaks };

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
  double C12 = 0, C12_error = 0, phi12 = 0, phi12_error = 0;
};

struct QuickLook {
  std::string refusal;  ///< why there is none; empty: there is one
  BeamFit fit;
  FoundBeam found;
  std::vector<std::string> lines;  ///< what to print
  ScanRaster raster;
  QuickPictures pictures;           ///< by found, or by the optics as given where nothing is known
  Array<double, 2> centre_of_mass;  ///< phase by integration
};

/// A pass over the patterns; memory: blocks × positions × 4 bytes, at most 256 MB. `thickness`: of
/// the specimen, Å; 0: not known. Refused, by a sentence, where positions lie on no raster, there
/// is no bright-field disc, or no wavelength.
QuickLook quick_look(const Experiment& experiment, double thickness = 0, int threads = 0);

/// Writes the pictures side by side. UserError where the file cannot be written.
void draw_quick_look(const std::string& path, const QuickLook& look);

/// Are flips, rotation and their sign known?
bool tells_orientation(const QuickLook& look);

/// The keys that set it right, where the orientation is known and clearly another than the one
/// given.
std::optional<std::string> warning_of_quick_look(const QuickLook& look, const DataConfig& data);

/// Puts what is known into keys that have no value (optics.defocus, C12, phi12, scan.rotation, the
/// flips), and says so in sentences, or what differs from values that are given.
std::vector<std::string> adopt(const QuickLook& look, double thickness, DataConfig& data,
                               ScanConfig& scan, OpticsConfig& optics);

}  // namespace ptyle
