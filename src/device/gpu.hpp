#pragma once

// The GPUs that there are, for code that knows no CUDA.

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/ledger.hpp"
#include "core/memory.hpp"
#include "device/arithmetic.hpp"

namespace ptyle {

struct GpuFacts {
  std::string name;
  int capability = 0;  ///< 80 for 8.0
  std::size_t total_bytes = 0;
  std::size_t free_bytes = 0;    ///< known once it is opened (below); until then 0
  std::size_t shared_limit = 0;  ///< bytes of shared memory that a block may have
  std::size_t l2_bytes = 0;
  double id = 0;          ///< a whole number that no other GPU has
  bool clusters = false;  ///< may blocks use each other's shared memory?
};

struct GpuCensus {
  bool built = false;    ///< has this program a CUDA backend?
  int oldest = 0;        ///< compute capability that it is built for, and newer ones
  std::string why_none;  ///< what the driver says where there is no GPU, or of one that fails
  std::vector<GpuFacts>
      gpus;  ///< by their numbers; of capability 0: one that says nothing of itself
};

/// May blocks of a cluster use each other's shared memory on a GPU of this compute capability? True
/// if the newest code for it, of the capabilities that the program was `built` for, has clusters:
/// 9.0 brought them.
constexpr bool has_clusters(int capability, std::span<const int> built) {
  int newest = 0;
  for (const int one : built)
    if (one <= capability && one > newest) newest = one;
  return newest >= 90;
}

/// Looks for GPUs without opening any, which would take memory on each. There is none, too, where
/// there is no cuFFT.
GpuCensus find_gpus();

/// A GPU by its number, as the operator (make_gpu_operator) and the solver's arithmetic take it.
/// Throws UserError where it cannot be used.
std::unique_ptr<Memory> open_gpu(int device);

/// The memory that such a GPU has free now.
std::size_t free_bytes(const Memory& gpu);

/// Arithmetic on a GPU that open_gpu has made, which must outlive it and its arrays; `ledger`
/// accounts for the GPU's memory. Throws UserError where the program was built without CUDA.
template <class T>
std::unique_ptr<Arithmetic<T>> make_gpu_arithmetic(Memory& gpu, Ledger* ledger = nullptr);

}  // namespace ptyle
