#pragma once

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "core/ledger.hpp"
#include "io/frames.hpp"
#include "prepare/config.hpp"
#include "prepare/distribution.hpp"
#include "prepare/experiment.hpp"
#include "prepare/frames.hpp"
#include "session/file_facts.hpp"
#include "session/patterns_in_memory.hpp"

namespace ptyle {

/// Bytes of unpacked chunks that reading may keep (Frames): an eighth of the ledger's memory, or of
/// what is free.
i64 most_kept(const Ledger* ledger);

/// Opens the files that the configuration names and prepares the measurement in them. Where the
/// user said nothing, positions, pixel size and optics that the file itself states are taken, with
/// a note each. With `distribution`, all ranks do it together and each reads the patterns that it
/// keeps. `patterns` stand for the files that data.file and scan.positions name, and need to be
/// there only while it is opened. Throws UserError for the user's mistakes.
Experiment open_experiment(const DataConfig& data, const CalibrationConfig& calibration,
                           const ScanConfig& scan, const OpticsConfig& optics,
                           Ledger* ledger = nullptr, const Distribution* distribution = nullptr,
                           const PatternsInMemory* patterns = nullptr);

/// The same without the patterns (prepare_to_plan): what a plan of a run needs to know.
Experiment plan_experiment(const DataConfig& data, const CalibrationConfig& calibration,
                           const ScanConfig& scan, const OpticsConfig& optics,
                           const PatternsInMemory* patterns = nullptr);

/// The same to look at only: where calibration or positions are missing or wrong, a warning says so
/// and pixel units or no positions stand in. Reading keeps `most` bytes of unpacked chunks.
/// `stated`: the file's facts, where they were read already.
Experiment look_at_experiment(const DataConfig& data, const CalibrationConfig& calibration,
                              const ScanConfig& scan, const OpticsConfig& optics,
                              Ledger* ledger = nullptr, i64 most = std::numeric_limits<i64>::max(),
                              const StatedFacts* stated = nullptr,
                              const PatternsInMemory* patterns = nullptr);

/// The positions' dataset or datasets, or nothing where `scan` names none and the file has none at
/// /positions. If the data are in several files, each may hold its own part of them.
std::optional<RawPositions> read_positions(const h5::File& data_file, const ScanConfig& scan,
                                           const FramesAsked& asked);

/// The frames that data.file, data.patterns and data.axes ask for. UserError where a file of a
/// pattern is missing.
FramesAsked frames_asked(const DataConfig& data);

}  // namespace ptyle
