#include "device/cuda/gpu.hpp"
#include "device/gpu.hpp"
#include "device/gpu_arithmetic.hpp"

namespace ptyle {

template <class T>
std::unique_ptr<Arithmetic<T>> make_gpu_arithmetic(Memory& gpu, Ledger* ledger) {
  return std::make_unique<GpuArithmetic<T, cuda::Gpu>>(dynamic_cast<cuda::Gpu&>(gpu), ledger);
}
template std::unique_ptr<Arithmetic<float>> make_gpu_arithmetic(Memory&, Ledger*);
template std::unique_ptr<Arithmetic<double>> make_gpu_arithmetic(Memory&, Ledger*);

}  // namespace ptyle
