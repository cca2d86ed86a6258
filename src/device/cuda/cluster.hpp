#pragma once

// How blocks of a cluster wait for each other, in the three ways that wait to be measured
// (PTYLE_CLUSTER_SYNC, a choice of the build):
//
//   release  every barrier orders all memory: a fence of the whole GPU before it, and caches
//            forgotten after it
//   relaxed  a barrier before which values were only read orders nothing: each thread arrives once
//            what it read is in its registers
//   async    as relaxed; and what is put into other blocks is counted where it arrives, so that no
//            barrier follows it
//
// Included by .cu files alone.

#include <cooperative_groups.h>

#include <cstdint>

#ifndef PTYLE_CLUSTER_SYNC
#define PTYLE_CLUSTER_SYNC release
#endif

namespace ptyle::cuda {

/// Nanoseconds after which a block gives up waiting: a wait in order lasts for one wave's pass
/// through the slices, which is milliseconds.
constexpr std::uint64_t longest_wait = 15'000'000'000;

__device__ __forceinline__ std::uint64_t nanoseconds() {
  std::uint64_t now;
  asm volatile("mov.u64 %0, %globaltimer;" : "=l"(now));
  return now;
}

enum class ClusterSync { release, relaxed, async };
constexpr ClusterSync cluster_sync = ClusterSync::PTYLE_CLUSTER_SYNC;

#if __CUDA_ARCH__ >= 900

/// Arrives at the cluster's barrier when all of `held` has come from where it was read. The
/// comparison needs every value, so that no load is still on its way; its result changes nothing.
template <class Held>
__device__ __forceinline__ void arrive_with(const Held& held) {
  if constexpr (cluster_sync == ClusterSync::release) {
    __cluster_barrier_arrive();
  } else {
    unsigned all = 0;
    held.each([&](float value) { all ^= __float_as_uint(value); });
    asm volatile(
        "{\n\t"
        ".reg .pred equal;\n\t"
        "setp.eq.u32 equal, %0, 0x9e3779b9;\n\t"
        "@equal nanosleep.u32 0;\n\t"
        "}" ::"r"(all)
        : "memory");
    __cluster_barrier_arrive_relaxed();
  }
}

#endif

/// Values that blocks of a cluster put into each other's shared memory.
template <int cluster>
class Mail {
 public:
  static constexpr bool counted = cluster > 1 && cluster_sync == ClusterSync::async;

  /// Before anything is sent; all blocks of the cluster wait for each other.
  __device__ __forceinline__ void open() {
#if __CUDA_ARCH__ >= 900
    if constexpr (counted) {
      if (threadIdx.x == 0)
        asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(counter()) : "memory");
      asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
      cooperative_groups::this_cluster().sync();
    }
#endif
  }

  /// at[i] = value in the shared memory of block `rank`, which is `there` for this one.
  template <class T>
  __device__ __forceinline__ void send(T* at, T* there, int rank, int i, const T& value) {
#if __CUDA_ARCH__ >= 900
    if constexpr (counted) {
      static_assert(sizeof(T) == 8);
      // The counter lies as far from `at` in every block.
      const auto here = static_cast<std::uint32_t>(__cvta_generic_to_shared(at));
      std::uint32_t base;
      asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(base) : "r"(here), "r"(rank));
      asm volatile(
          "st.async.shared::cluster.mbarrier::complete_tx::bytes.b64 [%0], %1, [%2];" ::"r"(
              base + static_cast<std::uint32_t>(sizeof(T)) * static_cast<std::uint32_t>(i)),
          "l"(__builtin_bit_cast(std::uint64_t, value)), "r"(base + (counter() - here))
          : "memory");
      return;
    }
#endif
    there[i] = value;
  }

  /// Waits until so many bytes have come.
  __device__ __forceinline__ void receive(int bytes) {
    static_cast<void>(bytes);
#if __CUDA_ARCH__ >= 900
    if constexpr (cluster == 1) {
      __syncthreads();
    } else if constexpr (!counted) {
      cooperative_groups::this_cluster().sync();
    } else {
      if (threadIdx.x == 0)
        asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(counter()),
                     "r"(bytes)
                     : "memory");
      const std::uint64_t start = nanoseconds();
      while (!has_come())
        if (nanoseconds() - start > longest_wait) __trap();
      phase_ ^= 1;
    }
#endif
  }

 private:
#if __CUDA_ARCH__ >= 900
  __device__ __forceinline__ bool has_come() const {
    std::uint32_t come;
    asm volatile(
        "{\n\t"
        ".reg .pred come;\n\t"
        "mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 come, [%1], %2;\n\t"
        "selp.u32 %0, 1, 0, come;\n\t"
        "}"
        : "=r"(come)
        : "r"(counter()), "r"(phase_)
        : "memory");
    return come != 0;
  }
  /// The block's count of bytes (an mbarrier), in its shared memory.
  __device__ __forceinline__ static std::uint32_t counter() {
    __shared__ std::uint64_t count;
    return static_cast<std::uint32_t>(__cvta_generic_to_shared(&count));
  }
#endif
  std::uint32_t phase_ = 0;
};

}  // namespace ptyle::cuda
