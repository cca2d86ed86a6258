#pragma once

// The GPU operator's source on an emulated GPU, compiled once for all who test with it.

#include <memory>

#include "device/emulated/gpu.hpp"
#include "operator/gpu.hpp"

namespace ptyle {

/// make_gpu_operator (operator/gpu.hpp) on an emulated GPU.
template <class T>
std::unique_ptr<Operator<T>> make_emulated_operator(OperatorSetup setup, emulated::Gpu& gpu,
                                                    Ledger* ledger, const GpuOptions& options);

/// The same on a GPU of its own.
template <class T>
std::unique_ptr<Operator<T>> make_emulated_operator(OperatorSetup setup,
                                                    const GpuOptions& options = {},
                                                    const emulated::Gpu::Properties& gpu = {});

}  // namespace ptyle
