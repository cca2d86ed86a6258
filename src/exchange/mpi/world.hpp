#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "exchange/team.hpp"

namespace ptyle {

class Watchdog;
struct MpiHandle;

/// MPI from its start to its end, for a program's main, or processes of somebody else's MPI: one
/// thread (the one that made this) talks to it.
///
/// In a program all ranks end with one message if one fails: the rank that failed informs rank 0,
/// which looks for such news while it waits for others and gets it as an exception. Where rank 0 is
/// busy for too long, the one that failed prints and ends all ranks itself; where several failed,
/// the first of them.
///
/// As a guest, no process is ended and none is watched: the rank that failed informs all others,
/// which get RankFailed where they wait. The world is broken() then, and good for nothing.
class MpiWorld {
 public:
  /// Throws std::runtime_error if MPI does not start.
  MpiWorld(int& argc, char**& argv);
  /// A guest among the processes of a communicator, `communicator` pointing to its MPI_Comm; by all
  /// of them together. Throws std::runtime_error where MPI is not running or cannot be used.
  explicit MpiWorld(const void* communicator);
  MpiWorld(const MpiWorld&) = delete;
  MpiWorld& operator=(const MpiWorld&) = delete;
  /// A program's waits for all ranks: after an error that the others do not share, fail() instead.
  ~MpiWorld();

  [[nodiscard]] int rank() const { return rank_; }
  [[nodiscard]] int size() const { return size_; }
  [[nodiscard]] int processes_on_node() const { return on_node_; }
  /// This process's number among those of its machine.
  [[nodiscard]] int rank_on_node() const { return rank_on_node_; }
  /// By process: the lowest process of its node, or of those that have the same text in
  /// PTYLE_NODE, where all have one: a part of a machine, or several.
  [[nodiscard]] const std::vector<int>& nodes() const { return nodes_; }
  /// Messages may be sent from and received in a GPU's memory. As MPI says where it can be asked
  /// (MPIX_Query_cuda_support), or as the environment says: PTYLE_CUDA_AWARE_MPI=0 or =1.
  [[nodiscard]] bool takes_device_memory() const { return takes_device_memory_; }
  void take_device_memory(bool yes) { takes_device_memory_ = yes; }

  /// Ends all ranks with this status and one message, "ptyle: rank 3: …".
  [[noreturn]] void fail(int status, const std::string& sentence) const;
  /// On rank 0, the same for one that has failed.
  [[noreturn]] void fail(const RankFailed& other) const;
  /// As a guest: informs all others of a failure of this rank, of this status.
  void tell_others(int status, const std::string& sentence) const noexcept;
  [[nodiscard]] bool broken() const { return broken_; }
  /// To be called now and then while waiting: on rank 0, as a guest on all, throws RankFailed once
  /// another rank has failed; ends all where one stands still. Lets others use the processor.
  void watch() const;

  [[nodiscard]] Watchdog& watchdog() const { return *watchdog_; }
  [[nodiscard]] const MpiHandle& handle() const { return *handle_; }

  /// From now on sentences call each process by the rank that a team gives it.
  void call_ranks(std::span<const int> rank_of) const {
    called_.assign(rank_of.begin(), rank_of.end());
  }

  /// The cost of this process's exchanges and sums so far; they add to it.
  [[nodiscard]] TeamCosts& costs() const { return costs_; }

 private:
  void look_around();
  void tell_rank_0(int status, const std::string& sentence) const;
  [[noreturn]] void end(int rank, int status, const std::string& sentence) const;
  [[nodiscard]] int name_of(int process) const {
    return called_.empty() ? process : called_[static_cast<std::size_t>(process)];
  }
  const bool guest_;
  std::unique_ptr<MpiHandle> handle_;
  int rank_ = 0, size_ = 1, on_node_ = 1, rank_on_node_ = 0;
  bool takes_device_memory_ = false;
  std::vector<int> nodes_;
  mutable bool broken_ = false;
  mutable std::vector<int> called_;  // by process; empty: as MPI has them
  mutable TeamCosts costs_;
  std::unique_ptr<Watchdog> watchdog_;
};

/// MPI's own words about itself: "Open MPI v4.1.4, …".
std::string mpi_library();

}  // namespace ptyle
