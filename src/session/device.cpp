#include "session/device.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "core/error.hpp"

namespace ptyle {
namespace {

std::string capability_text(int capability) {
  return fmt::format("{}.{}", capability / 10, capability % 10);
}

/// Why no GPU can be used; empty where one can.
std::string why_none(const GpuCensus& census) {
  if (!census.built) return "this ptyle is built without CUDA (build it where nvcc is)";
  if (census.gpus.empty()) return fmt::format("no GPU can be used: {}", census.why_none);
  const GpuFacts& newest =
      *std::max_element(census.gpus.begin(), census.gpus.end(),
                        [](const auto& a, const auto& b) { return a.capability < b.capability; });
  if (newest.capability >= census.oldest) return {};
  if (newest.capability == 0) return fmt::format("no GPU can be used: {}", census.why_none);
  return fmt::format(
      "the GPU ({}) is too old: its compute capability is {}, and this ptyle is built for {} and "
      "newer (CMAKE_CUDA_ARCHITECTURES)",
      newest.name, capability_text(newest.capability), capability_text(census.oldest));
}

}  // namespace

DeviceChoice choose_device(ComputeOn device, const GpuCensus& census, int rank_on_node) {
  DeviceChoice choice;
  if (device == ComputeOn::cpu) return choice;
  const std::string why = why_none(census);
  if (!why.empty()) {
    if (device == ComputeOn::cuda)
      throw UserError(
          fmt::format("solver.device: cuda cannot be: {}; --device cpu needs no GPU", why));
    if (census.built) choice.why_cpu = why;
    return choice;
  }
  std::vector<int> usable;
  for (std::size_t i = 0; i < census.gpus.size(); ++i)
    if (census.gpus[i].capability >= census.oldest) usable.push_back(static_cast<int>(i));
  choice.gpu = usable[static_cast<std::size_t>(rank_on_node) % usable.size()];
  return choice;
}

DeviceChoice choose_device(ComputeOn device, const GpuCensus& census, Team& team) {
  DeviceChoice choice = choose_device(device, census, team.rank_on_node());
  std::vector<double> without{choice.gpu < 0 ? 1.0 : 0.0};
  team.sum(without);
  if (device == ComputeOn::automatic && choice.gpu >= 0 && without[0] > 0)
    choice = {-1, fmt::format("{:.0f} of the ranks have no GPU", without[0])};
  return choice;
}

int ranks_on_gpu(double id, Team& team) {
  std::vector<double> ids(static_cast<std::size_t>(team.size()), 0.0);
  ids[static_cast<std::size_t>(team.here().front())] = id;
  team.sum(ids);
  return id == 0 ? 0 : static_cast<int>(std::count(ids.begin(), ids.end(), id));
}

GpuFacts assumed_gpu() {
  GpuFacts gpu;
  gpu.name = "an H100 of 80 GB (assumed)";
  gpu.capability = 90;
  gpu.total_bytes = 80'000'000'000;
  gpu.free_bytes = 79'000'000'000;
  gpu.shared_limit = std::size_t{227} << 10;
  gpu.l2_bytes = std::size_t{50} << 20;
  gpu.clusters = true;
  return gpu;
}

std::string describe(const GpuFacts& gpu) {
  return fmt::format("{}, {:.1f} of {:.1f} GB free, compute capability {}", gpu.name,
                     double(gpu.free_bytes) / 1e9, double(gpu.total_bytes) / 1e9,
                     capability_text(gpu.capability));
}

}  // namespace ptyle
