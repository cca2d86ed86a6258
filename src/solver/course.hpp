#pragma once

// The course of a mini-batch on the ranks. The course of every fit by default:
//
//   1. each rank: gradients of all variables over its positions of the batch (operator)
//   2. the gradients' sums over the ranks begin to travel; the object's are summed (solver/halos)
//   3. the object moves by its rule; then the other variables, whose sums have arrived meanwhile
//
// A rule that goes by position (UpdateRule::by_position) is all of it.
//
// The paper's own schemes (solver/paper) are other courses, made of the same steps.

#include <memory>
#include <vector>

#include "solver/rules/descent.hpp"
#include "solver/variables/variable.hpp"

namespace ptyle {

/// The variables that a course moves, and their rule.
template <class T>
struct Movers {
  ObjectVariable<T>& object;
  std::vector<std::unique_ptr<Variable<T>>>& others;
  UpdateRule<T>& rule;
  const Penalties<T>& penalties;
};

template <class T>
class Course {
 public:
  Course(Workspace<T>& with, Movers<T> movers) : with_(with), movers_(movers) {}
  virtual ~Course() = default;
  Course(const Course&) = delete;
  Course& operator=(const Course&) = delete;

  virtual void take(const Batch& batch);
  /// Is an exchange still on its way, and copies not yet equal?
  [[nodiscard]] virtual bool under_way() const { return false; }
  /// Ends what is on its way.
  virtual void finish() {}
  /// Spent on the gradients of positions so far.
  [[nodiscard]] double seconds_of_gradients() const { return seconds_of_gradients_; }

 protected:
  /// 1. For all tiles.
  virtual void accumulate(const Batch& batch);
  /// 2. Of the object's gradients.
  virtual void sum_gradients();
  /// Copies of the object's voxels agree afterwards.
  virtual void after_step() {}

  void begin(const Batch& batch);
  /// The gradient of these positions of a tile, its own or a neighbour's, added to `sums`.
  void gradient_of(const Batch& batch, std::size_t tile, std::span<const i64> members, bool own,
                   const ObjectGradient<T>& sums);
  void gradient_of_neighbours(const Batch& batch, std::size_t tile);
  void start_sums(const Batch& batch);
  void step_others(const Batch& batch);

  double report_cost(const Batch& batch);
  /// The mini-batch's share of the penalties.
  [[nodiscard]] double share_of(const Batch& batch) const {
    return double(batch.members.size()) / double(with_.fitted.size());
  }

  Workspace<T>& with_;
  Movers<T> movers_;

 private:
  double seconds_of_gradients_ = 0;
};

}  // namespace ptyle
