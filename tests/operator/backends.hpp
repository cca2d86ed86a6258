#pragma once

// The backends that every operator test runs on: the reference, and every path of the CPU.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "core/error.hpp"
#include "operator/emulated/operator.hpp"
#include "operator/operator.hpp"
#include "scene.hpp"

namespace ptyle::test {

struct Reference {
  using T = double;
  static std::string name() { return "Reference"; }
  static bool available() { return true; }
  static i64 window(i64 w) { return w; }
  static constexpr bool every_part = true;
  static std::unique_ptr<Operator<T>> make(const OperatorSetup& setup, int /*threads*/ = 1) {
    return make_reference_operator(setup);
  }
};

template <class Number, CpuPath path>
struct Cpu {
  using T = Number;
  static std::string name() {
    const std::string width = path == CpuPath::fftw    ? "Fftw"
                              : path == CpuPath::plain ? "Plain"
                              : path == CpuPath::avx2  ? "Avx2"
                                                       : "Avx512";
    return width + (std::is_same_v<T, double> ? "Double" : "Float");
  }
  /// Has this processor such vectors?
  static bool available() {
    try {
      describe_path(64, path);
      return true;
    } catch (const UserError&) {
      return false;
    }
  }
  /// The window to take where a test asks for a small one: the sweeps know no smaller ones.
  static i64 window(i64 w) { return path == CpuPath::fftw ? w : w % 2 == 0 ? 64 : 96; }
  static constexpr bool every_part = true;
  static CpuOptions options(CpuOptions o = {}) {
    o.path = path;
    return o;
  }
  static std::unique_ptr<Operator<T>> make(const OperatorSetup& setup, int threads = 1) {
    return make_cpu_operator<T>(setup, threads, nullptr, options());
  }
};

/// The CUDA backend's source on an emulated GPU, which does things late, in one bad order in floats
/// and in another in doubles.
template <class Number, GpuPath path>
struct EmulatedGpu {
  using T = Number;
  static std::string name() {
    const std::string way = path == GpuPath::fft      ? "Fft"
                            : path == GpuPath::sweeps ? "Sweeps"
                                                      : "Fused";
    return "EmulatedGpu" + way + (std::is_same_v<T, double> ? "Double" : "Float");
  }
  static bool available() { return true; }
  static i64 window(i64 w) { return path == GpuPath::fft ? w : w % 2 == 0 ? 64 : 96; }
  static constexpr bool every_part = path == GpuPath::fft;
  static std::unique_ptr<Operator<T>> make(const OperatorSetup& setup, int /*threads*/ = 1) {
    constexpr bool is_double = std::is_same_v<T, double>;
    return make_emulated_operator<T>(
        setup, {.path = path},
        {.order = is_double ? emulated::Order::as_needed : emulated::Order::others_first});
  }
};

/// A real GPU, where there is one.
template <class Number, GpuPath path>
struct Cuda {
  using T = Number;
  static std::string name() {
    return "Cuda" + EmulatedGpu<T, path>::name().substr(std::string("EmulatedGpu").size());
  }
  static bool available() { return !find_gpus().gpus.empty(); }
  static i64 window(i64 w) { return EmulatedGpu<T, path>::window(w); }
  static constexpr bool every_part = path == GpuPath::fft;
  static std::unique_ptr<Operator<T>> make(const OperatorSetup& setup, int /*threads*/ = 1) {
    static const std::unique_ptr<Memory> gpu = open_gpu(0);
    return make_gpu_operator<T>(setup, *gpu, nullptr, {.path = path});
  }
};

/// The window that a backend knows; without descan and states where only the FFT library's path has
/// these, as with the propagator's gradient (`every_part`).
template <class Backend>
Case fitting(Case c) {
  c.window = Backend::window(c.window);
  c.descan = c.descan && Backend::every_part;
  if (!Backend::every_part) c.states = 1;
  return c;
}
template <class Backend>
std::vector<Case> fitting(std::vector<Case> cases) {
  for (Case& c : cases) c = fitting<Backend>(c);
  return cases;
}

template <class Backend>
class BackendTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!Backend::available()) GTEST_SKIP() << "this machine has no such vectors, or no GPU";
  }
};

struct BackendName {
  template <class Backend>
  static std::string GetName(int) {
    return Backend::name();
  }
};

using FftwDouble = Cpu<double, CpuPath::fftw>;
using FftwFloat = Cpu<float, CpuPath::fftw>;
using PlainDouble = Cpu<double, CpuPath::plain>;
using PlainFloat = Cpu<float, CpuPath::plain>;
using Avx2Double = Cpu<double, CpuPath::avx2>;
using Avx2Float = Cpu<float, CpuPath::avx2>;
using Avx512Double = Cpu<double, CpuPath::avx512>;
using Avx512Float = Cpu<float, CpuPath::avx512>;

using GpuFftDouble = EmulatedGpu<double, GpuPath::fft>;
using GpuFftFloat = EmulatedGpu<float, GpuPath::fft>;
using GpuSweepsDouble = EmulatedGpu<double, GpuPath::sweeps>;
using GpuSweepsFloat = EmulatedGpu<float, GpuPath::sweeps>;
using GpuFusedDouble = EmulatedGpu<double, GpuPath::fused>;
using GpuFusedFloat = EmulatedGpu<float, GpuPath::fused>;
// In doubles CUDA has cuFFT's path alone.
using CudaFftDouble = Cuda<double, GpuPath::fft>;
using CudaFftFloat = Cuda<float, GpuPath::fft>;
using CudaSweepsFloat = Cuda<float, GpuPath::sweeps>;
using CudaFusedFloat = Cuda<float, GpuPath::fused>;

using AllBackends =
    testing::Types<Reference, FftwDouble, FftwFloat, PlainDouble, PlainFloat, Avx2Double, Avx2Float,
                   Avx512Double, Avx512Float, GpuFftDouble, GpuFftFloat, GpuSweepsDouble,
                   GpuSweepsFloat, GpuFusedDouble, GpuFusedFloat, CudaFftDouble, CudaFftFloat,
                   CudaSweepsFloat, CudaFusedFloat>;
using DoubleBackends = testing::Types<Reference, FftwDouble, PlainDouble, Avx2Double, Avx512Double,
                                      GpuFftDouble, GpuSweepsDouble, GpuFusedDouble, CudaFftDouble>;
/// All but the reference.
using FastBackends = testing::Types<FftwDouble, FftwFloat, PlainDouble, PlainFloat, Avx2Double,
                                    Avx2Float, Avx512Double, Avx512Float, GpuFftDouble, GpuFftFloat,
                                    GpuSweepsDouble, GpuSweepsFloat, GpuFusedDouble, GpuFusedFloat,
                                    CudaFftDouble, CudaFftFloat, CudaSweepsFloat, CudaFusedFloat>;
using CpuBackends = testing::Types<FftwDouble, FftwFloat, PlainDouble, PlainFloat, Avx2Double,
                                   Avx2Float, Avx512Double, Avx512Float>;
using SweepBackends =
    testing::Types<PlainDouble, PlainFloat, Avx2Double, Avx2Float, Avx512Double, Avx512Float>;

}  // namespace ptyle::test
