#pragma once

// One rank's share of a fit, and what is done to it voxel by voxel.

#include <vector>

#include "core/array.hpp"
#include "core/ledger.hpp"
#include "exchange/exchange.hpp"
#include "operator/operator.hpp"
#include "tiles/box.hpp"

namespace ptyle {

/// What a group's gradients are summed into; afterwards, in place, the direction of the step.
template <class T>
struct Accumulators {
  Accumulators() = default;
  Accumulators(std::array<i64, 3> shape, bool with_absorption, Ledger* ledger);
  void clear();
  [[nodiscard]] ObjectView<T> view() const { return {phase.view(), absorption.view()}; }
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
  /// Keeps the object as the one that all copies agree on; and takes that one again.
  void remember();
  void recall();
};

/// Each block of slices' mean into its first slice; and first slices copied over their block.
template <class T>
void tie_slices(View<T, 3> volume, i64 block, int threads);
template <class T>
void untie_slices(View<T, 3> volume, i64 block, int threads);
/// The first slices of the blocks, and the plane after them.
template <class T>
Stack<T> tied_planes(Accumulators<T>& sums, i64 block, bool illumination);

/// d = g / (window2 (illumination + floor)) in the first slices of blocks, within `region` (in the
/// object's coordinates); `illumination` empty: 0. Returns Σ g·d over the core, every slice of a
/// block counted.
template <class T>
double precondition(View<T, 3> gradient, View<const T, 2> illumination, const Tile<T>& tile,
                    const Box& region, i64 block, double window2, double floor, int threads);

/// to = from − step·d, within the limits; `to` may be `from` or `d`.
template <class T>
void move_along(View<const T, 3> from, View<const T, 3> d, double step, double low, double high,
                View<T, 3> to, int threads);
/// to = from − step·g / (window2 (lit + floor)), the same; `lit` empty: divided by window2 alone.
template <class T>
void move_preconditioned(View<const T, 3> from, View<const T, 3> g, View<const T, 2> lit,
                         double window2, double floor, double step, double low, double high,
                         View<T, 3> to, int threads);
/// to = from + share·(to − from)
template <class T>
void draw_back(View<const T, 3> from, double share, View<T, 3> to, int threads);
/// to += from
template <class T>
void add_to(View<const T, 3> from, View<T, 3> to, int threads);

}  // namespace ptyle
