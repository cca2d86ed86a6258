#pragma once

// A variable is something that a fit finds: the object, the probe, ... It owns fields of the state,
// says which gradients it needs, and moves by them. In every mini-batch
//
//   1. begin        on every variable: its gradient is nothing yet
//   2. ask          tile by tile, before the operator computes: where its gradients are to go
//   3. start_sum    over the ranks, once all tiles are done; one sum is under way at a time,
//                   which is the probe's
//   4. step         waits for the sum, or sums by itself, and moves

#include <map>
#include <span>
#include <string>

#include "operator/operator.hpp"
#include "solver/workspace.hpp"

namespace ptyle {

/// The positions of a mini-batch that a tile has for its own, ascending.
struct Members {
  std::size_t tile = 0;
  std::span<const i64> positions;
};

/// Bytes on the host that a variable books beside its fields.
struct OtherBytes {
  std::map<std::string, double> kept = {};  ///< by the ledger's names
  double moment = 0;         ///< "probe" at its peak within a call; one variable's at a time
  bool along_probe = false;  ///< the operator is meanwhile called with a change of the probe
};

template <class T>
class Variable {
 public:
  virtual ~Variable() = default;
  /// Its fields and numbers.
  virtual void declare(State<T>& state) = 0;
  /// Once the fields have their values: at the start, after a restore, and after records have
  /// changed hands.
  virtual void publish(Workspace<T>& /*with*/) {}
  virtual void begin(Workspace<T>& /*with*/, const Batch& /*batch*/) {}
  /// Adds what it wants of the operator's gradients at these members; rows of `sums` are theirs, in
  /// their order. Tiles without members are left out.
  virtual void ask(const Batch& /*batch*/, const Members& /*members*/, Wanted& /*wanted*/,
                   Gradient<T>& /*sums*/) {}
  virtual void start_sum(Workspace<T>& /*with*/, const Batch& /*batch*/) {}
  virtual void step(Workspace<T>& /*with*/, const Batch& /*batch*/) {}
  /// After the last mini-batch of an iteration, of which `batch` was one.
  virtual void end_iteration(Workspace<T>& /*with*/, const Batch& /*batch*/) {}
  /// Has it moved the object in the last end_iteration()?
  [[nodiscard]] virtual bool moved_object() const { return false; }
  /// It moves positions (Workspace::places) at the end of an iteration or in publish(): those that
  /// lie more than so many px outside their rank's core change hands then (solver/hand_over). −1:
  /// it moves none.
  [[nodiscard]] virtual i64 hand_over_margin() const { return -1; }
  /// How far from a voxel it looks, px.
  [[nodiscard]] virtual i64 reach() const { return 0; }
  /// The key that asks for it, as its user knows it; one that reaches has one.
  [[nodiscard]] virtual std::string key() const { return {}; }
  /// Does it need gradients that are summed over the ranks after each mini-batch?
  [[nodiscard]] virtual bool needs_sums() const { return false; }
  /// Does nothing of it happen without step()? Rules that go by position do not call it.
  [[nodiscard]] virtual bool needs_batches() const { return false; }
  /// Is it on its way, so that a cost that stands still means nothing? The object's steps are not
  /// made smaller meanwhile.
  [[nodiscard]] virtual bool still_finding() const { return false; }
  /// Those of a rank with so many positions of its own. `device`: the fields are not on the host.
  [[nodiscard]] virtual OtherBytes other_bytes(const OperatorSetup& /*setup*/, i64 /*positions*/,
                                               bool /*device*/) const {
    return {};
  }
  /// Would free slices take up what it is to find? The multi-resolution schedule keeps them binned
  /// until it has found it.
  [[nodiscard]] virtual bool needs_binned_slices() const { return false; }
  /// Did it stand still in the last iteration, and is to move in a later one?
  [[nodiscard]] virtual bool yet_to_move() const { return false; }
  /// Would a probe that is refined take up what it is to find? The probe is held until it has found
  /// it.
  [[nodiscard]] virtual bool needs_held_probe() const { return false; }
};

}  // namespace ptyle
