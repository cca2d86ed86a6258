// Where the program was built without CUDA.

#include "core/error.hpp"
#include "device/gpu.hpp"

namespace ptyle {

GpuCensus find_gpus() { return {}; }

std::unique_ptr<Memory> open_gpu(int) {
  throw UserError("this ptyle was built without CUDA; use --device cpu, or build it where nvcc is");
}

}  // namespace ptyle
