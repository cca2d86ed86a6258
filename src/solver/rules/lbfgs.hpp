#pragma once

// L-BFGS: descent of the whole scan's cost (rules/whole_scan), whose preconditioner M learns from
// the last m steps s = V⁺ − V and what they changed the gradient by, y = g⁺ − g (two-loop
// recursion; Nocedal and Wright, Numerical Optimization, 2nd ed., algorithm 7.4):
//
//   q = g;   for the pairs from the last to the first:   a = s·q / y·s,   q ← q − a y
//   q ← γ M q,   γ = s·y / y·M y of the last pair
//   for the pairs from the first to the last:   q ← q + (a − y·q / y·s) s
//   V ← V − q within the limits
//
// A step that is kept becomes a pair, if its curvature y·s is positive. The first step, without
// pairs, is by the parabola of the Gauss-Newton curvature (rules/step_estimate). The simpler
// direction, where steps are of no use, is the preconditioned gradient without what was learnt.

#include <vector>

#include "solver/rules/whole_scan.hpp"

namespace ptyle {

template <class T>
class Lbfgs final : public WholeScanRule<T> {
  using Begin = typename WholeScanRule<T>::Begin;

 public:
  /// Remembers so many pairs, 1 or more.
  Lbfgs(int memory, std::unique_ptr<Preconditioning<T>> preconditioning);
  void declare(State<T>& state) override;

 protected:
  [[nodiscard]] const Begin& begin() const override { return pairs_[slot(0)]; }
  double make_direction(const Trial<T>& trial) override;
  void keep_step(const Trial<T>& trial) override;
  void forget() override;
  bool simplify() override;

 private:
  using WholeScanRule<T>::q;
  using WholeScanRule<T>::precondition;
  using WholeScanRule<T>::keep_free;
  /// A step and what it changes of the gradient, in the places of where it began.
  struct Pair : Begin {
    [[nodiscard]] const Volumes<T>& s() const { return this->at; }
    [[nodiscard]] const Volumes<T>& y() const { return this->gradient; }
    double* curvature = nullptr;  // y·s
  };
  [[nodiscard]] std::size_t slot(i64 steps_ago) const;
  [[nodiscard]] double first_step(const Trial<T>& trial);

  const i64 memory_;
  std::vector<Pair> pairs_;  // memory_ + 1 slots, one of them in use
  // Numbers of the state:
  double* known_ = nullptr;  // pairs
  double* slot_ = nullptr;   // in use
  double* scale_ = nullptr;  // γ
};

}  // namespace ptyle
