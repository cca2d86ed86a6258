#pragma once

#include <cuda_runtime.h>

#include <stdexcept>
#include <string>

namespace ptyle::cuda {

/// Throws std::runtime_error that names the call where it failed.
inline void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // an error that is reported is no longer pending
  throw std::runtime_error(std::string("CUDA: ") + what + ": " + cudaGetErrorString(status));
}

}  // namespace ptyle::cuda
