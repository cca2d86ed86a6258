#pragma once

#include <optional>

#include "core/ledger.hpp"
#include "prepare/config.hpp"
#include "prepare/distribution.hpp"
#include "prepare/experiment.hpp"
#include "prepare/frames.hpp"

namespace ptyle {

/// The configuration and the contents of the file.
struct Measurement {
  DataConfig data;
  CalibrationConfig calibration;
  ScanConfig scan;
  OpticsConfig optics;
  FrameSource* frames = nullptr;
  std::optional<RawMask> mask;
  std::optional<RawSkip> skipped{};  ///< of data.skip, where that names a dataset
  std::optional<RawPositions>
      positions;  ///< of scan.positions, or found where the user said nothing
  FileFacts file;
  bool looking = false;  ///< only to look at: what is wrong with calibration or positions is a
                         ///< warning, and pixel units or no positions stand in for them
};

/// From raw frames to an Experiment; the steps are at the top of prepare.cpp. With `distribution`
/// all ranks do it together: each then holds the patterns that it keeps, and everything else is the
/// same on all, as it would be on one (mean and disc to the rounding of sums of fractions). Throws
/// UserError for shapes, numbers or keys that do not fit each other; std::logic_error for a
/// distribution that leaves patterns out or holds one twice.
Experiment prepare(const Measurement& measurement, Ledger* ledger = nullptr,
                   const Distribution* distribution = nullptr);

/// The same without the patterns, which are read only where data.find_centre or
/// calibration.fit_disc asks for them: positions, calibration, and a store that holds none but
/// knows window and type. No mean pattern, disc or valid pixels.
Experiment prepare_to_plan(const Measurement& measurement);

}  // namespace ptyle
