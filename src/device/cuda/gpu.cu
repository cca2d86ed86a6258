#include <algorithm>
#include <array>
#include <utility>

#include "core/error.hpp"
#include "device/cuda/gpu.hpp"
#include "device/gpu.hpp"

namespace ptyle::cuda {
namespace {

std::string gigabytes(std::size_t bytes) {
  const std::size_t tenths = (bytes + 50'000'000) / 100'000'000;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " GB";
}

/// The compute capabilities that nvcc was given, 80 for 8.0.
constexpr std::array built_for = [] {
  std::array all{__CUDA_ARCH_LIST__};
  for (int& capability : all) capability /= 10;
  return all;
}();

/// An error that is not reported must not be taken for the next call's.
void quietly(cudaError_t status) noexcept {
  if (status != cudaSuccess) cudaGetLastError();
}

int capability_of(const cudaDeviceProp& gpu) { return gpu.major * 10 + gpu.minor; }

}  // namespace

void Gpu::check(cudaError_t status, const char* what) const {
  if (status != cudaSuccess && alarm_ && alarm_->raised)
    throw std::runtime_error("the GPU (" + name_ + ") gave up: " + to_string(*alarm_));
  cuda::check(status, what);
}

Gpu::Gpu(int device) : device_(device) {
  if (const cudaError_t status = cudaSetDevice(device_); status != cudaSuccess) {
    cudaGetLastError();
    throw UserError("GPU " + std::to_string(device_) + " cannot be used (" +
                    cudaGetErrorString(status) + "): is another process using it? --device cpu " +
                    "does without");
  }
  try {
    open();
  } catch (...) {
    let_go();
    throw;
  }
}

void Gpu::open() {
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, device_), "cudaGetDeviceProperties");
  name_ = properties.name;
  multiprocessors_ = properties.multiProcessorCount;
  clusters_ = has_clusters(capability_of(properties), built_for);
  shared_limit_ = properties.sharedMemPerBlockOptin;
  l2_bytes_ = static_cast<std::size_t>(properties.l2CacheSize);
  total_bytes_ = properties.totalGlobalMem;
  for (cudaStream_t* stream : {&computing_, &fetching_})
    check(cudaStreamCreateWithFlags(stream, cudaStreamNonBlocking), "cudaStreamCreate");
  // Its kernels are short: they go before those that wait for room.
  int least = 0, greatest = 0;
  check(cudaDeviceGetStreamPriorityRange(&least, &greatest), "cudaDeviceGetStreamPriorityRange");
  check(cudaStreamCreateWithPriority(&exchanging_, cudaStreamNonBlocking, greatest),
        "cudaStreamCreateWithPriority");
  for (cudaEvent_t* event : {&computed_, &fetched_, &earlier_})
    check(cudaEventCreateWithFlags(event, cudaEventDisableTiming), "cudaEventCreate");
  alarm_ = static_cast<Alarm*>(allocate_pinned(sizeof *alarm_));
  *alarm_ = {};
}

Gpu::~Gpu() { let_go(); }

/// Waits for all streams first, so that no kernel is left that could raise the alarm.
void Gpu::let_go() noexcept {
  quietly(cudaSetDevice(device_));
  for (cudaStream_t stream : {computing_, fetching_, exchanging_})
    if (stream) quietly(cudaStreamSynchronize(stream)), quietly(cudaStreamDestroy(stream));
  for (cudaEvent_t event : {computed_, fetched_, earlier_})
    if (event) quietly(cudaEventDestroy(event));
  release_pinned(alarm_);
}

std::size_t Gpu::free_bytes() const {
  use();
  std::size_t free = 0, total = 0;
  check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
  return free;
}

void* Gpu::allocate(std::size_t bytes) {
  use();
  void* at = nullptr;
  const cudaError_t status = cudaMalloc(&at, bytes > 0 ? bytes : 1);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    throw UserError("the GPU (" + name_ + ") has " + gigabytes(free_bytes()) + " free of " +
                    gigabytes(total_bytes_) + ", but " + gigabytes(bytes) +
                    " more are needed: use more GPUs (ranks), or --device cpu");
  }
  check(status, "cudaMalloc");
  zero(at, bytes);
  return at;
}

void Gpu::release(void* at) noexcept {
  if (!at) return;
  quietly(cudaSetDevice(device_));
  quietly(cudaFree(at));
}

bool Gpu::holds(const void* at) const {
  use();
  cudaPointerAttributes attributes{};
  check(cudaPointerGetAttributes(&attributes, at), "cudaPointerGetAttributes");
  return attributes.type == cudaMemoryTypeDevice;
}

void Gpu::copy(void* to, const void* from, std::size_t bytes) {
  copy_later(to, from, bytes);
  wait();
}

void Gpu::copy_later(void* to, const void* from, std::size_t bytes, Lane lane) {
  if (bytes == 0) return;
  use();
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream(lane)), "cudaMemcpyAsync");
}

void Gpu::zero(void* at, std::size_t bytes) {
  if (bytes == 0) return;
  use();
  check(cudaMemsetAsync(at, 0, bytes, computing_), "cudaMemsetAsync");
}

void* Gpu::allocate_pinned(std::size_t bytes) const {
  use();
  void* at = nullptr;
  const cudaError_t status = cudaMallocHost(&at, bytes > 0 ? bytes : 1);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    throw UserError("the host has no " + gigabytes(bytes) +
                    " left that a GPU can copy from: fewer ranks on this machine, or --device cpu");
  }
  check(status, "cudaMallocHost");
  return at;
}

void Gpu::release_pinned(void* at) const noexcept {
  if (!at) return;
  quietly(cudaSetDevice(device_));
  quietly(cudaFreeHost(at));
}

void Gpu::mark_computed() {
  use();
  check(cudaEventRecord(computed_, computing_), "cudaEventRecord");
}

void Gpu::fetch(void* to, const void* from_pinned, std::size_t bytes) {
  use();
  check(cudaStreamWaitEvent(fetching_, computed_, 0), "cudaStreamWaitEvent");
  check(cudaMemcpyAsync(to, from_pinned, bytes, cudaMemcpyHostToDevice, fetching_),
        "cudaMemcpyAsync");
  check(cudaEventRecord(fetched_, fetching_), "cudaEventRecord");
}

void Gpu::await_fetched() {
  use();
  check(cudaStreamWaitEvent(computing_, fetched_, 0), "cudaStreamWaitEvent");
}

void Gpu::wait_fetched() const {
  use();
  check(cudaEventSynchronize(fetched_), "cudaEventSynchronize");
}

void Gpu::follow(Lane later, Lane earlier) {
  use();
  check(cudaEventRecord(earlier_, stream(earlier)), "cudaEventRecord");
  check(cudaStreamWaitEvent(stream(later), earlier_, 0), "cudaStreamWaitEvent");
}

bool Gpu::idle(Lane lane) const {
  use();
  const cudaError_t status = cudaStreamQuery(stream(lane));
  if (status == cudaErrorNotReady) {
    cudaGetLastError();  // not to be taken for the next call's
    return false;
  }
  check(status, "cudaStreamQuery");
  return true;
}

void Gpu::wait(Lane lane) const {
  use();
  check(cudaStreamSynchronize(stream(lane)), "cudaStreamSynchronize");
}

void Gpu::use() const { check(cudaSetDevice(device_), "cudaSetDevice"); }

template <class T>
Fft<T>::~Fft() {
  quietly(cudaSetDevice(gpu_.device()));
  quietly(cudaStreamSynchronize(gpu_.stream()));
  plans_.clear();
  gpu_.release(work_);
}

template <class T>
void Fft<T>::check(cufftResult status, const char* what) const {
  if (status == CUFFT_SUCCESS) return;
  gpu_.wait();  // throws where a kernel has failed, which cuFFT is often the first to meet
  if (status == CUFFT_ALLOC_FAILED)
    throw UserError(
        "the GPU has no memory left for its FFTs: use more GPUs (ranks), or --device cpu");
  throw std::runtime_error(std::string("cuFFT: ") + what + ": error " + std::to_string(status));
}

template <class T>
cufftHandle Fft<T>::plan(i64 count) const {
  constexpr std::size_t most = 16;
  if (const auto made = plans_.find(count); made != plans_.end()) return made->second->handle;
  gpu_.use();
  if (plans_.size() == most) {
    gpu_.wait();
    plans_.clear();
  }
  constexpr cufftType type = sizeof(T) == 4 ? CUFFT_C2C : CUFFT_Z2Z;
  long long n[2] = {window_, window_};
  auto plan = std::make_unique<Plan>();
  std::size_t bytes = 0;
  check(cufft().create(&plan->handle), "cufftCreate");
  check(cufft().set_auto_allocation(plan->handle, 0), "cufftSetAutoAllocation");
  check(
      cufft().make_plan_many(plan->handle, 2, n, nullptr, 1, 0, nullptr, 1, 0, type, count, &bytes),
      "cufftMakePlanMany64");
  check(cufft().set_stream(plan->handle, gpu_.stream()), "cufftSetStream");
  if (bytes > work_bytes_) {
    gpu_.release(std::exchange(work_, nullptr));
    work_bytes_ = 0;
    work_ = gpu_.allocate(bytes);
    work_bytes_ = bytes;
  }
  return (plans_[count] = std::move(plan))->handle;
}

template <class T>
void Fft<T>::run(const Z<T>* from, Z<T>* to, i64 count, int direction) const {
  if (count == 0) return;
  gpu_.use();
  const cufftHandle plan = this->plan(count);
  check(cufft().set_work_area(plan, work_), "cufftSetWorkArea");
  if constexpr (sizeof(T) == 4)
    check(cufft().run_float(plan, reinterpret_cast<cufftComplex*>(const_cast<Z<T>*>(from)),
                            reinterpret_cast<cufftComplex*>(to), direction),
          "cufftExecC2C");
  else
    check(cufft().run_double(plan, reinterpret_cast<cufftDoubleComplex*>(const_cast<Z<T>*>(from)),
                             reinterpret_cast<cufftDoubleComplex*>(to), direction),
          "cufftExecZ2Z");
}

template class Fft<float>;
template class Fft<double>;

}  // namespace ptyle::cuda

namespace ptyle {
namespace {

std::string version(int number) {
  return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10);
}

/// Number of GPUs that the driver knows; where it knows none, `why` says it.
int count_gpus(std::string& why) {
  int driver = 0, count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaSuccess && count > 0) return count;
  cudaGetLastError();
  if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0)
    why = "no NVIDIA driver is installed";
  else if (status == cudaErrorInsufficientDriver)
    why = "the NVIDIA driver is for CUDA " + version(driver) + ", and this ptyle needs " +
          version(CUDART_VERSION) + " or newer";
  else
    why = status == cudaSuccess ? "the NVIDIA driver knows no GPU" : cudaGetErrorString(status);
  return 0;
}

/// Facts from properties alone: any other call would make a context on a GPU, which takes hundreds
/// of megabytes there, or the GPU itself where only one process may use it.
GpuFacts facts_of(int device) {
  cudaDeviceProp p{};
  cuda::check(cudaGetDeviceProperties(&p, device), "cudaGetDeviceProperties");
  // 48 bits of the identifier, exactly a double.
  double id = 0;
  for (int byte = 0; byte < 6; ++byte)
    id = 256 * id + static_cast<unsigned char>(p.uuid.bytes[byte]);
  const int capability = cuda::capability_of(p);
  return {p.name,
          capability,
          p.totalGlobalMem,
          0,
          p.sharedMemPerBlockOptin,
          static_cast<std::size_t>(p.l2CacheSize),
          id,
          has_clusters(capability, cuda::built_for)};
}

}  // namespace

GpuCensus find_gpus() {
  GpuCensus census;
  census.built = true;
  census.oldest = *std::min_element(cuda::built_for.begin(), cuda::built_for.end());
  const int count = count_gpus(census.why_none);
  if (count > 0) census.why_none = cuda::why_no_cufft();
  if (!census.why_none.empty()) return census;
  for (int i = 0; i < count; ++i) try {
      census.gpus.push_back(facts_of(i));
    } catch (const std::runtime_error& e) {  // a lost card must not keep others from use
      census.gpus.push_back({.name = "GPU " + std::to_string(i)});
      census.why_none = e.what();
    }
  return census;
}

std::unique_ptr<Memory> open_gpu(int device) { return std::make_unique<cuda::Gpu>(device); }

std::size_t free_bytes(const Memory& gpu) {
  return dynamic_cast<const cuda::Gpu&>(gpu).free_bytes();
}

}  // namespace ptyle
