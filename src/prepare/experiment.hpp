#pragma once

// A measurement made ready: patterns on the window, calibrated; positions on the object.

#include <memory>
#include <string>
#include <vector>

#include "core/array.hpp"
#include "core/grid.hpp"
#include "core/ledger.hpp"
#include "prepare/config.hpp"

namespace ptyle {

/// Patterns in their native type, by global position number, W×W, DC centred as on the detector
/// after flips, crop, pad and bin; converted to the operator's order one at a time.
class PatternStore {
 public:
  virtual ~PatternStore() = default;
  [[nodiscard]] virtual i64 count() const = 0;
  [[nodiscard]] virtual i64 window() const = 0;
  /// Position i's intensity, counts, W·W, DC at [0,0].
  virtual void load(i64 i, float* to) const = 0;
  virtual void load(i64 i, double* to) const = 0;
};

struct Calibration {
  double wavelength = 0;  ///< Å; 0 in pixel units
  double pixel = 1;       ///< real-space pixel, Å; 1 in pixel units
  double dk = 0;          ///< detector pixel, 1/Å
};

struct Experiment {
  std::unique_ptr<PatternStore> patterns;
  Calibration calibration;
  std::vector<Position> positions;   ///< Å (px in pixel units), as the file or the scan gives them
  Array<float, 2> valid;             ///< W·W, 0 or 1, DC at [0,0]
  Array<double, 2> mean_pattern;     ///< W·W, DC at [W/2, W/2]
  double mean_counts = 0;            ///< Σ of the mean pattern over valid pixels
  std::vector<std::string> notes;    ///< what was assumed or found, a line each, for the log
  std::vector<std::string> warnings;
};

}  // namespace ptyle
