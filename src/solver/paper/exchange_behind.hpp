#pragma once

// An exchange that runs behind the next mini-batch (the asynchronous passes of the paper's Sec. V).
// With A the sum that was started after the last mini-batch and g the gradient of this one's own
// positions:
//
//   g computed at V  →  A arrives: V_sync ← V_sync − step·M(A)  →  V = V_sync − step·M(g),
//   and the sum of g starts
//
// The result depends on the mesh. Mini-batches on which steps are estimated, and those of the
// multi-resolution schedule, take the default course.

#include <optional>

#include "solver/course.hpp"
#include "solver/paper/fields.hpp"

namespace ptyle {

template <class T>
class ExchangeBehind final : public Course<T> {
 public:
  ExchangeBehind(Workspace<T>& with, Movers<T> movers, Descent<T>& descent);
  void take(const Batch& batch) override;
  [[nodiscard]] bool under_way() const override { return travelling_.has_value(); }
  void finish() override;

 private:
  void take_behind(const Batch& batch);
  void accumulate_beside(const Batch& batch);
  void after_step() override;
  [[nodiscard]] std::size_t a_few_of(std::size_t positions) const;

  Descent<T>& descent_;
  BehindFields<T> fields_;
  bool known_ = false;  // is there one?
  std::optional<Running> travelling_;
};

}  // namespace ptyle
