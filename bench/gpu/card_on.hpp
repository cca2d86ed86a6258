#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <vector>

#include "core/random.hpp"
#include "device/gpu_arithmetic.hpp"
#include "device/kernel.hpp"
#include "gpu/card.hpp"
#include "operator/cuda/gpu_operator.hpp"

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

template <class Gpu>
class CardOn : public Card {
  using Transform = typename Gpu::template Transform<float>;

 public:
  explicit CardOn(Gpu& gpu) : gpu_(gpu) {}
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
  std::unique_ptr<Operator<float>> make(const OperatorSetup& setup, const GpuOptions& options,
                                        Ledger* ledger) override {
    return std::make_unique<gpu::GpuOperator<float, Gpu>>(setup, gpu_, ledger, options);
  }
  std::unique_ptr<Arithmetic<float>> arithmetic(Ledger* ledger) override {
    return std::make_unique<GpuArithmetic<float, Gpu>>(gpu_, ledger);
  }
  void wait() override { gpu_.wait(); }

  double bare_seconds(i64 window, i64 batch, i64 count) override {
    // Several batches side by side, so that a stretch is long beside what it takes to begin one.
    const i64 bytes_each = window * window * i64(sizeof(Z<float>));
    const i64 sets = Gpu::emulated ? 1 : std::max<i64>(1, (i64{256} << 20) / (batch * bytes_each));
    const std::array<i64, 3> shape{sets * batch, window, window};
    Array<Z<float>, 3> waves(shape, nullptr, "", &gpu_), random(shape, nullptr, "", &gpu_);
    const Transform transform(gpu_, window, batch);
    fill(random);
    // Zeros would run faster than data. A pair of transforms multiplies by W²: as many of them as
    // floats have room for, then anew.
    const int pairs =
        std::max(1, static_cast<int>(100 / std::log2(static_cast<double>(window * window))));
    const auto bytes = static_cast<std::size_t>(waves.size()) * sizeof(Z<float>);
    double seconds = 0;
    i64 done = 0;
    for (bool warm = false; done < count; warm = true) {
      gpu_.copy(waves.data(), random.data(), bytes);
      const double time = timed([&] {
        for (int i = 0; i < pairs; ++i)
          for (i64 set = 0; set < sets; ++set) {
            Z<float>* const some = waves.data() + set * batch * window * window;
            transform.forward(some, some, batch);
            transform.inverse(some, some, batch);
          }
      });
      if (!warm) continue;
      seconds += time;
      done += 2 * pairs * sets * batch;
    }
    return seconds / static_cast<double>(done);
  }

  Ceilings ceilings() override {
    const i64 n = (Gpu::emulated ? 1 : 1024) * (1 << 20) / i64(sizeof(Z<double>));
    const i64 blocks = Gpu::emulated ? 1 : 64 * gpu_.multiprocessors();
    const Array<Z<double>, 1> from({n}, nullptr, "", &gpu_);
    Array<Z<double>, 1> to({n}, nullptr, "", &gpu_);
    Array<float, 1> sums({blocks * FmaKernel::threads}, nullptr, "", &gpu_);
    std::vector<double> of_copy, of_fma;
    for (int round = 0; round < 10; ++round) {
      of_copy.push_back(timed([&] {
        gpu_.launch(CopyKernel{from.data(), to.data(), n}, {blocks_for(n, CopyKernel::threads)});
      }));
      of_fma.push_back(timed([&] { gpu_.launch(FmaKernel{sums.data(), 0.999f}, {blocks}); }));
    }
    const double operations = 2.0 * FmaKernel::chains * FmaKernel::steps * FmaKernel::threads;
    return {2.0 * static_cast<double>(n) * sizeof(Z<double>) / median(of_copy),
            operations * static_cast<double>(blocks) / median(of_fma)};
  }

 private:
  /// By the clock, until the GPU has done it.
  template <class Work>
  double timed(Work&& work) {
    gpu_.wait();
    const auto start = std::chrono::steady_clock::now();
    work();
    gpu_.wait();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  static double median(std::vector<double> v) {
    std::sort(v.begin(), v.end());
    return v[v.size() / 2];
  }
  void fill(Array<Z<float>, 3>& there) {
    Array<Z<float>, 3> here(there.shape());
    Philox random(2, 0, 0);
    for (auto& v : here)
      v = {static_cast<float>(random.uniform()), static_cast<float>(random.uniform())};
    gpu_.copy(there.data(), here.data(), static_cast<std::size_t>(here.size()) * sizeof(Z<float>));
  }
  Gpu& gpu_;
};

/// With the GPU itself.
template <class Gpu>
class OwnCard final : public CardOn<Gpu> {
 public:
  explicit OwnCard(std::unique_ptr<Gpu> gpu) : CardOn<Gpu>(*gpu), gpu_(std::move(gpu)) {}

 private:
  std::unique_ptr<Gpu> gpu_;
};

}  // namespace ptyle::bench
