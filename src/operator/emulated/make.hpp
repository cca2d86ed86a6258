#pragma once

// Templates that each precision's source file instantiates, so that compilers share the work.

#include <utility>

#include "operator/cuda/gpu_operator.hpp"
#include "operator/emulated/operator.hpp"

namespace ptyle {
namespace emulated {

struct OwnGpu {
  explicit OwnGpu(const Gpu::Properties& properties) : own(properties) {}
  Gpu own;
};

template <class T>
class OnOwnGpu final : private OwnGpu, public gpu::GpuOperator<T, Gpu> {
 public:
  OnOwnGpu(OperatorSetup setup, const GpuOptions& options, const Gpu::Properties& properties)
      : OwnGpu(properties), gpu::GpuOperator<T, Gpu>(std::move(setup), own, nullptr, options) {}
};

}  // namespace emulated

template <class T>
std::unique_ptr<Operator<T>> make_emulated_operator(OperatorSetup setup, emulated::Gpu& gpu,
                                                    Ledger* ledger, const GpuOptions& options) {
  return std::make_unique<gpu::GpuOperator<T, emulated::Gpu>>(std::move(setup), gpu, ledger,
                                                              options);
}

template <class T>
std::unique_ptr<Operator<T>> make_emulated_operator(OperatorSetup setup, const GpuOptions& options,
                                                    const emulated::Gpu::Properties& gpu) {
  return std::make_unique<emulated::OnOwnGpu<T>>(std::move(setup), options, gpu);
}

}  // namespace ptyle
