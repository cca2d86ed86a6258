#pragma once

#include <optional>

#include "core/ledger.hpp"
#include "prepare/config.hpp"
#include "prepare/experiment.hpp"
#include "prepare/frames.hpp"

namespace ptyle {

/// What the user says and what the file holds.
struct Measurement {
  DataConfig data;
  CalibrationConfig calibration;
  ScanConfig scan;
  OpticsConfig optics;
  FrameSource* frames = nullptr;
  std::optional<RawMask> mask;
  std::optional<RawPositions>
      positions;  ///< of scan.positions, or found where the user said nothing
  FileFacts file;
  bool looking = false;  ///< only to look at: what is wrong with calibration or positions is a
                         ///< warning, and pixel units or no positions stand in for them
};

/// From raw frames to an Experiment; the steps are at the top of prepare.cpp.
/// Throws UserError for shapes, numbers or keys that do not fit each other.
Experiment prepare(const Measurement& measurement, Ledger* ledger = nullptr);

}  // namespace ptyle
