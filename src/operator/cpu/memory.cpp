#include "operator/cpu/memory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "operator/cpu/steps.hpp"

namespace ptyle {
namespace cpu {

template <class T>
MemoryPlan<T>::MemoryPlan(const OperatorSetup& setup, int threads, const CpuOptions& options)
    : slices(setup.slices), run(setup.slices) {
  const BufferSizes sizes = buffer_sizes<T>(setup, path_of(setup.window, options.path));
  wave = sizes.wave;
  probe = sizes.probe;
  mixed = setup.basis > 0 ? sizes.wave : 0;
  scratch = sizes.scratch;
  ramp = sizes.ramp;
  propagator = sizes.propagator;
  detector = sizes.detector;
  in_propagator = setup.fits_propagator ? propagator : 0;
  pattern = setup.window * setup.window;
  if (options.waves == WaveStorage::checkpoint)
    run = std::clamp<i64>(options.checkpoint, 1, slices);
  runs = (slices + run - 1) / run;
  kept = options.waves == WaveStorage::recompute ? 0 : run;
  checkpoints = std::max<i64>(0, runs - 2);  // the first run starts at the probe, the last is kept
  beside = options.waves == WaveStorage::recompute || runs > 1;
  others = (beside || setup.products ? 1 : 0) + (setup.products && kept == 0 ? 1 : 0);
  // Whoever adds a slice's gradient holds the others up for as long as the slice takes; with more
  // threads than slices that would be most of the time.
  patches = threads > 1 && threads > slices;
}

template struct MemoryPlan<float>;
template struct MemoryPlan<double>;

}  // namespace cpu

std::string describe(const CpuOptions& options) {
  const std::string waves = options.waves == WaveStorage::store ? "store"
                            : options.waves == WaveStorage::recompute
                                ? "recompute"
                                : fmt::format("checkpoint {}", options.checkpoint);
  return options.copy_transmission ? waves : waves + ", transmission as needed";
}

template <class T>
std::vector<Ledger::Entry> cpu_operator_memory(const OperatorSetup& setup, int threads,
                                               const std::array<i64, 3>& object,
                                               const CpuOptions& options) {
  const cpu::MemoryPlan<T> plan(setup, threads, options);
  const i64 patch = setup.window * setup.window;
  const i64 waves = plan.scratch + plan.ramp + plan.pattern + plan.mixed +
                    plan.wave * (1 + plan.others + plan.kept + plan.checkpoints);
  const i64 patches =
      patch * (1 + (plan.patches ? (setup.absorption ? 2 : 1) : 0)) + 3 * plan.in_propagator;
  const i64 voxels = object[0] * object[1] * object[2];
  std::vector<Ledger::Entry> all;
  const auto add = [&](const char* name, i64 values) {
    const auto bytes = static_cast<std::size_t>(values) * sizeof(T);
    all.push_back({name, bytes, bytes});
  };
  add("detector", plan.detector);
  add("gradient patches", threads * patches);
  add("probe", plan.probe);
  add("propagator", plan.propagator);
  if (options.copy_transmission) add("transmission", 2 * voxels);
  add("waves", threads * waves);
  return all;
}

template <class T>
double cpu_call_memory(const OperatorSetup& setup, const CpuOptions& options) {
  return static_cast<double>(cpu::MemoryPlan<T>(setup, 1, options).probe) * sizeof(T);
}

template <class T>
CpuOptions choose_cpu_options(const OperatorSetup& setup, int threads,
                              const std::array<i64, 3>& object, std::size_t bytes) {
  // √S checkpoints and as many waves at a time are fewest.
  const i64 k = static_cast<i64>(std::ceil(std::sqrt(double(setup.slices))));
  std::vector<CpuOptions> quickest_first = {{WaveStorage::store, 1, true},
                                            {WaveStorage::store, 1, false},
                                            {WaveStorage::checkpoint, k, true},
                                            {WaveStorage::checkpoint, k, false}};
  if (is_unitary(setup)) {
    quickest_first.push_back({WaveStorage::recompute, 1, true});
    quickest_first.push_back({WaveStorage::recompute, 1, false});
  }
  CpuOptions smallest;
  std::size_t least = std::numeric_limits<std::size_t>::max();
  for (const CpuOptions& options : quickest_first) {
    std::size_t total = 0;
    for (const auto& entry : cpu_operator_memory<T>(setup, threads, object, options))
      total += entry.now;
    if (total <= bytes) return options;
    if (total < least) least = total, smallest = options;
  }
  return smallest;
}

template std::vector<Ledger::Entry> cpu_operator_memory<float>(const OperatorSetup&, int,
                                                               const std::array<i64, 3>&,
                                                               const CpuOptions&);
template std::vector<Ledger::Entry> cpu_operator_memory<double>(const OperatorSetup&, int,
                                                                const std::array<i64, 3>&,
                                                                const CpuOptions&);
template double cpu_call_memory<float>(const OperatorSetup&, const CpuOptions&);
template double cpu_call_memory<double>(const OperatorSetup&, const CpuOptions&);
template CpuOptions choose_cpu_options<float>(const OperatorSetup&, int, const std::array<i64, 3>&,
                                              std::size_t);
template CpuOptions choose_cpu_options<double>(const OperatorSetup&, int, const std::array<i64, 3>&,
                                               std::size_t);

}  // namespace ptyle
