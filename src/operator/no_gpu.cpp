// Stands in where the program was built without CUDA.

#include "core/error.hpp"
#include "operator/gpu.hpp"

namespace ptyle {

template <class T>
std::unique_ptr<Operator<T>> make_gpu_operator(OperatorSetup, Memory&, Ledger*, const GpuOptions&) {
  throw UserError("this ptyle was built without CUDA; use --device cpu, or build it where nvcc is");
}

template std::unique_ptr<Operator<float>> make_gpu_operator(OperatorSetup, Memory&, Ledger*,
                                                            const GpuOptions&);
template std::unique_ptr<Operator<double>> make_gpu_operator(OperatorSetup, Memory&, Ledger*,
                                                             const GpuOptions&);

}  // namespace ptyle
