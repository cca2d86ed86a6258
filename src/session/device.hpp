#pragma once

// The device that a rank computes on: solver.device, or --device.

#include <string>

#include "device/gpu.hpp"
#include "exchange/team.hpp"
#include "solver/config.hpp"

namespace ptyle {

struct DeviceChoice {
  int gpu = -1;         ///< its number among those of the census; −1: the CPU
  std::string why_cpu;  ///< where `automatic` took it, though the program can use a GPU
};

/// The device of a process by `device`. Several processes of a machine take its GPUs in turn.
/// Throws UserError where cuda is asked for and cannot be, saying why.
DeviceChoice choose_device(ComputeOn device, const GpuCensus& census, int rank_on_node);

/// The same for a team: with `automatic` all ranks compute on GPUs or none does, as their results
/// differ in the last bits. Every process calls it.
DeviceChoice choose_device(ComputeOn device, const GpuCensus& census, Team& team);

/// How many ranks compute on this rank's GPU (GpuFacts::id; 0: on none). Every process calls it.
int ranks_on_gpu(double id, Team& team);

/// The GPU that a plan is made for where there is none: an H100.
GpuFacts assumed_gpu();

/// "NVIDIA H200, 139.8 of 141.0 GB free, compute capability 9.0"
std::string describe(const GpuFacts& gpu);

}  // namespace ptyle
