#pragma once

// One rank's share of a fit. Its arrays live where the fit's arithmetic says.

#include <vector>

#include "core/array.hpp"
#include "core/box.hpp"
#include "device/arithmetic.hpp"
#include "exchange/exchange.hpp"
#include "operator/operator.hpp"

namespace ptyle {

/// What a group's gradients are summed into; afterwards, in place, the direction of the step.
template <class T>
struct Accumulators {
  Accumulators() = default;
  Accumulators(std::array<i64, 3> shape, bool with_absorption, const Arithmetic<T>& arithmetic);
  void clear(Arithmetic<T>& arithmetic);
  [[nodiscard]] ObjectView<T> view() const { return {phase.view(), absorption.view()}; }
  /// The volumes that there are: phase and, if fitted, absorption.
  [[nodiscard]] std::vector<View<T, 3>> volumes();
  Array<T, 3> phase, absorption;
  Array<T, 2> illumination;
};

template <class T>
struct Tile {
  Box core, box;  // `box`: the extended tile, which the arrays cover
  std::vector<i64> own,
      extra;  // global numbers of positions; extra: neighbours', for voxel schemes
  Array<T, 3> phase, absorption;
  Accumulators<T> sums;
  // Only where a fit has steps between exchanges, or an exchange behind the next group:
  Array<T, 3> synced_phase, synced_absorption;  // the object that all copies agree on
  Accumulators<T> other;  // the gradient of a local step, or the sums that are on their way
  Array<T, 2> lit;        // the illumination of the last exchange

  [[nodiscard]] ObjectView<T> object() const { return {phase.view(), absorption.view()}; }
  [[nodiscard]] std::vector<View<T, 3>> volumes();
  /// A box of the object in the arrays' own pixels.
  [[nodiscard]] Box on_arrays(const Box& part) const;
  /// Keeps the object as the one that all copies agree on; and takes that one again.
  void remember(Arithmetic<T>& arithmetic);
  void recall();
};

/// The first slices of the blocks, and the plane after them.
template <class T>
Stack<T> tied_planes(Accumulators<T>& sums, i64 block, bool illumination);

}  // namespace ptyle
