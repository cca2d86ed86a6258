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

}  // namespace ptyle
