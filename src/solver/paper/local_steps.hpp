#pragma once

// Steps of each rank's own between two exchanges, as in Algorithm 1 of the paper (Sec. III, IV):
// after every few of its positions a rank moves its object by their gradient alone.
//
//   consistent  the total then replaces all that a rank has done since the last exchange:
//               V ← V_sync − step·M(total), so that copies stay equal
//   literal     the total, which has a rank's own gradients again, goes on top, as the algorithm is
//               printed: copies drift apart
//
// The result depends on the mesh. While the multi-resolution schedule lasts, the course is the
// default one.

#include "solver/course.hpp"
#include "solver/paper/fields.hpp"

namespace ptyle {

template <class T>
class LocalSteps final : public Course<T> {
 public:
  LocalSteps(Workspace<T>& with, Movers<T> movers, Descent<T>& descent);
  void take(const Batch& batch) override;

 private:
  [[nodiscard]] bool local() const { return this->with_.options.continuation.finished(); }
  void accumulate(const Batch& batch) override;
  void sum_gradients() override;
  void after_step() override;
  void step_locally(std::size_t tile);

  Descent<T>& descent_;
  BehindFields<T> fields_;
  bool known_ = false;  // is there one?
};

}  // namespace ptyle
