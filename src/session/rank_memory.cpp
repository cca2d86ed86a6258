#include "session/rank_memory.hpp"

#include <algorithm>
#include <numeric>

#include "solver/halos.hpp"

namespace ptyle {

double RankMemory::total() const {
  return std::accumulate(bytes.begin(), bytes.end(), 0.0,
                         [](double sum, const auto& entry) { return sum + entry.second; });
}

double memory_budget(const ReconstructConfig& config, int processes_on_node) {
  if (config.solver.memory > 0) return config.solver.memory * 1e9;
  return 0.8 * double(machine_memory_bytes()) / processes_on_node;
}

template <class T>
RankMemory rank_memory(const ReconstructConfig& config, const OperatorSetup& setup,
                       const Division& division, int rank, int threads, std::size_t bytes_a_pattern,
                       double budget) {
  const Box box = division.sharing.mesh.extended(rank);
  const PositionShare& share = division.shares[static_cast<std::size_t>(rank)];
  const double value = sizeof(T), plane = double(box.area()) * value;
  const double volume = double(planes_of(config) - 1) * plane;
  const double probe = 2 * value * double(setup.modes * setup.window * setup.window);
  RankMemory memory;
  auto& bytes = memory.bytes;
  bytes["object"] = volume;
  bytes["gradient"] = volume + plane + probe;
  bytes["probe"] = probe;
  bytes["patterns"] = double(bytes_a_pattern) * double(share.own.size() + share.extra.size());
  bytes["positions"] = double(Fit<T>::bytes_a_position) * double(division.frame.positions.size());
  const bool behind = config.ranks.exchange_behind && division.sharing.mesh.ranks() > 1;
  const bool steps_between =
      config.ranks.local_positions > 0 || behind || config.ranks.update == "literal";
  if (steps_between) {
    bytes["gradient"] += volume + 2 * plane;
    bytes["object, synchronised"] = volume;
  }
  bytes["exchange buffers"] = value * halo_buffer_values(division.sharing, rank, planes_of(config));
  const auto left = static_cast<std::size_t>(std::max(0.0, budget - memory.total()));
  const std::array<i64, 3> shape{setup.slices, box.rows.size(), box.cols.size()};
  memory.options = choose_cpu_options<T>(setup, threads, shape, left);
  for (const auto& entry : cpu_operator_memory<T>(setup, threads, shape, memory.options))
    bytes[entry.name] += double(entry.now);
  return memory;
}

template RankMemory rank_memory<float>(const ReconstructConfig&, const OperatorSetup&,
                                       const Division&, int, int, std::size_t, double);
template RankMemory rank_memory<double>(const ReconstructConfig&, const OperatorSetup&,
                                        const Division&, int, int, std::size_t, double);

}  // namespace ptyle
