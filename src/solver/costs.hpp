#pragma once

// The costs of an iteration's mini-batches. They lie where the fit's arrays do until the host is
// reported, so that it need not wait for a device.

#include "core/array.hpp"
#include "device/arithmetic.hpp"
#include "exchange/team.hpp"
#include "operator/operator.hpp"
#include "solver/state.hpp"

namespace ptyle {

template <class T>
class Costs {
 public:
  Costs(Team& team, Arithmetic<T>& arithmetic, State<T>& state);

  /// Room for so many mini-batches, of which those from `next` on are to come.
  void begin(std::size_t batches, std::size_t next);
  /// A mini-batch's three numbers (operator.hpp); of own positions, or of neighbours'.
  [[nodiscard]] View<double, 1> of(std::size_t batch, bool own);
  /// Takes the costs of the mini-batches before `end`, summed over the ranks. Returns the last
  /// one's, with what neighbours' positions cost. Waits for a device.
  double report(std::size_t end);

  /// The iteration's misfit so far.
  [[nodiscard]] Misfit so_far() const { return {cost_, r_numerator_, r_denominator_}; }
  /// This process has computed so many positions once more: a gradient, a cost or a curvature of
  /// one counts as 1, a product with JᵀJ as 1.5. What only judges the fit does not count.
  void count(double positions) { counted_here_ += positions; }
  /// Those of all ranks, in the iteration so far.
  [[nodiscard]] double computed() const { return computed_; }
  void forget() { cost_ = r_numerator_ = r_denominator_ = computed_ = 0; }

 private:
  Team& team_;
  Arithmetic<T>& arithmetic_;
  double &cost_, &r_numerator_, &r_denominator_, &computed_;
  Array<double, 1> misfits_;  // (mini-batch, own positions or a neighbour's, 3)
  std::size_t told_ = 0;      // mini-batches that are in so_far()
  double counted_here_ = 0;   // since the last report
};

}  // namespace ptyle
