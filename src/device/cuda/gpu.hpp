#pragma once

// One NVIDIA GPU: its memory, streams on each of which all is done in order, and the launch of
// kernels (device/kernel.hpp). The same interface as device/emulated/gpu.hpp. Included by .cu files
// alone.

#include <cooperative_groups.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "core/memory.hpp"
#include "device/cuda/check.hpp"
#include "device/cuda/cluster.hpp"
#include "device/cuda/cufft.hpp"
#include "device/kernel.hpp"

namespace ptyle::cuda {

template <class T>
class Fft;

/// A block, of a cluster of so many (compute capability 9.0 and newer).
template <int cluster>
class Block {
 public:
  __device__ Block()
      : x(static_cast<int>(blockIdx.x) / cluster),
        y(static_cast<int>(blockIdx.y)),
        z(static_cast<int>(blockIdx.z)) {
    mail_.open();
  }
  int x, y, z;
  template <class Phase>
  __device__ __forceinline__ void threads(Phase&& phase) {
    phase(static_cast<int>(threadIdx.x));
    __syncthreads();
  }
  /// Blocks of a cluster are neighbours along x.
  __device__ __forceinline__ int rank() const { return static_cast<int>(blockIdx.x) % cluster; }
  __device__ __forceinline__ void meet() {
    if constexpr (cluster == 1) {
      __syncthreads();
    } else {
#if __CUDA_ARCH__ >= 900
      cooperative_groups::this_cluster().sync();
#endif
    }
  }
  template <class T>
  __device__ __forceinline__ T* remote(T* at, int rank) {
    if constexpr (cluster > 1) {
#if __CUDA_ARCH__ >= 900
      return cooperative_groups::this_cluster().map_shared_rank(at, static_cast<unsigned>(rank));
#endif
    }
    return at;
  }
  template <class Held, class Take, class Change, class Put>
  __device__ __forceinline__ void hand_over(Take&& take, Change&& change, Put&& put) {
    const int t = static_cast<int>(threadIdx.x);
    Held held;
    take(t, held);
#if __CUDA_ARCH__ >= 900
    arrive_with(held);
    change(t, held);
    __cluster_barrier_wait();
#endif
    put(t, held);
  }
  template <class T>
  __device__ __forceinline__ void send(T* at, int rank, int i, const T& value) {
    mail_.send(at, remote(at, rank), rank, i, value);
  }
  __device__ __forceinline__ void received(int bytes) { mail_.receive(bytes); }
  __device__ __forceinline__ int next(int* counter) {
    __shared__ int ticket;
    if constexpr (cluster > 1) meet();  // before it, another block may not have begun
    if (rank() == 0 && threadIdx.x == 0) {
      const int mine = atomicAdd(counter, 1);
      for (int r = 0; r < cluster; ++r) *remote(&ticket, r) = mine;
    }
    meet();
    const int mine = ticket;
    meet();
    return mine;
  }
  /// Values written before the signals are seen after it: each side's fence is cumulative over the
  /// block, by the barrier beside it (PTX, memory consistency model, causality order).
  __device__ __forceinline__ void await(const int* flag, int value, Alarm* alarm) const {
    if (threadIdx.x == 0) {
      const auto look = [flag] { return *static_cast<const volatile int*>(flag); };
      const std::uint64_t start = nanoseconds();
      bool late = false;
      while (look() < value && !late) {
        __nanosleep(100);
        late = nanoseconds() - start > longest_wait;
      }
      if (late && look() < value) give_up(alarm, value, look());
      __threadfence();
    }
    __syncthreads();
  }
  __device__ __forceinline__ void signal(int* flag) {
    __syncthreads();
    if (threadIdx.x == 0) {
      __threadfence();
      atomicAdd(flag, 1);
    }
  }
  __device__ __forceinline__ char* shared() {
    extern __shared__ double shared_memory[];
    return reinterpret_cast<char*>(shared_memory);
  }

 private:
  __device__ static void give_up(Alarm* alarm, int wanted, int found) {
    volatile Alarm* const report = alarm;
    report->wanted = wanted;
    report->found = found;
    report->raised = 1;
    __threadfence_system();
    __trap();
  }
  Mail<cluster> mail_;
};

template <class Kernel>
__global__ void __launch_bounds__(Kernel::threads, resident_of<Kernel>())
    run(const __grid_constant__ Kernel kernel) {
#if __CUDA_ARCH__ >= 900
  constexpr bool can = true;
#else
  constexpr bool can = cluster_of<Kernel>() == 1;  // others are not launched there
#endif
  if constexpr (can) {
    Block<cluster_of<Kernel>()> block;
    kernel(block);
  } else {
    __trap();
  }
}

class Gpu final : public Memory {
 public:
  template <class T>
  using Transform = Fft<T>;
  static constexpr bool emulated = false;
  /// Device number `device` of this process. Throws UserError where it cannot be used.
  explicit Gpu(int device);
  Gpu(const Gpu&) = delete;
  ~Gpu() override;

  [[nodiscard]] int device() const { return device_; }
  [[nodiscard]] std::string name() const { return name_; }
  [[nodiscard]] int multiprocessors() const { return multiprocessors_; }
  [[nodiscard]] std::size_t shared_limit() const { return shared_limit_; }
  [[nodiscard]] bool clusters() const { return clusters_; }
  [[nodiscard]] std::size_t l2_bytes() const { return l2_bytes_; }
  [[nodiscard]] std::size_t total_bytes() const { return total_bytes_; }
  [[nodiscard]] std::size_t free_bytes() const;

  void* allocate(std::size_t bytes) override;
  void release(void* at) noexcept override;
  [[nodiscard]] bool holds(const void* at) const;
  void copy(void* to, const void* from, std::size_t bytes) override;
  void copy_later(void* to, const void* from, std::size_t bytes, Lane lane = Lane::computing);
  void zero(void* at, std::size_t bytes);
  [[nodiscard]] void* allocate_pinned(std::size_t bytes) const;
  void release_pinned(void* at) const noexcept;
  void mark_computed();
  void fetch(void* to, const void* from_pinned, std::size_t bytes);
  void await_fetched();
  void wait_fetched() const;
  void follow(Lane later, Lane earlier);
  [[nodiscard]] bool idle(Lane lane) const;
  void wait(Lane lane = Lane::computing) const;
  void use() const;
  [[nodiscard]] Alarm* alarm() const { return alarm_; }
  /// Throws std::runtime_error that names the call where it failed, or what a block reported.
  void check(cudaError_t status, const char* what) const;
  [[nodiscard]] cudaStream_t stream(Lane lane = Lane::computing) const {
    return lane == Lane::computing ? computing_ : exchanging_;
  }

  /// Blocks of a launch, or clusters of them, that there is room for at the same time.
  template <class Kernel>
  [[nodiscard]] i64 at_a_time(std::size_t shared) {
    const auto* const kernel = reinterpret_cast<const void*>(&run<Kernel>);
    int& count = at_a_time_[{kernel, shared}];
    if (count > 0) return count;
    use();
    allow<Kernel>(shared);
    if constexpr (cluster_of<Kernel>() > 1) {
      cudaLaunchAttribute attribute;
      const auto launch = configuration<Kernel>({multiprocessors_}, shared, attribute);
      check(cudaOccupancyMaxActiveClusters(&count, run<Kernel>, &launch),
            "cudaOccupancyMaxActiveClusters");
    } else {
      check(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&count, run<Kernel>, Kernel::threads,
                                                          shared),
            "cudaOccupancyMaxActiveBlocksPerMultiprocessor");
      count *= multiprocessors_;
    }
    if (count == 0)
      throw std::runtime_error("the GPU (" + name_ + ") has no room for " +
                               std::to_string(cluster_of<Kernel>()) +
                               " blocks of a kernel side by side");
    return count;
  }
  template <class Kernel>
  void launch(const Kernel& kernel, Grid grid, std::size_t shared = 0,
              Lane lane = Lane::computing) {
    static_assert(Kernel::threads <= 1024 && sizeof(Kernel) <= 4096);
    use();
    if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
    allow<Kernel>(shared);
    cudaLaunchAttribute attribute;
    auto launch = configuration<Kernel>(grid, shared, attribute);
    launch.stream = stream(lane);
    check(cudaLaunchKernelEx(&launch, run<Kernel>, kernel), "the launch of a kernel");
  }

 private:
  /// `attribute` must live as long as what is returned.
  template <class Kernel>
  [[nodiscard]] cudaLaunchConfig_t configuration(Grid grid, std::size_t shared,
                                                 cudaLaunchAttribute& attribute) const {
    constexpr int cluster = cluster_of<Kernel>();
    cudaLaunchConfig_t launch{};
    launch.gridDim = dim3(static_cast<unsigned>(grid.x * cluster), static_cast<unsigned>(grid.y),
                          static_cast<unsigned>(grid.z));
    launch.blockDim = Kernel::threads;
    launch.dynamicSmemBytes = shared;
    attribute.id = cudaLaunchAttributeClusterDimension;
    attribute.val.clusterDim = {cluster, 1, 1};
    launch.attrs = &attribute;
    launch.numAttrs = cluster > 1 ? 1 : 0;
    return launch;
  }
  /// Lets a kernel have so much shared memory, once; where it wants several blocks in a
  /// multiprocessor, or much for one, that takes what it can from the L1 cache.
  template <class Kernel>
  void allow(std::size_t shared) {
    constexpr std::size_t without_asking = 48 << 10;
    if (shared * resident_of<Kernel>() <= without_asking) return;
    const auto* const kernel = reinterpret_cast<const void*>(&run<Kernel>);
    std::size_t& allowed = allowed_[kernel];
    if (shared <= allowed) return;
    allowed = shared;
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributePreferredSharedMemoryCarveout,
                               cudaSharedmemCarveoutMaxShared),
          "cudaFuncSetAttribute");
    cudaFuncAttributes has{};  // another Gpu may have asked for more
    check(cudaFuncGetAttributes(&has, kernel), "cudaFuncGetAttributes");
    if (static_cast<std::size_t>(has.maxDynamicSharedSizeBytes) >= shared) return;
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(shared)),
          "cudaFuncSetAttribute");
  }

  int device_;
  std::string name_;
  int multiprocessors_ = 0;
  bool clusters_ = false;
  std::size_t shared_limit_ = 0, l2_bytes_ = 0, total_bytes_ = 0;
  cudaStream_t computing_ = nullptr, fetching_ = nullptr, exchanging_ = nullptr;
  cudaEvent_t computed_ = nullptr, fetched_ = nullptr, earlier_ = nullptr;
  void open();
  void let_go() noexcept;
  Alarm* alarm_ = nullptr;
  std::map<const void*, std::size_t> allowed_;  // bytes of shared memory, of each kernel
  std::map<std::pair<const void*, std::size_t>, int> at_a_time_;  // of each, with so many bytes
};

/// 2-D FFTs of W·W values, of any number of them at a time; neither direction scaled. A plan is
/// made for each number when it is first asked for, and some are kept.
template <class T>
class Fft {
 public:
  Fft(Gpu& gpu, i64 window) : gpu_(gpu), window_(window) {}
  Fft(const Fft&) = delete;
  ~Fft();
  void forward(const Z<T>* from, Z<T>* to, i64 count) const { run(from, to, count, CUFFT_FORWARD); }
  void inverse(const Z<T>* from, Z<T>* to, i64 count) const { run(from, to, count, CUFFT_INVERSE); }

 private:
  struct Plan {
    Plan() = default;
    Plan(const Plan&) = delete;
    ~Plan() {
      if (handle != CUFFT_PLAN_NULL) cufft().destroy(handle);
    }
    cufftHandle handle = CUFFT_PLAN_NULL;
  };
  void check(cufftResult status, const char* what) const;
  void run(const Z<T>* from, Z<T>* to, i64 count, int direction) const;
  cufftHandle plan(i64 count) const;
  Gpu& gpu_;
  i64 window_;
  mutable std::map<i64, std::unique_ptr<Plan>> plans_;
  mutable void* work_ = nullptr;  // what all of them work in
  mutable std::size_t work_bytes_ = 0;
};

}  // namespace ptyle::cuda
