#pragma once

// A forecast of a reconstruction on so many ranks, without running it.

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "session/rank_memory.hpp"
#include "solver/batches.hpp"

namespace ptyle {

/// One way to exchange, for one synchronisation.
struct ExchangeOutlook {
  Scheme scheme = Scheme::owner;
  std::string refused;  ///< why it cannot run; empty: it can
  double bytes = 0;     ///< sent by the busiest rank
  i64 messages = 0;     ///< of that rank
  i64 hops = 0;         ///< messages that wait for each other
  double seconds = 0;   ///< with nothing computed meanwhile
  i64 positions = 0;    ///< that a rank fits at most, neighbours' rows included
};

/// The scan of a measurement, as plans of any number of ranks need it: made once for all of them.
class ScanToPlan {
 public:
  /// The experiment must outlive it.
  explicit ScanToPlan(const Experiment& experiment);
  [[nodiscard]] const Experiment& experiment() const { return experiment_; }
  [[nodiscard]] const ScanExtent& extent() const { return extent_; }  ///< Å (px in pixel units)
  /// On an object where positions may move by so many px.
  const ScanOnObject& with_margin(i64 margin);
  /// start_probe_bytes, of one configuration.
  double start_probe(const ProbeConfig& config);

 private:
  const Experiment& experiment_;
  ScanExtent extent_;
  std::map<i64, ScanOnObject> scans_;
  std::optional<double> start_probe_;
};

struct RanksOutlook {
  int ranks = 1;
  std::string refused;  ///< why so many cannot be; then nothing below is filled in
  Division division;
  int threads = 1;
  i64 least = 0, most = 0;            ///< positions of a rank
  i64 batches = 1;                    ///< mini-batches an iteration
  Load load;                          ///< of the ranks in the first iteration's
  std::array<i64, 2> largest_tile{};  ///< px, extended
  RankMemory memory;                  ///< of the rank that needs most where it computes
  double mean_memory = 0;             ///< bytes, where it computes
  double writing = 0;                 ///< of the host, of the first rank while it writes the result
  double first_rank = 0;              ///< of the host, of the first rank at its peak
  std::vector<ExchangeOutlook> exchanges;
  double computing = 0, exchanging = 0;  ///< s an iteration
  double summing_probe = 0;              ///< likewise, its gradient over all ranks; 0: not refined
  double read = 0, written = 0;          ///< bytes of patterns and of the result
};

/// Seconds that one position's gradient takes on one rank with this many threads, or on this GPU:
/// measured by a short calibration on this machine, some seconds.
double measure_position_seconds(const ReconstructConfig& config, const Experiment& experiment,
                                int threads, Memory* gpu = nullptr);

/// Ranks that compute on the CPU, or on such a GPU each, in a program that has so many bytes alone
/// and before it allocates anything. Throws nothing for a number of ranks that cannot be: `refused`
/// says why.
RanksOutlook plan_ranks(const ReconstructConfig& config, ScanToPlan& scan, int ranks, int threads,
                        double position_seconds, const GpuFacts* gpu = nullptr, double program = 0);
/// The same of one number of ranks alone.
RanksOutlook plan_ranks(const ReconstructConfig& config, const Experiment& experiment, int ranks,
                        int threads, double position_seconds, const GpuFacts* gpu = nullptr,
                        double program = 0);

/// Throws UserError where a rank's GPU has not the memory that it cannot do without, saying how
/// many ranks would have it.
void check_gpu_memory(const RankMemory& memory, const GpuFacts& gpu,
                      const ReconstructConfig& config, const Experiment& experiment, int ranks);

}  // namespace ptyle
