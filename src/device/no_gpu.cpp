// Stands in where the program was built without CUDA.

#include "core/error.hpp"
#include "device/gpu.hpp"

namespace ptyle {

namespace {

[[noreturn]] void refuse() {
  throw UserError("this ptyle was built without CUDA; use --device cpu, or build it where nvcc is");
}

}  // namespace

GpuCensus find_gpus() { return {}; }

std::unique_ptr<Memory> open_gpu(int) { refuse(); }

std::size_t free_bytes(const Memory&) { refuse(); }

template <class T>
std::unique_ptr<Arithmetic<T>> make_gpu_arithmetic(Memory&, Ledger*) {
  refuse();
}
template std::unique_ptr<Arithmetic<float>> make_gpu_arithmetic(Memory&, Ledger*);
template std::unique_ptr<Arithmetic<double>> make_gpu_arithmetic(Memory&, Ledger*);

}  // namespace ptyle
