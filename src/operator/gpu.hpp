#pragma once

// The multislice operator on a GPU (cuda/).

#include "device/gpu.hpp"
#include "operator/operator.hpp"

namespace ptyle {

/// How a GPU computes a window: the wave stays in a block's shared memory through all slices
/// (`fused`: 64, 96, 128; 192, 256 in clusters of blocks), in two sweeps a slice (`sweeps`: 64, 96,
/// 128, 192, 256), or by cuFFT.
enum class GpuPath { automatic, fft, sweeps, fused };

/// How positions' gradients come together where their windows overlap.
enum class GpuSums {
  ordered,  ///< each window leaves a patch, and every voxel adds up those that cover it, in the
            ///< order of positions: the same bits every time
  atomic    ///< all windows add at once: less traffic, but the last bits vary from run to run
};

struct GpuOptions {
  WaveStorage waves = WaveStorage::store;  ///< store | recompute
  GpuPath path = GpuPath::automatic;       ///< the first of fused, sweeps and fft that can
  GpuSums sums = GpuSums::ordered;
  std::size_t memory = 0;  ///< bytes for waves and patterns; 0: what is free when they are needed
};

/// The operator on a GPU that open_gpu has made, which must outlive it. `ledger` accounts for the
/// GPU's memory. Throws std::invalid_argument for `recompute` where a step is not unitary,
/// UserError where the GPU has too little memory, and where the program was built without CUDA.
template <class T>
std::unique_ptr<Operator<T>> make_gpu_operator(OperatorSetup setup, Memory& gpu,
                                               Ledger* ledger = nullptr,
                                               const GpuOptions& options = {});

/// Bytes that it allocates, by the ledger's names, for `positions` patterns of `bytes_a_pattern` on
/// an object of this shape (S, y, x), the GPU's memory otherwise free as `gpu` says; of the
/// patterns only those that stay on the device. What cuFFT works in is not in it. Throws UserError
/// as the operator does.
template <class T>
std::vector<Ledger::Entry> gpu_operator_memory(const OperatorSetup& setup,
                                               const std::array<i64, 3>& object, i64 positions,
                                               std::size_t bytes_a_pattern, const GpuFacts& gpu,
                                               const GpuOptions& options = {});

/// "waves on chip", "two sweeps a slice", "cuFFT": how a window is computed there.
template <class T>
std::string describe_gpu_path(const OperatorSetup& setup, const GpuFacts& gpu,
                              const GpuOptions& options = {});

}  // namespace ptyle
