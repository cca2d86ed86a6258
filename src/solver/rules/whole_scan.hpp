#pragma once

// The course of a rule that takes the whole scan at once. From where a step begins, at V with the
// gradient g, it makes a direction d and
//
//   V ← V − step·d within the limits
//
// 1. The step is judged by the cost that comes with the next iteration's gradient: where it has
//    fallen enough (Armijo) the next step begins there. There is no other search along the line.
// 2. Else the object goes back along the step, to the minimum of the parabola through the slope and
//    both costs; if that is of no use several times, to where the step began, and along a simpler
//    direction.
//
// A new stage of the multi-resolution schedule, or another caution, starts over. Voxels that stand
// at a limit, and that descent would take beyond it, are left out of directions (projected gradient
// with an active set; Nocedal and Wright, Numerical Optimization, 2nd ed., 16.7).

#include <memory>
#include <string>

#include "solver/rules/on_cores.hpp"
#include "solver/rules/preconditioning.hpp"
#include "solver/rules/rule_stage.hpp"

namespace ptyle {

template <class T>
class WholeScanRule : public UpdateRule<T> {
 public:
  void declare(State<T>& state) override;
  void step(const Trial<T>& trial) final;
  [[nodiscard]] bool estimates() const override { return true; }
  [[nodiscard]] double step_in_use(const Workspace<T>&) const override { return *step_; }
  [[nodiscard]] std::string whole_scan_for() const override { return "solver.rule: " + name_; }
  [[nodiscard]] bool took_back() const override { return took_back_; }
  [[nodiscard]] i64 reach() const override { return preconditioning_->reach(); }
  [[nodiscard]] std::string key() const override { return "solver.preconditioner"; }
  [[nodiscard]] double other_bytes(const OperatorSetup& setup, const Box& core,
                                   int threads) const override {
    return preconditioning_->other_bytes(setup, core, threads);
  }
  void end(const Trial<T>& trial) override;
  /// The step under way is not judged, as the cost has changed otherwise.
  void object_moved() override { *under_way_ = *failures_ = 0; }

 protected:
  /// Its numbers are saved as "NAME.cost", …, and its fields booked under `account`.
  WholeScanRule(std::string name, std::string account,
                std::unique_ptr<Preconditioning<T>> preconditioning);

  struct Begin {
    Volumes<T> at, gradient;  // V, g
  };
  /// The fields for the beginning of the step under way.
  [[nodiscard]] virtual const Begin& begin() const = 0;
  /// Makes the direction in q(), from begin(); returns the step.
  virtual double make_direction(const Trial<T>& trial) = 0;
  /// The step under way is kept, the object and its gradient here are the beginning of the next.
  virtual void keep_step(const Trial<T>& trial) { begin_step(trial); }
  /// Nothing of what was learnt holds any more.
  virtual void forget() {}
  /// Makes simpler directions from the same beginning; false: there are none.
  virtual bool simplify() = 0;

  /// begin() ← the object and its gradient here.
  void begin_step(const Trial<T>& trial);
  void keep_free(const Trial<T>& trial, const Volumes<T>& direction) const;
  /// In place, with the low-pass of the stage; what the gradient's arrays hold is lost.
  void precondition(const Trial<T>& trial, const Volumes<T>& of);
  [[nodiscard]] const Volumes<T>& q() const { return q_; }
  [[nodiscard]] const std::string& account() const { return account_; }

  OnCores<T> cores_;

 private:
  [[nodiscard]] bool is_lower(double cost) const;
  void start_over();
  void take_step(const Trial<T>& trial);
  void go_back(const Trial<T>& trial);
  void draw_back(const Trial<T>& trial, double cost);

  const std::string name_, account_;
  std::unique_ptr<Preconditioning<T>> preconditioning_;
  Volumes<T> q_;
  bool took_back_ = false;
  // Numbers of the state:
  double* under_way_ = nullptr;  // a step was made whose cost is to be judged; 0: none
  double *cost_ = nullptr, *slope_ = nullptr;  // where it began, and along it, negative
  double* failures_ = nullptr;                 // of this step so far
  double* step_ = nullptr;                     // as reported
  double* caution_ = nullptr;                  // at which it learnt
  RuleStage stage_;                            // the same
};

}  // namespace ptyle
