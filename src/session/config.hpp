#pragma once

// The whole configuration of a reconstruction.

#include "prepare/config.hpp"
#include "solver/config.hpp"
#include "solver/part_options.hpp"
#include "solver/regularisers/blur.hpp"
#include "solver/rules/rule_options.hpp"

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
  /// Options of the fit's parts: those that ptyle has, and others that a program adds before the
  /// configuration is read.
  PartOptions parts = known_parts();
};

/// A configuration with the same parts and keys, and their defaults.
inline ReconstructConfig fresh_like(const ReconstructConfig& config) {
  ReconstructConfig fresh;
  fresh.parts = config.parts.fresh();
  return fresh;
}

/// A configuration that was found right (session/check) and is not checked again. A caller that
/// reports faults in a way of its own, as the program does by lines of a YAML file, makes one of
/// what it has checked.
struct CheckedConfig {
  ReconstructConfig config;
};

}  // namespace ptyle
