#pragma once

#include <optional>
#include <string>
#include <vector>

#include "prepare/config.hpp"
#include "prepare/experiment.hpp"
#include "prepare/frames.hpp"

namespace ptyle {

/// The input of a calibration.
struct CalibrationInput {
  CalibrationConfig given;
  OpticsConfig optics;
  i64 window = 0;  ///< W
  i64 extent = 0;  ///< longer side of the frame in window pixels, before padding
  i64 bin = 1;
  i64 frame_side = 0;        ///< side of the whole square frame in the file, px; 0: not square
  std::optional<Disc> disc;  ///< fitted to the mean pattern
  FileFacts file;            ///< its pixel_size, dk or mrad_per_pixel, where none is given
};

/// Å, by the beam's energy; 0 where none is given. Throws UserError for two energies.
double wavelength_of(const OpticsConfig& optics);

/// Radius of the bright-field disc, α/(λ dk), px of the window; 0 where angle or calibration are
/// not known.
double disc_radius(const OpticsConfig& optics, const Calibration& calibration);

/// Wavelength, detector pixel dk = 1/(W·dx) and object pixel dx = λ/(W·dα) from whichever one
/// calibration is given. Without an energy and a calibration: pixel units (wavelength 0, pixel 1).
/// Adds the others to `notes`, and a warning where the measured disc disagrees with
/// optics.semi_angle by more than 5 %. Throws UserError where none or more than one is given, or
/// one needs what is not there.
Calibration calibrate(const CalibrationInput& input, std::vector<std::string>& notes,
                      std::vector<std::string>& warnings);

}  // namespace ptyle
