#pragma once

// The memory that a rank will allocate, name by name, before it does: for `plan`, and for the
// choice of how waves are kept.

#include <map>
#include <string>

#include "operator/gpu.hpp"
#include "session/config.hpp"
#include "session/settings.hpp"

namespace ptyle {

struct RankMemory {
  /// Bytes on the host, by the ledger's names, at the peaks: of the fit; of writing its result,
  /// when most of the fit's memory is free again; and of the probe's start, before most of it is
  /// there, which plans alone know (add_starting).
  std::map<std::string, double> bytes, writing, starting;
  double on_disk = 0;  ///< of patterns; 0: memory holds them
  CpuOptions options;  ///< how waves and transmission are kept there
  /// Patterns that may be handed over to it as positions move, at most, beside the block of them
  /// that is counted; in no other figure, as about as many leave it.
  double may_come = 0;
  double program = 0;                  ///< of the process itself, where that is known; in total()
  [[nodiscard]] double total() const;  ///< at the largest peak
  [[nodiscard]] const std::map<std::string, double>& at_the_peak() const;  ///< its names
  // For a rank that computes on a GPU:
  std::map<std::string, double> gpu;  ///< the same of its memory; empty: it computes on the host
  double gpu_least = 0;               ///< what it cannot do without: a position at a time
  GpuOptions gpu_options;             ///< how waves are kept there
  [[nodiscard]] double gpu_total() const;
};

double sum_of(const std::map<std::string, double>& bytes);

/// The memory of one rank (of those in one process: they share operator and probe). `budget`: bytes
/// that it may use; waves are kept in what the rest leaves of it.
template <class T>
RankMemory rank_memory(const ReconstructConfig& config, const OperatorSetup& setup,
                       const Division& division, int rank, int threads, std::size_t bytes_a_pattern,
                       double budget);

/// The same of a rank that computes on a GPU, of whose memory `gpu.free_bytes` are its own,
/// `batches` an iteration.
template <class T>
RankMemory gpu_rank_memory(const ReconstructConfig& config, const OperatorSetup& setup,
                           const Division& division, int rank, std::size_t bytes_a_pattern,
                           i64 batches, const GpuFacts& gpu, double budget);

/// Do so many bytes of a rank's patterns lie on the disk? They do where they would take more than
/// half of what four arrays as large as its object leave of the budget.
template <class T>
bool patterns_on_disk(const ReconstructConfig& config, const Division& division, int rank,
                      double bytes, double budget);

/// Bytes that a process of several ranks has before it allocates anything, beyond those of one
/// alone: MPI's own.
inline constexpr double mpi_bytes = 8e6;

/// Bytes of a GPU's free memory that a run may take: cuFFT and the driver need some, too.
double usable(const GpuFacts& gpu);

/// The peak of the start, of whose probe so many bytes are known (start_probe_bytes).
template <class T>
void add_starting(RankMemory& memory, const OperatorSetup& setup, const Division& division,
                  int rank, double start_probe);

/// Checkpoints are asked for while the run goes on, which needs copies of what they hold.
bool writes_while_computing(const ReconstructConfig& config);

/// The bytes that arrays of a rank may take: what `program` bytes of its process leave of
/// solver.memory; else of 0.8 of a process's part of the machine's memory.
double memory_budget(const ReconstructConfig& config, int processes_on_node, double program);
/// The same of a run, which may not need more than its ledger has free.
double memory_budget(const ReconstructConfig& config, int processes_on_node, const Ledger& ledger);

}  // namespace ptyle
