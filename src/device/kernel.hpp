#pragma once

// How kernels are written: once, for a GPU (device/cuda) and for the host, which goes through the
// same blocks and threads one by one (device/emulated), so that all but the GPU itself is tested
// where there is none.
//
//   struct Doubled {                                    a kernel: its arguments, and
//     static constexpr int threads = 256;               threads of a block
//     float* values;
//     i64 n;
//     template <class Block>
//     PTYLE_HOST_DEVICE void operator()(Block& block) const {
//       block.threads([&](int t) {                      a phase: all threads, then a barrier
//         const i64 i = i64(block.x) * threads + t;
//         if (i < n) values[i] *= 2;
//       });
//     }
//   };
//   gpu.launch(Doubled{values, n}, blocks_for(n, Doubled::threads));
//
// A launch may hand out its work by tickets: block.next(counter) is 0, 1, 2, … over all its blocks.
// A ticket may wait, by block.await(flag, value, alarm), for what lower ones do, which say so by
// block.signal(flag): those are under way, so the wait ends. Counters and flags start at 0. Should
// a flag stay behind all the same, the wait has a bound: the block raises the alarm, and the GPU
// gives up what it was doing.
//
// Within a phase no thread may read what another one writes. What threads share between phases lies
// in `block.shared()`; what a thread keeps to itself does not outlive a phase.
//
// A kernel with `static constexpr int cluster` runs in clusters of so many blocks, block.rank() 0,
// 1, … in each; block.x and grid.x then count clusters. block.meet() is a barrier of the whole
// cluster, block.remote(at, rank) the place in another block's shared memory where that block has
// `at`, and block.next() the same for all. Of the whole cluster, too, is
//
//   block.template hand_over<Held>(take, change, put);      each (int t, Held& held)
//
// all threads take what they will need into registers and change it there; when all have taken
// theirs, they put it where it belongs. No barrier is at either end. `put` sends values to other
// blocks by block.send(at, rank, i, value), to at[i] there, and block.received(bytes) ends the
// exchange: it waits until so many bytes have been sent to this block since it last did. Nothing
// may be sent again before the next meeting of the cluster.

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

#include "core/annotation.hpp"
#include "core/array.hpp"

namespace ptyle {

/// Blocks of a launch.
struct Grid {
  i64 x = 1, y = 1, z = 1;
};

/// Work that a GPU does in order: lanes run beside each other, but for what follow() orders.
/// Exchanges have one of their own, so that they do not wait for what is computed, nor it for them.
enum class Lane { computing, exchanging };

/// Blocks of so many threads for n values.
constexpr i64 blocks_for(i64 n, int threads) { return (n + threads - 1) / threads; }

/// Blocks of a cluster of this kernel.
template <class Kernel>
constexpr int cluster_of() {
  if constexpr (requires { Kernel::cluster; })
    return Kernel::cluster;
  else
    return 1;
}

/// Blocks that a multiprocessor should hold at a time: registers are shared out accordingly.
template <class Kernel>
constexpr int resident_of() {
  if constexpr (requires { Kernel::resident; })
    return Kernel::resident;
  else
    return 1;
}

/// A block's report of a wait in vain. It lies in the host's memory, since nothing of a GPU's can
/// be read once a kernel has given up.
struct Alarm {
  int raised, wanted, found;
};

inline std::string to_string(const Alarm& alarm) {
  return "a block waited for a flag to reach " + std::to_string(alarm.wanted) +
         " in vain: it stayed at " + std::to_string(alarm.found);
}

/// A complex number as it lies in memory, here and on a GPU.
template <class T>
struct alignas(2 * sizeof(T)) Z {
  T re, im;
};

template <class T>
PTYLE_HOST_DEVICE Z<T> operator+(const Z<T>& a, const Z<T>& b) {
  return {a.re + b.re, a.im + b.im};
}
template <class T>
PTYLE_HOST_DEVICE Z<T> operator-(const Z<T>& a, const Z<T>& b) {
  return {a.re - b.re, a.im - b.im};
}
/// x · (c + i s), or conj: x · (c − i s)
template <bool conjugate, class T>
PTYLE_HOST_DEVICE Z<T> times(const Z<T>& x, T c, T s) {
  if constexpr (conjugate) return {x.re * c + x.im * s, x.im * c - x.re * s};
  return {x.re * c - x.im * s, x.im * c + x.re * s};
}
template <class T>
PTYLE_HOST_DEVICE T square(const Z<T>& x) {
  return x.re * x.re + x.im * x.im;
}

/// A std::complex array is one of Z.
template <class T>
Z<T>* as_z(Complex<T>* values) {
  return reinterpret_cast<Z<T>*>(values);
}
template <class T>
const Z<T>* as_z(const Complex<T>* values) {
  return reinterpret_cast<const Z<T>*>(values);
}

/// Memory that is written once and read once much later, so that others may have its place in the
/// caches.
template <class T>
PTYLE_HOST_DEVICE void stream_to(Z<T>* at, const Z<T>& value) {
#ifdef __CUDA_ARCH__
  if constexpr (sizeof(T) == 4)
    __stcs(reinterpret_cast<float2*>(at), float2{value.re, value.im});
  else
    __stcs(reinterpret_cast<double2*>(at), double2{value.re, value.im});
#else
  *at = value;
#endif
}
template <class T>
PTYLE_HOST_DEVICE Z<T> streamed_from(const Z<T>* at) {
#ifdef __CUDA_ARCH__
  if constexpr (sizeof(T) == 4) {
    const float2 value = __ldcs(reinterpret_cast<const float2*>(at));
    return {value.x, value.y};
  } else {
    const double2 value = __ldcs(reinterpret_cast<const double2*>(at));
    return {value.x, value.y};
  }
#else
  return *at;
#endif
}
/// Announces that this line of the L2 cache will be read soon.
PTYLE_HOST_DEVICE void expect(const void* at) {
#ifdef __CUDA_ARCH__
  asm volatile("prefetch.global.L2 [%0];" ::"l"(at));
#else
  static_cast<void>(at);
#endif
}

/// The number of the lowest bit that is set, of bits that are not 0.
PTYLE_HOST_DEVICE int lowest_bit(std::uint32_t bits) {
#ifdef __CUDA_ARCH__
  return __ffs(static_cast<int>(bits)) - 1;
#else
  return std::countr_zero(bits);
#endif
}

/// sum += value, where other threads of the launch may add to the same at the same time; the order,
/// and so the last bits, are not always the same on a GPU.
template <class T>
PTYLE_HOST_DEVICE void add_at_once(T* sum, T value) {
#ifdef __CUDA_ARCH__
  // Nobody asks for the old value, which atomicAdd would fetch where its caller is large.
  if constexpr (sizeof(T) == 4)
    asm volatile("red.relaxed.gpu.global.add.f32 [%0], %1;" ::"l"(__cvta_generic_to_global(sum)),
                 "f"(value)
                 : "memory");
  else
    asm volatile("red.relaxed.gpu.global.add.f64 [%0], %1;" ::"l"(__cvta_generic_to_global(sum)),
                 "d"(value)
                 : "memory");
#else
  std::atomic_ref<T>(*sum).fetch_add(value);
#endif
}

/// A block's sums of `N` numbers of each thread, in a fixed order: `of(t)` returns std::array-like
/// Sums<N>; thread 0 calls `to(sums)`. Needs N · threads doubles of shared memory.
template <int N>
struct Sums {
  double value[N]{};
};
template <int N, int threads, class Block, class Of, class To>
PTYLE_HOST_DEVICE void sum_over_block(Block& block, Of&& of, To&& to) {
  static_assert((threads & (threads - 1)) == 0);
  auto* shared = reinterpret_cast<double*>(block.shared());
  block.threads([&](int t) {
    const Sums<N> sums = of(t);
    for (int i = 0; i < N; ++i) shared[i * threads + t] = sums.value[i];
  });
  for (int half = threads / 2; half > 0; half /= 2)
    block.threads([&](int t) {
      if (t < half)
        for (int i = 0; i < N; ++i) shared[i * threads + t] += shared[i * threads + t + half];
    });
  block.threads([&](int t) {
    if (t > 0) return;
    Sums<N> sums;
    for (int i = 0; i < N; ++i) sums.value[i] = shared[i * threads];
    to(sums);
  });
}

}  // namespace ptyle
