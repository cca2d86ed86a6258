#pragma once

// From the configuration to a fit that can be iterated:
//
//   1. the device is chosen
//   2. the data are opened and calibrated, positions and object are divided among the ranks, and
//      each reads the patterns that it keeps (open_experiment, divide)
//   3. the operator is made, in the memory that there is
//   4. object and probe start as the configuration says, or as a checkpoint has them

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/ledger.hpp"
#include "operator/gpu.hpp"
#include "prepare/distribution.hpp"
#include "session/division.hpp"
#include "session/patterns_in_memory.hpp"
#include "session/rank_memory.hpp"
#include "session/reconstruction.hpp"
#include "session/resumption.hpp"
#include "solver/fit.hpp"

namespace ptyle {

/// A checkpoint to resume from is there, in the same folder for all ranks, which ask together.
/// Throws UserError where only some find it.
bool finds_checkpoint(const std::string& folder, Team& team);

/// A fit, and all that it refers to.
template <class T>
class OpenFit {
 public:
  /// All ranks of the team together. What is given must outlive it, but for `patterns`, which stand
  /// for data.file (none: nullptr). `measured`: the orientation was (session/fitted_optics), and no
  /// guess warns of it. Throws UserError.
  OpenFit(const ReconstructConfig& config, const ReconstructCallbacks& callbacks, Team& team,
          const PatternsInMemory* patterns, bool measured = false);
  OpenFit(const OpenFit&) = delete;
  OpenFit& operator=(const OpenFit&) = delete;
  ~OpenFit() = default;

  /// Said by the process that leads alone.
  void log(const std::string& line) const;
  void warn(const std::string& line) const;
  /// From object pixel [0, 0], Å (px in pixel units).
  [[nodiscard]] std::vector<Position> positions_at_start() const;
  [[nodiscard]] std::vector<Position> positions() const;
  /// The numbers of a record of the fit, position after position, on all ranks; empty where the fit
  /// has no such.
  [[nodiscard]] std::vector<double> records(const std::string& name) const;
  /// The given one, or its processes in another order, so that tiles of a node form blocks.
  [[nodiscard]] Team& team() const { return placed_ ? *placed_ : team_; }

  const ReconstructConfig& config;
  const ReconstructCallbacks& callbacks;

 private:
  Team& team_;
  std::unique_ptr<Team> placed_;  // none: as given

 public:
  Ledger ledger, gpu_ledger;  ///< of the host's memory, and of the GPU's
  Experiment experiment;
  std::optional<Division> division;  ///< of the positions, once they are known
  History history;                   ///< of the run that is resumed

 private:
  Kept kept(std::span<const Position> positions, i64 window, double pixel);
  void place_tiles(const Mesh& mesh);
  [[nodiscard]] std::shared_ptr<Scratch> scratch_for(double bytes) const;
  void take_device();
  void open_data(const PatternsInMemory* patterns, bool measured);
  void warn_of_orientation();
  void log_division() const;
  void log_settings(const FitOptions& options) const;
  TileStart<T> start_of(const Box& box);
  Array<Complex<T>, 3> first_probe();
  FitData<T> fit_data();
  Fit<T> make_fit();
  std::unique_ptr<Operator<T>> operator_on_cpu(const OperatorSetup& setup);
  void check_memory(double arrays) const;
  std::unique_ptr<Operator<T>> operator_on_gpu(const OperatorSetup& setup, i64 batches);

  int threads_;
  std::unique_ptr<Memory> gpu_;  // none: on the CPU
  GpuFacts gpu_facts_;           // what of it is this rank's
  bool gpu_shared_ = false;
  bool start_noted_ = false;              // what became of an earlier result's states
  std::optional<Checkpoint> checkpoint_;  // to resume from
  Array<T, 2> valid_;

 public:
  std::unique_ptr<Fit<T>> fit;  ///< gone before what it refers to
};

}  // namespace ptyle
