#pragma once

// `ptyle inspect data.h5`: what is in a file of patterns, whether it hangs together, and how the
// detector lies to the scan.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "analysis/orientation.hpp"
#include "core/array.hpp"
#include "prepare/config.hpp"
#include "session/pattern_figures.hpp"
#include "session/patterns_in_memory.hpp"
#include "session/quick_look.hpp"

namespace ptyle {

/// Only data.file is needed. What else is given makes more of the figures possible; what the file
/// itself states is taken where nothing is given, and what is wrong is a warning.
struct InspectConfig {
  DataConfig data;
  CalibrationConfig calibration;
  ScanConfig scan;
  OpticsConfig optics;
  std::string folder;         ///< for the pictures; empty: none are drawn
  double most_memory_GB = 2;  ///< larger sets are looked at in part, a run in their middle
  bool quick = false;         ///< a quick look as well
  double thickness = 0;       ///< of the specimen, Å, for the quick look; 0: not known
  const PatternsInMemory* patterns = nullptr;  ///< in place of data.file
};

/// A configuration as it was given, completed by what the file and its patterns say.
struct FoundConfig {
  DataConfig data;
  CalibrationConfig calibration;
  ScanConfig scan;
  OpticsConfig optics;
  std::string probe_start;  ///< of the data file, for probe.start; empty: it has none
  std::map<std::string, std::string> where;  ///< by the key's path: what its value comes from
};

/// The figures found; for tests and for programs that call this.
struct Inspection {
  double smallest = 0, largest = 0, mean = 0;                          ///< counts of a pixel
  double pattern_smallest = 0, pattern_largest = 0, pattern_mean = 0;  ///< counts of a pattern
  i64 dead = 0, hot = 0, saturated = 0;                                ///< window pixels
  double step = 0;            ///< to the nearest other position, Å (px)
  double probe_radius = 0;    ///< at the specimen, Å, from the optics; 0: not known
  double overlap = 0;         ///< of neighbouring probes, fraction of their area
  double dose = 0;            ///< counts/Å²; 0: not known
  double least_contrast = 0;  ///< of interference across the probe's diameter, left by the pixels
  Orientation orientation;    ///< curves empty: could not be found
  Descan descan;              ///< of the bright-field disc
  Array<double, 2> mean_pattern;      ///< (W, W) counts, DC at [W/2, W/2]; 0 where not valid
  Array<std::uint8_t, 2> bad_pixels;  ///< of the raw frames, masked or found, 1; empty: none is
  std::vector<std::string> refusals;  ///< sentences for which a reconstruction is refused
  FoundConfig config;
  bool of_result = false;  ///< the file is a result, without patterns: none of this was looked for
  std::optional<QuickLook> quick;  ///< where it was asked for and could be taken
  std::vector<i64> skip;  ///< patterns that are skipped or no measurement, by number in the scan
};

/// Prints line by line; of a result what it holds, and no more. Writes mean_pattern.png, scan.png,
/// dark_field.png and orientation.png, and quick-look.png of a quick look. Throws UserError where
/// the file or its patterns cannot be read at all, and for a quick look of a result.
Inspection inspect(const InspectConfig& config,
                   const std::function<void(const std::string&)>& print);

}  // namespace ptyle
