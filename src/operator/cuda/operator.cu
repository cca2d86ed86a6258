// The GPU operator on CUDA.

#include "device/cuda/gpu.hpp"
#include "operator/cuda/gpu_operator.hpp"

namespace ptyle {

template <class T>
std::unique_ptr<Operator<T>> make_gpu_operator(OperatorSetup setup, Memory& gpu, Ledger* ledger,
                                               const GpuOptions& options) {
  return std::make_unique<gpu::GpuOperator<T, cuda::Gpu>>(
      std::move(setup), dynamic_cast<cuda::Gpu&>(gpu), ledger, options);
}

template std::unique_ptr<Operator<float>> make_gpu_operator(OperatorSetup, Memory&, Ledger*,
                                                            const GpuOptions&);
template std::unique_ptr<Operator<double>> make_gpu_operator(OperatorSetup, Memory&, Ledger*,
                                                             const GpuOptions&);

}  // namespace ptyle
