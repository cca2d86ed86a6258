#pragma once

// The whole configuration of a reconstruction.

#include "prepare/config.hpp"
#include "solver/config.hpp"

namespace ptyle {

struct ReconstructConfig {
  DataConfig data;
  CalibrationConfig calibration;
  ScanConfig scan;
  OpticsConfig optics;
  ObjectConfig object;
  ProbeConfig probe;
  SolverConfig solver;
  RanksConfig ranks;
  OutputConfig output;
};

/// A configuration that was found right (session/check), so that nobody checks it again. Who says
/// faults in a way of its own, as the program does with lines of a YAML file, makes one of what it
/// has checked.
struct CheckedConfig {
  ReconstructConfig config;
};

}  // namespace ptyle
