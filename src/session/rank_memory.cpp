#include "session/rank_memory.hpp"

#include <algorithm>
#include <iterator>
#include <numeric>

#include "device/arithmetic.hpp"
#include "prepare/pattern_store.hpp"
#include "session/write_object.hpp"
#include "session/write_result.hpp"
#include "solver/fit.hpp"
#include "solver/states.hpp"
#include "solver/vacuum.hpp"

namespace ptyle {

namespace {

using Bytes = std::map<std::string, double>;

template <class T>
FitMemory memory_of_fit(const ReconstructConfig& config, const OperatorSetup& setup,
                        const Division& division, int rank, int threads, bool device = false) {
  FitOptions options;  // these decide which arrays a fit has
  options.threads = threads;
  set_exchange(options, config.ranks);
  options.parts = settled_parts(config, division);
  const auto& own = division.shares[static_cast<std::size_t>(rank)].own;
  return fit_memory<T>(setup, options, division.sharing, rank, std::ssize(own), device);
}

/// Objects, gradients, probe and the exchanges' buffers: what lives where a rank computes.
template <class T>
Bytes arrays_of_fit(const FitMemory& fit, const ReconstructConfig& config,
                    const OperatorSetup& setup, const Division& division, int rank) {
  Bytes bytes = fit.arrays;
  const Box tile = division.sharing.mesh.extended(rank);
  const bool partly_dark =
      !division.partly_dark.empty() && division.partly_dark[static_cast<std::size_t>(rank)];
  if (partly_dark || !config.parts.of<VacuumOptions>().regions.empty())
    bytes["object"] += double(tile.area());  // of its support's mask
  bytes["exchange buffers"] =
      double(sizeof(T)) * halo_buffer_values(division.sharing, rank,
                                             exchanged_planes(setup.planes(), setup.absorption));
  return bytes;
}

/// The lists of all positions, with the groups that division and fit share.
double bytes_of_positions(const Division& division) {
  return double(bytes_a_position) * double(division.frame.positions.size()) +
         double(sizeof(int)) * double(division.group_of ? division.group_of->size() : 0);
}

void add_to(Bytes& bytes, const Bytes& more) {
  for (const auto& [name, value] : more) bytes[name] += value;
}

/// Patterns, positions, what variables have and what a checkpoint holds, which are on the host
/// wherever it computes.
template <class T>
void add_data(RankMemory& memory, const FitMemory& fit, const ReconstructConfig& config,
              const Division& division, int rank, std::size_t bytes_a_pattern, double budget) {
  const PositionShare& share = division.shares[static_cast<std::size_t>(rank)];
  const auto pattern = double(bytes_a_pattern);
  const i64 most =
      division.most_that_come.empty() ? 0 : division.most_that_come[static_cast<std::size_t>(rank)];
  const i64 first = most > 0 ? patterns_a_block : 0;  // they come before others leave
  memory.may_come = pattern * double(std::max<i64>(0, most - first));
  Bytes& bytes = memory.bytes;
  const double patterns = pattern * double(std::ssize(share.own) + std::ssize(share.extra));
  if (patterns_on_disk<T>(config, division, rank, patterns, budget)) {
    memory.on_disk = patterns;
    memory.may_come = 0;
    bytes["patterns"] = double(Scratch::resident);
  } else {
    bytes["patterns"] = patterns + pattern * double(first);
  }
  add_to(bytes, fit.others);
  bytes["positions"] += bytes_of_positions(division);
  if (!config.output.folder.empty())
    bytes["result"] = gathering_bytes(std::ssize(division.frame.positions));
  if (!writes_while_computing(config)) return;
  bytes["checkpoint"] = fit.saved;
}

/// The most that the host has for a moment: a variable's, or of calls of the operator, which take
/// so many bytes there, that of a gradient.
Bytes largest_moment(const FitMemory& fit, double call) {
  const double along = fit.along_probe > 0 ? fit.along_probe + call : 0;
  const double of_variable = std::max(fit.moment, along);
  if (of_variable == 0 && call == 0) return {};
  return of_variable > call ? Bytes{{"probe", of_variable}} : Bytes{{"gradient patches", call}};
}

/// While result.h5 is written, and the files that are made of it, when the fit is gone. What is not
/// saved has gone before.
void add_writing(RankMemory& memory, const ReconstructConfig& config, const OperatorSetup& setup,
                 const FitMemory& fit, const Division& division, int rank, bool on_gpu) {
  if (config.output.folder.empty()) return;
  const ObjectFrame& frame = division.frame;
  const std::array<i64, 3> object{setup.slices, frame.rows, frame.cols};
  const WritingMemory files =
      writing_memory(object, setup.absorption, setup.probe_modes(), setup.window,
                     static_cast<i64>(frame.positions.size()),
                     {.pictures = config.output.pictures, .tiff = config.output.tiff});
  const auto writers = writing_ranks(division.sharing.mesh.ranks());
  const bool writes = std::find(writers.begin(), writers.end(), rank) != writers.end();
  Bytes& bytes = memory.writing;
  if (on_gpu)
    bytes["checkpoint"] = fit.saved;  // copies, should the result not be written
  else
    bytes = fit.kept;
  bytes["positions"] += bytes_of_positions(division);
  bytes["result"] =
      (rank == 0 ? files.result : 0) +
      object_writing_bytes(division.sharing.mesh, rank,
                           {object, setup.absorption, config.parts.of<StatesOptions>().shares()});
  const double copies = rank == 0 ? files.copies : writes ? files.share : 0;
  if (copies > sum_of(bytes)) bytes = {{"result", copies}};
}

std::array<i64, 3> tile_shape(const OperatorSetup& setup, const Division& division, int rank) {
  const Box box = division.sharing.mesh.extended(rank);
  return {setup.planes(), box.rows.size(), box.cols.size()};
}

}  // namespace

double sum_of(const std::map<std::string, double>& bytes) {
  return std::accumulate(bytes.begin(), bytes.end(), 0.0,
                         [](double sum, const auto& entry) { return sum + entry.second; });
}

const std::map<std::string, double>& RankMemory::at_the_peak() const {
  const auto& later = sum_of(writing) > sum_of(bytes) ? writing : bytes;
  return sum_of(starting) > sum_of(later) ? starting : later;
}
double RankMemory::total() const { return program + sum_of(at_the_peak()); }
double RankMemory::gpu_total() const { return sum_of(gpu); }

bool writes_while_computing(const ReconstructConfig& config) {
  return config.output.checkpoint_every > 0 || config.output.minutes_between_checkpoints() > 0;
}

double memory_budget(const ReconstructConfig& config, int processes_on_node, double program) {
  if (config.solver.memory > 0) return std::max(0.0, config.solver.memory * 1e9 - program);
  return 0.8 * double(machine_memory_bytes()) / processes_on_node;
}

double memory_budget(const ReconstructConfig& config, int processes_on_node, const Ledger& ledger) {
  const std::size_t program = ledger.program(), most = std::max(ledger.most(), program);
  return std::min(memory_budget(config, processes_on_node, double(program)),
                  double(most - program));
}

template <class T>
bool patterns_on_disk(const ReconstructConfig& config, const Division& division, int rank,
                      double bytes, double budget) {
  constexpr double arrays = 4;
  const Box tile = division.sharing.mesh.extended(rank);
  const i64 planes = config.parts.of<StatesOptions>().states * config.object.slices;
  const double object =
      double(sizeof(T)) * double(planes * tile.area()) * (config.object.absorbs() ? 2 : 1);
  return bytes > double(Scratch::resident) && 2 * bytes > budget - arrays * object;
}

template <class T>
RankMemory rank_memory(const ReconstructConfig& config, const OperatorSetup& setup,
                       const Division& division, int rank, int threads, std::size_t bytes_a_pattern,
                       double budget) {
  RankMemory memory;
  const FitMemory fit = memory_of_fit<T>(config, setup, division, rank, threads);
  memory.bytes = arrays_of_fit<T>(fit, config, setup, division, rank);
  add_data<T>(memory, fit, config, division, rank, bytes_a_pattern, budget);
  add_to(memory.bytes, largest_moment(fit, cpu_call_memory<T>(setup)));
  const auto left = static_cast<std::size_t>(std::max(0.0, budget - sum_of(memory.bytes)));
  const auto shape = tile_shape(setup, division, rank);
  memory.options = choose_cpu_options<T>(setup, threads, shape, left);
  for (const auto& entry : cpu_operator_memory<T>(setup, threads, shape, memory.options))
    memory.bytes[entry.name] += double(entry.now);
  add_writing(memory, config, setup, fit, division, rank, false);
  return memory;
}

template <class T>
void add_starting(RankMemory& memory, const OperatorSetup& setup, const Division& division,
                  int rank, double start_probe) {
  const auto shape = tile_shape(setup, division, rank);
  const double voxels = double(shape[0] * shape[1] * shape[2]) * (setup.absorption ? 2 : 1);
  const i64 modes = setup.modes_of_a_state();
  Bytes& bytes = memory.starting;
  bytes = {{"patterns", memory.bytes.at("patterns")},
           {"positions", memory.bytes.at("positions")},
           {"object", sizeof(T) * voxels},
           // The probe has all modes in double precision at the end, and then beside them in T.
           {"probe",
            std::max(start_probe, wave_bytes<double>(setup, modes) + wave_bytes<T>(setup, modes))}};
  if (!memory.gpu.empty()) return;
  for (const auto& entry : cpu_operator_memory<T>(setup, 1, shape, memory.options))
    if (entry.name != "transmission" && entry.name != "waves" && entry.name != "gradient patches")
      bytes[entry.name] += double(entry.now);
}

double usable(const GpuFacts& gpu) { return 0.95 * double(gpu.free_bytes); }

template <class T>
RankMemory gpu_rank_memory(const ReconstructConfig& config, const OperatorSetup& setup,
                           const Division& division, int rank, std::size_t bytes_a_pattern,
                           i64 batches, const GpuFacts& gpu, double budget) {
  RankMemory memory;
  const FitMemory fit = memory_of_fit<T>(config, setup, division, rank, 1, true);
  add_data<T>(memory, fit, config, division, rank, bytes_a_pattern, budget);
  add_to(memory.bytes, largest_moment(fit, 0));
  add_writing(memory, config, setup, fit, division, rank, true);
  Bytes arrays = arrays_of_fit<T>(fit, config, setup, division, rank);
  const auto shape = tile_shape(setup, division, rank);
  if (division.sharing.mesh.ranks() > 1) {  // what travels goes through the host
    memory.bytes["exchange buffers"] = arrays["exchange buffers"];
    memory.bytes["gradient"] = arrays["probe"];
  }
  if (config.parts.of<BlurOptions>().asked() || config.solver.continuation != Switch::off)
    arrays["blur"] = double(sizeof(T)) * double(blur_values(shape));
  const auto with = [&](i64 positions, std::size_t pattern, const GpuFacts& facts,
                        const GpuOptions& options) {
    Bytes all = arrays;
    for (const auto& entry :
         gpu_operator_memory<T>(setup, shape, positions, pattern, facts, options))
      all[entry.name] += double(entry.now);
    return all;
  };
  const auto least_of = [&](GpuOptions options) {
    options.memory = 1;
    return sum_of(with(1, 0, gpu, options));
  };
  memory.gpu_least = least_of(memory.gpu_options);
  if (memory.gpu_least > usable(gpu) && is_unitary(setup)) {
    memory.gpu_options.waves = WaveStorage::recompute;
    memory.gpu_least = least_of(memory.gpu_options);
  }
  GpuFacts left = gpu;
  const auto taken = static_cast<std::size_t>(sum_of(arrays));
  left.free_bytes = gpu.free_bytes > taken ? gpu.free_bytes - taken : 0;
  const PositionShare& share = division.shares[static_cast<std::size_t>(rank)];
  const auto positions = static_cast<i64>(share.own.size() + share.extra.size());
  memory.gpu =
      with(std::max<i64>(1, (positions + batches - 1) / batches), 0, left, memory.gpu_options);
  memory.gpu["patterns"] = with(positions, bytes_a_pattern, left, memory.gpu_options)["patterns"];
  return memory;
}

template bool patterns_on_disk<float>(const ReconstructConfig&, const Division&, int, double,
                                      double);
template bool patterns_on_disk<double>(const ReconstructConfig&, const Division&, int, double,
                                       double);

template RankMemory rank_memory<float>(const ReconstructConfig&, const OperatorSetup&,
                                       const Division&, int, int, std::size_t, double);
template RankMemory rank_memory<double>(const ReconstructConfig&, const OperatorSetup&,
                                        const Division&, int, int, std::size_t, double);

template void add_starting<float>(RankMemory&, const OperatorSetup&, const Division&, int, double);
template void add_starting<double>(RankMemory&, const OperatorSetup&, const Division&, int, double);

template RankMemory gpu_rank_memory<float>(const ReconstructConfig&, const OperatorSetup&,
                                           const Division&, int, std::size_t, i64, const GpuFacts&,
                                           double);
template RankMemory gpu_rank_memory<double>(const ReconstructConfig&, const OperatorSetup&,
                                            const Division&, int, std::size_t, i64, const GpuFacts&,
                                            double);

}  // namespace ptyle
