#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "core/random.hpp"
#include "device/kernel.hpp"
#include "gpu/card.hpp"

namespace ptyle::bench {

/// to = from: a read and a write.
struct CopyKernel {
  static constexpr int threads = 256;
  const Z<double>* from;
  Z<double>* to;
  i64 n;
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    block.threads([&](int t) {
      const i64 i = i64(block.x) * threads + t;
      if (i < n) to[i] = from[i];
    });
  }
};

/// Multiply-adds in registers.
struct FmaKernel {
  static constexpr int threads = 256, chains = 8, steps = 1024;
  float* to;
  float factor;
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    block.threads([&](int t) {
      float x[chains];
      for (int c = 0; c < chains; ++c) x[c] = static_cast<float>(t + c);
      for (int s = 0; s < steps; ++s)
        for (int c = 0; c < chains; ++c) x[c] = x[c] * factor + 1.0f;
      float sum = 0;
      for (int c = 0; c < chains; ++c) sum += x[c];
      to[i64(block.x) * threads + t] = sum;
    });
  }
};

/// Reads and writes of shared memory, 8 bytes a thread in neighbouring banks, as passes on chip do.
/// A thread's values go round its slots by `turn`, which the compiler does not know, so that it can
/// leave none of them out.
struct SharedKernel {
  static constexpr int threads = 256, resident = 8, slots = 4, steps = 1024;
  static constexpr std::size_t shared = threads * slots * sizeof(Z<float>);
  Z<float>* to;
  int turn;
  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    auto* const all = reinterpret_cast<Z<float>*>(block.shared());
    block.threads([&](int t) {
      Z<float> held[slots];
      for (int k = 0; k < slots; ++k) all[k * threads + t] = {float(t), float(k)};
      for (int s = 0; s < steps; ++s) {
        for (int k = 0; k < slots; ++k) held[k] = all[k * threads + t];
        for (int k = 0; k < slots; ++k) all[(k + turn) % slots * threads + t] = held[k];
      }
      to[i64(block.x) * threads + t] = all[t];
    });
  }
};

/// All but the operator and the arithmetic.
template <class Gpu>
class CardOn : public Card {
  using Transform = typename Gpu::template Transform<float>;

 public:
  explicit CardOn(std::unique_ptr<Gpu> gpu) : own_(std::move(gpu)) {}
  [[nodiscard]] std::string name() const override { return gpu_.name(); }
  [[nodiscard]] GpuFacts facts() const override {
    GpuFacts facts;
    facts.name = gpu_.name();
    facts.total_bytes = gpu_.total_bytes();
    facts.free_bytes = gpu_.free_bytes();
    facts.shared_limit = gpu_.shared_limit();
    facts.l2_bytes = gpu_.l2_bytes();
    facts.clusters = gpu_.clusters();
    return facts;
  }
  Memory& memory() override { return gpu_; }
  void wait() override { gpu_.wait(); }

  double bare_seconds(i64 window, i64 batch, i64 count) override {
    if (!bare_ || bare_->window != window || bare_->batch != batch) {
      bare_.reset();  // gives its memory back first
      bare_.emplace(gpu_, window, batch);
    }
    // Zeros would run faster than data. A pair of transforms multiplies by W²: as many of them as
    // floats have room for, then anew.
    const int pairs =
        std::max(1, static_cast<int>(100 / std::log2(static_cast<double>(window * window))));
    double seconds = 0;
    i64 done = 0;
    for (bool warm = false; done < count; warm = true) {
      const double time = bare_->run(gpu_, pairs);
      if (!warm) continue;
      seconds += time;
      done += 2 * pairs * bare_->sets * batch;
    }
    return seconds / static_cast<double>(done);
  }

  Ceilings ceilings() override {
    const i64 n = (Gpu::emulated ? 1 : 1024) * (1 << 20) / i64(sizeof(Z<double>));
    const i64 blocks = Gpu::emulated ? 1 : 64 * gpu_.multiprocessors();
    const Array<Z<double>, 1> from({n}, nullptr, "", &gpu_);
    Array<Z<double>, 1> to({n}, nullptr, "", &gpu_);
    Array<float, 1> sums({blocks * FmaKernel::threads}, nullptr, "", &gpu_);
    Array<Z<float>, 1> values({blocks * SharedKernel::threads}, nullptr, "", &gpu_);
    std::vector<double> of_copy, of_fma, of_shared;
    for (int round = 0; round < 10; ++round) {
      of_copy.push_back(timed(gpu_, [&] {
        gpu_.launch(CopyKernel{from.data(), to.data(), n}, {blocks_for(n, CopyKernel::threads)});
      }));
      of_fma.push_back(timed(gpu_, [&] { gpu_.launch(FmaKernel{sums.data(), 0.999f}, {blocks}); }));
      of_shared.push_back(timed(gpu_, [&] {
        gpu_.launch(SharedKernel{values.data(), 1}, {blocks}, SharedKernel::shared);
      }));
    }
    const double operations = 2.0 * FmaKernel::chains * FmaKernel::steps * FmaKernel::threads;
    const double moved = 2.0 * SharedKernel::steps * static_cast<double>(SharedKernel::shared);
    return {2.0 * static_cast<double>(n) * sizeof(Z<double>) / median(of_copy),
            operations * static_cast<double>(blocks) / median(of_fma),
            moved * static_cast<double>(blocks) / median(of_shared)};
  }

 private:
  /// Bare transforms of one size, ready to run: several batches side by side, so that a stretch is
  /// long beside what it takes to begin one.
  struct Bare {
    Bare(Gpu& gpu, i64 w, i64 b)
        : window(w),
          batch(b),
          sets(Gpu::emulated
                   ? 1
                   : std::max<i64>(1, (i64{256} << 20) / (b * w * w * i64(sizeof(Z<float>))))),
          waves({sets * b, w, w}, nullptr, "", &gpu),
          random(waves.shape(), nullptr, "", &gpu),
          transform(gpu, w) {
      // The same some again and again: drawing all of them would take longer than all transforms.
      std::vector<Z<float>> some(1 << 18);
      Philox numbers(2, 0, 0);
      for (auto& v : some)
        v = {static_cast<float>(numbers.uniform()), static_cast<float>(numbers.uniform())};
      Array<Z<float>, 3> here(random.shape());
      for (i64 i = 0; i < here.size(); ++i)
        here.data()[i] = some[static_cast<std::size_t>(i) % some.size()];
      gpu.copy(random.data(), here.data(), bytes());
    }
    /// Seconds of so many pairs of transforms, forward and inverse, of random values.
    double run(Gpu& gpu, int pairs) {
      gpu.copy(waves.data(), random.data(), bytes());
      return timed(gpu, [&] {
        for (int i = 0; i < pairs; ++i)
          for (i64 set = 0; set < sets; ++set) {
            Z<float>* const some = waves.data() + set * batch * window * window;
            transform.forward(some, some, batch);
            transform.inverse(some, some, batch);
          }
      });
    }
    [[nodiscard]] std::size_t bytes() const {
      return static_cast<std::size_t>(waves.size()) * sizeof(Z<float>);
    }
    i64 window, batch, sets;
    Array<Z<float>, 3> waves, random;
    Transform transform;
  };
  /// By the clock, until the GPU has done it.
  template <class Work>
  static double timed(Gpu& gpu, Work&& work) {
    gpu.wait();
    const auto start = std::chrono::steady_clock::now();
    work();
    gpu.wait();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  static double median(std::vector<double> v) {
    std::sort(v.begin(), v.end());
    return v[v.size() / 2];
  }
  std::unique_ptr<Gpu> own_;
  std::optional<Bare> bare_;

 protected:
  Gpu& gpu_ = *own_;
};

}  // namespace ptyle::bench
