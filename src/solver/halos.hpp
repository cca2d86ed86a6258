#pragma once

// The exchange between tiles after a mini-batch: sums of gradients, values of cores to all their
// copies, or voxels (solver/sharing says which).

#include <memory>
#include <vector>

#include "core/array.hpp"
#include "core/ledger.hpp"
#include "device/arithmetic.hpp"
#include "exchange/team.hpp"
#include "solver/sharing.hpp"

namespace ptyle {

template <class T>
class Halos {
 public:
  /// `planes`: the most that are exchanged together. The arithmetic, of where the tiles live, must
  /// outlive it; `ledger` accounts for what it holds on the host.
  Halos(Team& team, const Sharing& sharing, i64 planes, Arithmetic<T>& arithmetic, Ledger* ledger);

  /// Gradients are summed over the ranks; else voxels are exchanged.
  [[nodiscard]] bool sums() const { return sum_kind(sharing_.scheme).has_value(); }
  /// After a sum, only cores have the total; else all copies have it.
  [[nodiscard]] bool on_cores_only() const {
    return sharing_.scheme == Scheme::owner && team_.size() > 1;
  }

  /// The stacks of all ranks of this process, by rank. Bitwise equal copies afterwards.
  Running start_sum(std::span<const Stack<T>> tiles);
  /// Takes the values of cores to their copies, as far as `reach` pixels from the core; −1: to all.
  void fill(std::span<const Stack<T>> tiles, i64 reach = -1);
  /// Makes copies of voxels agree, as the scheme says.
  void exchange_voxels(std::span<const Stack<T>> tiles);
  /// No exchange is to come: their buffers go.
  void give_up();
  /// The largest difference of a copy from the value of the core it is a copy of, over all ranks.
  double spread(std::span<const Stack<T>> tiles);

 private:
  std::unique_ptr<Exchange<T>> make(Schedule schedule, i64 planes) const;
  void weigh(std::span<const Stack<T>> tiles);

  Team& team_;
  Sharing sharing_;
  i64 planes_;
  Arithmetic<T>* arithmetic_;
  Ledger* ledger_;
  std::unique_ptr<Exchange<T>> sum_, fill_, near_fill_, plane_fill_;
  i64 reach_ = -1;  // of near_fill_
};

/// Planes that are exchanged together at most: gradients and the illumination.
constexpr i64 exchanged_planes(i64 slices, bool absorption) {
  return slices * (absorption ? 2 : 1) + 1;
}

/// Values that the exchanges of one rank's Halos hold in buffers, but for the low-pass's.
double halo_buffer_values(const Sharing& sharing, int rank, i64 planes);

}  // namespace ptyle
