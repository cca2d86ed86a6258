#pragma once

// What GPUs there are, for those who know no CUDA.

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "core/ledger.hpp"
#include "core/memory.hpp"
#include "device/arithmetic.hpp"

namespace ptyle {

struct GpuFacts {
  std::string name;
  int capability = 0;  ///< 80 for 8.0
  std::size_t total_bytes = 0, free_bytes = 0;
  std::size_t shared_limit = 0;  ///< bytes of shared memory that a block may have
  std::size_t l2_bytes = 0;
};

struct GpuCensus {
  bool built = false;    ///< has this program a CUDA backend?
  std::string why_none;  ///< what the driver says where there is no GPU
  std::vector<GpuFacts> gpus;
};

GpuCensus find_gpus();

/// A GPU by its number, as the operator (make_gpu_operator) and the solver's arithmetic take it.
/// Throws UserError where it cannot be used.
std::unique_ptr<Memory> open_gpu(int device);

/// Arithmetic on a GPU that open_gpu has made, which must outlive it and its arrays; `ledger` books
/// the GPU's memory. Throws UserError where the program was built without CUDA.
template <class T>
std::unique_ptr<Arithmetic<T>> make_gpu_arithmetic(Memory& gpu, Ledger* ledger = nullptr);

}  // namespace ptyle
