#pragma once

// The object, put together from the cores of all tiles, some rows at a time, so that no rank holds
// the whole of it, nor a slice.

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/array.hpp"
#include "core/box.hpp"
#include "exchange/delivery.hpp"
#include "exchange/team.hpp"
#include "session/slabs.hpp"
#include "solver/fit.hpp"
#include "tiles/mesh.hpp"

namespace ptyle {

/// Numbers that a rank holds while slabs of the object are put together: of its core those that it
/// sends to others, and, where it writes, a slab and what comes for it.
i64 stitching_values(const Mesh& mesh, int rank, const Slabs& slabs, std::span<const int> writers);

/// Puts slabs together on some of the ranks, the writers, one on each at a time. Every process of
/// the team makes and calls it, and they agree (session/agreement) between two calls: so what is on
/// its way, and waits where it is not expected yet, is one slab a writer at most.
template <class T>
class Stitcher {
 public:
  /// Makes the buffers, accounted as "result". Throws NotWritten (session/agreement), on all, where
  /// one has no memory for them. All that is given must outlive it.
  Stitcher(Team& team, const Mesh& mesh, const Fit<T>& fit, const Slabs& slabs,
           std::vector<int> writers, Ledger* ledger = nullptr);

  /// Slab k of a field on the object, "phase" say, goes to the k-th writer. (rows, columns) on a
  /// process that gets one, until the next call; elsewhere empty. 0 where no core lies.
  View<const float, 2> gather(const std::string& name, std::span<const Slab> slabs);
  /// The number of this process among the writers; −1: it is none.
  [[nodiscard]] int writer() const { return writer_; }

 private:
  [[nodiscard]] std::vector<Box> expect(Interval rows);
  [[nodiscard]] float* place_of(const Box& part, Interval rows);

  const Mesh& mesh_;
  const Fit<T>& fit_;
  const int rank_;  // of this process, its first
  std::vector<int> writers_;
  int writer_ = -1;
  std::unique_ptr<Delivery> delivery_;  // none where all ranks are in this process
  Array<float, 1> slab_, come_, leave_;
};

}  // namespace ptyle
