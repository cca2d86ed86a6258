#pragma once

// How the object moves by the gradients of a mini-batch.

#include <array>
#include <memory>
#include <string>

#include "solver/penalties/penalty.hpp"
#include "solver/variables/object.hpp"

namespace ptyle {

/// A mini-batch whose gradients are summed, and what a rule may ask about the object there. Sums
/// and costs are those of all ranks.
template <class T>
struct Trial {
  Workspace<T>& with;
  ObjectVariable<T>& object;
  const Batch& batch;
  const Penalties<T>& penalties;
  double share = 0;  ///< of the penalties, that the mini-batch has
  double cost = 0;  ///< of the batch at the object as it is, with its share of the penalties; known
                    ///< where `batch.estimate` says so

  /// Takes the gradient's sums to all copies of a voxel, where ranks have them on cores alone.
  void fill_copies() const;
  /// Half the second derivative of the mini-batch's share of the penalties by one voxel.
  [[nodiscard]] double penalty() const;
  /// Cost of the batch with another object in place of this one.
  [[nodiscard]] double cost_of(const Volumes<T>& volumes) const;
  /// Half the second derivative of the cost of these positions of the mini-batch along a direction
  /// (operator.hpp), with as large a part of the mini-batch's share of the penalties.
  [[nodiscard]] double curvature(const std::vector<i64>& positions,
                                 const Volumes<T>& direction) const;
  /// The Gauss-Newton matrix of the mini-batch's cost (operator.hpp), with its share of the
  /// penalties, times a direction, which all copies have. `product`, on the tiles' boxes, is summed
  /// as the gradient is, with slices binned as the stage says; cores have it.
  void product(const Volumes<T>& direction, const Volumes<T>& product) const;
};

/// The least and the largest value of a volume's voxels.
template <class T>
std::array<double, 2> limits_of(const FitOptions& options, const Volumes<T>& object,
                                const Field<T>& field);

/// Limits that leave out 0 would move what lies outside the object's support: back to vacuum.
template <class T>
void keep_vacuum(const Workspace<T>& with, std::size_t tile, const std::array<double, 2>& limits,
                 View<T, 3> moved) {
  if (limits[0] > 0 || limits[1] < 0) with.blank(tile, moved);
}

/// V ← V − step·d within the limits, d in the place of the gradient; or, with `into_direction`,
/// into the place of d.
template <class T>
void move_object(const Trial<T>& trial, double step, bool into_direction);
/// All slices of the stage's blocks get what their first has.
template <class T>
void untie(const Workspace<T>& with, const Volumes<T>& volumes);

template <class T>
class UpdateRule {
 public:
  virtual ~UpdateRule() = default;
  /// Its fields and numbers: momenta and the like.
  virtual void declare(State<T>& state) = 0;
  /// Moves the object; gradients may be overwritten.
  virtual void step(const Trial<T>& trial) = 0;
  /// Does it ask now and then for a mini-batch on which it estimates its step?
  [[nodiscard]] virtual bool estimates() const { return false; }
  /// The factor of the direction that is in use, as reported.
  [[nodiscard]] virtual double step_in_use(const Workspace<T>& with) const = 0;
  /// The cost stood still over an iteration although all is free: smaller steps average over more
  /// mini-batches, whose noise each step fits for itself.
  virtual void settle() {}
  /// Passes through the data that an iteration takes, at most, beside the estimates.
  [[nodiscard]] virtual double passes_an_iteration() const { return 1; }
  /// Is every mini-batch to be the whole scan, and by which key was that asked for? Empty: no.
  [[nodiscard]] virtual std::string whole_scan_for() const { return {}; }
  /// Does it ask for products (Trial::product), for which operators keep memory ready?
  [[nodiscard]] virtual bool needs_products() const { return false; }
  /// Does its step go through the positions of the mini-batch by itself, one after the other, and
  /// move object and probe by each? No gradients are computed then, and no other variable moves:
  /// for one rank, without what the cost of a mini-batch is needed for (check_options).
  [[nodiscard]] virtual bool by_position() const { return false; }
  /// Its last step went back behind the one before, which had not lowered the cost: the iteration's
  /// cost is that of an object that is given up.
  [[nodiscard]] virtual bool took_back() const { return false; }
  /// No step is to come: one that the next cost would have judged is judged now, on the whole scan.
  virtual void end(const Trial<T>& /*trial*/) {}
  /// How far from a voxel it looks, px, and the key that says so.
  [[nodiscard]] virtual i64 reach() const { return 0; }
  [[nodiscard]] virtual std::string key() const { return "solver.rule"; }
  /// Bytes accounted as "transfer" beside its fields, on a rank with this core.
  [[nodiscard]] virtual double other_bytes(const OperatorSetup& /*setup*/, const Box& /*core*/,
                                           int /*threads*/) const {
    return 0;
  }
  /// Another than the rule has moved the object since its last step.
  virtual void object_moved() {}
};

}  // namespace ptyle
