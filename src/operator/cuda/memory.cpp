// The memory that the operator on a GPU will allocate.

#include "operator/cuda/plan.hpp"
#include "operator/cuda/pointwise.hpp"

namespace ptyle {

using namespace gpu;

template <class T>
std::vector<Ledger::Entry> gpu_operator_memory(const OperatorSetup& setup,
                                               const std::array<i64, 3>& object, i64 positions,
                                               std::size_t bytes_a_pattern, const GpuFacts& gpu,
                                               const GpuOptions& options) {
  const GpuPath path = path_of(setup, options, sizeof(T), gpu.shared_limit, gpu.clusters, false);
  const BatchPlan plan(setup, path, options);
  const auto n = static_cast<std::size_t>(setup.window * setup.window);
  const auto modes = static_cast<std::size_t>(setup.modes),
             probe_modes = static_cast<std::size_t>(setup.probe_modes());
  const std::size_t number = sizeof(T), complex = 2 * number;
  const auto voxels = static_cast<std::size_t>(object[0] * object[1] * object[2]);
  const std::size_t propagator =
      complex * ((setup.slices > 1 ? n : 0) + static_cast<std::size_t>(setup.window)) +
      (setup.fits_propagator ? 2 * n * sizeof(double) : 0);
  const std::size_t detector = 2 * number * n + sizeof(Sums<3>);
  const std::size_t probe = complex * n * (2 * probe_modes + std::max(modes, probe_modes));
  const std::size_t own = propagator + detector + probe + complex * voxels;
  const std::size_t budget =
      options.memory > 0 ? options.memory : usable(gpu.free_bytes > own ? gpu.free_bytes - own : 0);
  const i64 batch =
      plan.positions<T>(planned(positions), for_batches(budget), gpu.l2_bytes, path, setup.modes);
  const std::size_t waves = static_cast<std::size_t>(batch) * plan.bytes<T>();
  const auto chunks =
      static_cast<std::size_t>(blocks_for(setup.window * setup.window, Detect<T>::pixels));
  const std::size_t lists =
      static_cast<std::size_t>(batch) *
          (2 * letter_of<T>(plan.coefficients) +
           (3 * chunks + 2 * static_cast<std::size_t>(plan.overlaps + plan.descan)) *
               sizeof(double)) +
      sizeof(int) * static_cast<std::size_t>(BatchPlan::flags(batch));
  const std::size_t all = static_cast<std::size_t>(positions) * ((bytes_a_pattern + 15) / 16 * 16);
  const std::size_t slabs = (all + pattern_slab - 1) / pattern_slab * pattern_slab;
  const std::size_t space = budget > waves ? budget - waves : 0;
  const auto entry = [](const char* name, std::size_t bytes) {
    return Ledger::Entry{name, bytes, bytes};
  };
  return {entry("detector", detector),
          entry("patterns", std::min(slabs, space)),
          entry("probe", probe),
          entry("propagator", propagator),
          entry("transmission", complex * voxels),
          entry("waves", waves + lists)};
}

template <class T>
std::string describe_gpu_path(const OperatorSetup& setup, const GpuFacts& gpu,
                              const GpuOptions& options) {
  switch (path_of(setup, options, sizeof(T), gpu.shared_limit, gpu.clusters, false)) {
    case GpuPath::fused:
      return "waves on chip";
    case GpuPath::sweeps:
      return "two sweeps a slice";
    default:
      return "cuFFT";
  }
}

template std::vector<Ledger::Entry> gpu_operator_memory<float>(const OperatorSetup&,
                                                               const std::array<i64, 3>&, i64,
                                                               std::size_t, const GpuFacts&,
                                                               const GpuOptions&);
template std::vector<Ledger::Entry> gpu_operator_memory<double>(const OperatorSetup&,
                                                                const std::array<i64, 3>&, i64,
                                                                std::size_t, const GpuFacts&,
                                                                const GpuOptions&);
template std::string describe_gpu_path<float>(const OperatorSetup&, const GpuFacts&,
                                              const GpuOptions&);
template std::string describe_gpu_path<double>(const OperatorSetup&, const GpuFacts&,
                                               const GpuOptions&);

}  // namespace ptyle
