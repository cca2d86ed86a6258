// Which steps compute a window: chosen at run time, so that one program serves every processor.

#include <fmt/format.h>

#include <cstdlib>
#include <string>

#include "core/error.hpp"
#include "device/cpu/fft.hpp"
#include "operator/cpu/steps.hpp"
#include "operator/cpu/sweeps/order.hpp"

namespace ptyle {
namespace cpu {
namespace {

#if defined(__x86_64__)
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl");
}
#else
bool has_avx2() { return false; }
bool has_avx512() { return false; }
#endif

CpuPath asked_by_environment() {
  const char* name = std::getenv("PTYLE_CPU_PATH");
  const std::string path = name ? name : "";
  if (path.empty()) return CpuPath::automatic;
  if (path == "fftw") return CpuPath::fftw;
  if (path == "plain") return CpuPath::plain;
  if (path == "avx2") return CpuPath::avx2;
  if (path == "avx512") return CpuPath::avx512;
  throw UserError(
      fmt::format("PTYLE_CPU_PATH: '{}' is none of fftw, plain, avx2 and avx512", path));
}

template <class T>
const Kernels<T>& kernels_of(CpuPath path) {
#if defined(__x86_64__)
  if (path == CpuPath::avx512) return avx512_kernels<T>();
  if (path == CpuPath::avx2) return avx2_kernels<T>();
#else
  (void)path;
#endif
  return plain_kernels<T>();
}

}  // namespace

CpuPath path_of(i64 window, CpuPath asked) {
  const bool forced = asked != CpuPath::automatic;
  if (!forced) asked = asked_by_environment();
  if (asked == CpuPath::fftw || (!forced && !has_sweeps(window))) return CpuPath::fftw;
  if (!has_sweeps(window))
    throw UserError(fmt::format(
        "a window of {} pixels has no sweeps; 64, 96, 128, 192, 256, 384 and 512 have", window));
  if (asked == CpuPath::automatic)
    return has_avx512() ? CpuPath::avx512 : has_avx2() ? CpuPath::avx2 : CpuPath::plain;
  if ((asked == CpuPath::avx512 && !has_avx512()) || (asked == CpuPath::avx2 && !has_avx2()))
    throw UserError(fmt::format("this processor has no {}",
                                asked == CpuPath::avx2 ? "AVX2" : "AVX-512 (F, DQ, VL)"));
  return asked;
}

template <class T>
BufferSizes buffer_sizes(const OperatorSetup& setup, CpuPath path) {
  return path == CpuPath::fftw ? fftw_sizes(setup) : sweep_sizes<T>(setup, kernels_of<T>(path));
}

template <class T>
std::unique_ptr<Steps<T>> make_steps(const OperatorSetup& setup, CpuPath path, Ledger* ledger) {
  if (path == CpuPath::fftw) return make_fftw_steps<T>(setup, ledger);
  return make_sweep_steps<T>(setup, kernels_of<T>(path), ledger);
}

template BufferSizes buffer_sizes<float>(const OperatorSetup&, CpuPath);
template BufferSizes buffer_sizes<double>(const OperatorSetup&, CpuPath);
template std::unique_ptr<Steps<float>> make_steps(const OperatorSetup&, CpuPath, Ledger*);
template std::unique_ptr<Steps<double>> make_steps(const OperatorSetup&, CpuPath, Ledger*);

}  // namespace cpu

std::string describe_path(i64 window, CpuPath path) {
  path = cpu::path_of(window, path);
  return path == CpuPath::fftw ? fft_library() : cpu::kernels_of<float>(path).name;
}

}  // namespace ptyle
