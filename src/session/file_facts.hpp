#pragma once

#include <string>
#include <vector>

#include "core/keys.hpp"
#include "io/frames.hpp"
#include "io/hdf5.hpp"
#include "prepare/config.hpp"
#include "prepare/frames.hpp"

namespace ptyle {

/// Facts in a file's attributes, within the limits that hold for their keys.
struct StatedFacts {
  FileFacts facts;
  /// Attributes that are not taken as they stand, with the key that would be given in their place.
  std::vector<KeyFault> reservations;
  std::vector<std::string> notes;  ///< what the layout states and is not taken
  /// Datasets that the layout has for them, and for the probe to start from; empty: none.
  std::string positions, mask, probe;
};

/// ptyle's own names of attributes and, for simple ones, those that other programs use. Texts that
/// spell a number and several equal ones stand for it; an energy that can only be in eV is taken as
/// such. What they don't say, the layout may (session/file_dialects), where the frames are known.
/// Throws nothing for what makes no sense.
StatedFacts read_file_facts(const h5::File& file, const Frames* frames = nullptr);

/// The reservations about facts that a measurement needs, as its keys do not say them, and a
/// sentence where its energy is not the file's, so that the file's optics are not taken.
/// `positions`: they are known without a raster; `shape`: the raster's shape is.
std::vector<std::string> warnings_of(const StatedFacts& stated,
                                     const CalibrationConfig& calibration, const ScanConfig& scan,
                                     const OpticsConfig& optics, bool positions, bool shape);

}  // namespace ptyle
