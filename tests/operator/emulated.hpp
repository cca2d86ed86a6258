#pragma once

// The CUDA operator's source on an emulated GPU.

#include <memory>

#include "device/emulated/gpu.hpp"
#include "operator/cuda/gpu_operator.hpp"

namespace ptyle {

extern template class gpu::GpuOperator<float, emulated::Gpu>;
extern template class gpu::GpuOperator<double, emulated::Gpu>;

namespace test {

template <class T>
using EmulatedOperator = gpu::GpuOperator<T, emulated::Gpu>;

/// With the GPU that it computes on.
template <class T>
std::unique_ptr<Operator<T>> make_emulated_operator(const OperatorSetup& setup,
                                                    const GpuOptions& options = {},
                                                    const emulated::Gpu::Properties& gpu = {});

}  // namespace test
}  // namespace ptyle
