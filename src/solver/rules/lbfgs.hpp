#pragma once

// L-BFGS: descent of the whole scan's cost, whose preconditioner M learns from the last m steps
// s = V⁺ − V and what they changed the gradient by, y = g⁺ − g (two-loop recursion; Nocedal and
// Wright, Numerical Optimization, 2nd ed., algorithm 7.4):
//
//   q = g;   for the pairs from the last to the first:   a = s·q / y·s,   q ← q − a y
//   q ← γ M q,   γ = s·y / y·M y of the last pair
//   for the pairs from the first to the last:   q ← q + (a − y·q / y·s) s
//   V ← V − q within the limits
//
// Voxels that stand at a limit, and that descent would take beyond it, are left out of g and q
// (projected gradient with an active set; ibid., 16.7).
//
// 1. Each iteration's one gradient is that of the step before: where the cost has fallen enough
//    (Armijo) the pair is kept, if its curvature y·s is positive, and the next step made. There is
//    no other search along the line.
// 2. Else the object goes back along the step, to the minimum of the parabola through the slope and
//    both costs; if that is of no use several times, to where the step began, and down the
//    preconditioned gradient without what was learnt.
// 3. The first step, without pairs, is by the parabola of the Gauss-Newton curvature
//    (rules/step_estimate).
//
// A new stage of the multi-resolution schedule, or another caution, starts over.

#include <string>
#include <vector>

#include "solver/rules/on_cores.hpp"
#include "solver/rules/preconditioning.hpp"
#include "solver/rules/rule_stage.hpp"

namespace ptyle {

template <class T>
class Lbfgs final : public UpdateRule<T> {
 public:
  /// Remembers so many pairs, 1 or more.
  Lbfgs(int memory, std::unique_ptr<Preconditioning<T>> preconditioning);
  void declare(State<T>& state) override;
  void step(const Trial<T>& trial) override;
  [[nodiscard]] bool estimates() const override { return true; }
  [[nodiscard]] double step_in_use(const Workspace<T>&) const override { return *step_; }
  [[nodiscard]] std::string whole_scan_for() const override { return "solver.rule: lbfgs"; }
  [[nodiscard]] bool took_back() const override { return took_back_; }
  [[nodiscard]] i64 reach() const override { return preconditioning_->reach(); }
  [[nodiscard]] std::string key() const override { return "solver.preconditioner"; }
  [[nodiscard]] double other_bytes(const OperatorSetup& setup, int threads) const override {
    return preconditioning_->other_bytes(setup, threads);
  }
  void end(const Trial<T>& trial) override;
  /// The step under way is not judged, as the cost has changed otherwise.
  void object_moved() override { *under_way_ = *failures_ = 0; }

 private:
  void start_over();
  /// A step and what it changes of the gradient; of the slot in use, V and g where it begins.
  struct Pair {
    Volumes<T> s, y;
    double* curvature = nullptr;  // y·s
  };
  [[nodiscard]] std::size_t slot(i64 steps_ago) const;
  Pair& in_use() { return pairs_[slot(0)]; }

  [[nodiscard]] bool is_lower(double cost) const;
  void keep_pair(const Trial<T>& trial);
  void begin_step(const Trial<T>& trial);
  void take_step(const Trial<T>& trial);
  void make_direction(const Trial<T>& trial);
  void keep_free(const Trial<T>& trial, const Volumes<T>& direction);
  void precondition(const Trial<T>& trial, const Volumes<T>& of);
  [[nodiscard]] double first_step(const Trial<T>& trial);
  void go_back(const Trial<T>& trial);
  void draw_back(const Trial<T>& trial, double cost);

  const i64 memory_;
  std::unique_ptr<Preconditioning<T>> preconditioning_;
  OnCores<T> cores_;
  std::vector<Pair> pairs_;  // memory_ + 1 slots, one of them in use
  Volumes<T> q_;
  bool took_back_ = false;
  // Numbers of the state:
  double* known_ = nullptr;      // pairs
  double* slot_ = nullptr;       // in use
  double* under_way_ = nullptr;  // a step was made whose cost is to be judged; 0: none
  double *cost_ = nullptr, *slope_ = nullptr;  // where it began, and along it, negative
  double* scale_ = nullptr;                    // γ
  double* failures_ = nullptr;                 // of this step so far
  double* step_ = nullptr;                     // as reported
  double* caution_ = nullptr;                  // at which it learnt
  RuleStage stage_;                            // the same
};

}  // namespace ptyle
